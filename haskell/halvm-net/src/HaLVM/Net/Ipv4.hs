-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Ipv4
--
-- The header of IPv4 (RFC 791). Options are accepted and ignored; packets with
-- a source route are refused, since nobody means well with one.
module HaLVM.Net.Ipv4
  ( Ipv4 (..), decodeIpv4, putIpv4, ipv4Size, flagDf, flagMf
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Bits
import Data.Word
import Foreign.Ptr
import Foreign.Storable

import HaLVM.Net.Bytes
import HaLVM.Net.Checksum
import HaLVM.Net.Types

data Ipv4 = Ipv4
  { ip4Tos :: !Word8
  , ip4Id :: !Word16
  , ip4Flags :: !Word16   -- ^ 'flagDf', 'flagMf'
  , ip4Offset :: !Int     -- ^ of this fragment, in bytes
  , ip4Ttl :: !Word8
  , ip4Proto :: !Word8
  , ip4Source :: !Addr
  , ip4Target :: !Addr
  , ip4Payload :: !ByteString -- ^ a slice, as long as the header says
  } deriving (Eq, Show)

-- | Of the header that 'putIpv4' writes.
ipv4Size :: Int
ipv4Size = 20

flagDf, flagMf :: Word16
flagDf = 0x4000
flagMf = 0x2000

-- | Checks version, lengths and checksum; what follows the packet in its
-- frame is cut off.
decodeIpv4 :: ByteString -> Maybe Ipv4
decodeIpv4 b
  | B.length b < 20 = Nothing
  | u8 b 0 `unsafeShiftR` 4 /= 4 = Nothing
  | header < 20 || total < header || total > B.length b = Nothing
  | not (isValid (sumBytes (BU.unsafeTake header b))) = Nothing
  | header > 20 && sourceRouted (BU.unsafeTake (header - 20) (BU.unsafeDrop 20 b))
  = Nothing
  | otherwise = Just Ipv4
      { ip4Tos = u8 b 1
      , ip4Id = u16 b 4
      , ip4Flags = fragment .&. 0x6000
      , ip4Offset = fromIntegral (fragment .&. 0x1fff) * 8
      , ip4Ttl = u8 b 8
      , ip4Proto = u8 b 9
      , ip4Source = addrV4 b 12
      , ip4Target = addrV4 b 16
      , ip4Payload = BU.unsafeTake (total - header) (BU.unsafeDrop header b)
      }
  where
    header = fromIntegral (u8 b 0 .&. 15) * 4
    total = fromIntegral (u16 b 2)
    fragment = u16 b 6
{-# INLINE decodeIpv4 #-}

-- Whether the options have a loose or strict source route, or cannot be read.
sourceRouted :: ByteString -> Bool
sourceRouted o = case B.uncons o of
  Nothing -> False
  Just (0, _) -> False
  Just (1, rest) -> sourceRouted rest
  Just (kind, rest)
    | kind == 131 || kind == 137 -> True
    | B.null rest -> True
    | size < 2 || size > B.length o -> True
    | otherwise -> sourceRouted (B.drop size o)
    where size = fromIntegral (B.head rest)

-- | A packet: its header, whose payload is ignored, and what writes that
-- payload.
putIpv4 :: Ipv4 -> Put -> Put
putIpv4 h (Put size inner) = Put (size + ipv4Size) $ \p -> do
  poke p (0x45 :: Word8)
  pokeByteOff p 1 (ip4Tos h)
  poke16 p 2 (fromIntegral (size + ipv4Size))
  poke16 p 4 (ip4Id h)
  poke16 p 6 (ip4Flags h .|. fromIntegral (ip4Offset h `unsafeShiftR` 3))
  pokeByteOff p 8 (ip4Ttl h)
  pokeByteOff p 9 (ip4Proto h)
  poke16 p 10 0
  poke32 p 12 (word (ip4Source h))
  poke32 p 16 (word (ip4Target h))
  total <- sumPtr p ipv4Size 0
  poke16 p 10 (finish total)
  inner (p `plusPtr` ipv4Size)
  where
    word (V4 a) = a
    word _ = 0
{-# INLINE putIpv4 #-}
