-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Ipv6
--
-- The header of IPv6 (RFC 8200), with the extension headers that lead to the
-- payload. Routing headers with segments left are refused (RFC 5095).
module HaLVM.Net.Ipv6
  ( Ipv6 (..), Fragment6 (..), decodeIpv6, skipHeaders, putIpv6, ipv6Size
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Bits
import Data.Word
import Foreign.Ptr
import Foreign.Storable

import HaLVM.Net.Bytes
import HaLVM.Net.Types

data Ipv6 = Ipv6
  { ip6Hops :: !Word8
  , ip6Proto :: !Word8          -- ^ after the extension headers
  , ip6Source :: !Addr
  , ip6Target :: !Addr
  , ip6Fragment :: !(Maybe Fragment6)
  , ip6Payload :: !ByteString   -- ^ of this packet or of this fragment
  } deriving (Eq, Show)

data Fragment6 = Fragment6
  { frag6Id :: !Word32
  , frag6Offset :: !Int -- ^ in bytes
  , frag6More :: !Bool
  } deriving (Eq, Show)

ipv6Size :: Int
ipv6Size = 40

-- | Nothing for what cannot be read or must not be taken.
decodeIpv6 :: ByteString -> Maybe Ipv6
decodeIpv6 b
  | B.length b < ipv6Size = Nothing
  | u8 b 0 `unsafeShiftR` 4 /= 6 = Nothing
  | size > B.length b - ipv6Size = Nothing
  | otherwise = do
      (proto, fragment, payload) <-
        skipHeaders (u8 b 6) (BU.unsafeTake size (BU.unsafeDrop ipv6Size b))
      Just Ipv6
        { ip6Hops = u8 b 7
        , ip6Proto = proto
        , ip6Source = addrV6 b 8
        , ip6Target = addrV6 b 24
        , ip6Fragment = fragment
        , ip6Payload = payload
        }
  where
    size = fromIntegral (u16 b 4)

-- | Goes past extension headers, from the first one's number; stops at a
-- fragment header, since what follows may be elsewhere. At most eight.
skipHeaders
  :: Word8 -> ByteString -> Maybe (Word8, Maybe Fragment6, ByteString)
skipHeaders = go (8 :: Int)
  where
    go 0 _ _ = Nothing
    go n kind b = case kind of
      0 -> options
      60 -> options
      43 | B.length b >= 8, u8 b 3 == 0 -> options
         | otherwise -> Nothing
      44 | B.length b < 8 -> Nothing
         | otherwise ->
             let word = u16 b 2
                 offset = fromIntegral (word .&. 0xfff8)
                 more = testBit word 0
                 rest = BU.unsafeDrop 8 b
             in if offset == 0 && not more
                  then go (n - 1) (u8 b 0) rest -- atomic (RFC 6946)
                  else Just ( u8 b 0
                            , Just (Fragment6 (u32 b 4) offset more), rest )
      _ -> Just (kind, Nothing, b)
      where
        options
          | B.length b < 8 || size > B.length b = Nothing
          | otherwise = go (n - 1) (u8 b 0) (BU.unsafeDrop size b)
        size = (fromIntegral (u8 b 1) + 1) * 8

-- | A packet: header, and what writes the payload.
putIpv6 :: Word8 -> Word8 -> Addr -> Addr -> Put -> Put
putIpv6 hops proto source target (Put size inner) =
  Put (size + ipv6Size) $ \p -> do
    poke32 p 0 0x60000000
    poke16 p 4 (fromIntegral size)
    pokeByteOff p 6 proto
    pokeByteOff p 7 hops
    let Put _ from = putAddr source
        Put _ to = putAddr target
    from (p `plusPtr` 8)
    to (p `plusPtr` 24)
    inner (p `plusPtr` ipv6Size)
{-# INLINE putIpv6 #-}
