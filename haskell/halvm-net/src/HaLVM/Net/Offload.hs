-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Offload
--
-- What is left to an interface, or was by one: checksums, and the cutting of
-- large segments. A frame of such an interface has a header in front that says
-- it, Linux's @struct virtio_net_hdr@ (virtio 1.0, 5.1.6, without the number
-- of buffers), in the machine's own byte order.
--
-- >>> import qualified Data.ByteString as B
-- >>> splitOffload (B.pack (1 : replicate 9 0 ++ [7]))
-- Just (True,"\a")
module HaLVM.Net.Offload
  ( Offload (..), offloadSize, putOffload, splitOffload
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Bits
import Data.Word
import Foreign.Storable

import HaLVM.Net.Bytes

data Offload
  = Plain                  -- ^ nothing
  | Sum !Int !Int          -- ^ the checksum over all from here on; its field,
                           -- from there, has the sum of the pseudo header
  | Cut !Int !Int !Int !Int !Bool
    -- ^ the same; bytes of all headers, of TCP's data in each segment; IPv6
  deriving (Eq, Show)

-- | Bytes of the header.
offloadSize :: Int
offloadSize = 10

putOffload :: Offload -> Put
putOffload o = Put offloadSize $ \p -> do
  let put16' at n = pokeByteOff p at (fromIntegral n :: Word16)
      header flags kind size cut start field = do
        pokeByteOff p 0 (flags :: Word8)
        pokeByteOff p 1 (kind :: Word8)
        put16' 2 (size :: Int)
        put16' 4 (cut :: Int)
        put16' 6 (start :: Int)
        put16' 8 (field :: Int)
  case o of
    Plain -> header 0 0 0 0 0 0
    Sum start field -> header 1 0 0 0 start field
    Cut start field size cut v6 ->
      header 1 (if v6 then 4 else 1) size cut start field

-- | A frame without its header, and whether its checksum is known to be good:
-- it was checked, or it never was on a wire and has none yet.
splitOffload :: ByteString -> Maybe (Bool, ByteString)
splitOffload b
  | B.length b < offloadSize = Nothing
  | otherwise = Just (u8 b 0 .&. 3 /= 0, BU.unsafeDrop offloadSize b)
{-# INLINE splitOffload #-}
