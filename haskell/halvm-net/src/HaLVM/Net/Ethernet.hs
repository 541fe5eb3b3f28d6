-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Ethernet
--
-- Ethernet II frames, without their check sequence.
--
-- >>> import qualified Data.ByteString as B
-- >>> etherType <$> decodeEther (B.replicate 12 1 <> B.pack [8, 6])
-- Just 2054
module HaLVM.Net.Ethernet
  ( Ether (..), decodeEther, readEther, putEther, etherSize
  , typeIpv4, typeArp, typeIpv6, multicastMac
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Bits
import Data.Word

import HaLVM.Net.Bytes
import HaLVM.Net.Types

data Ether = Ether
  { etherTarget :: !Mac
  , etherSource :: !Mac
  , etherType :: !Word16
  , etherPayload :: !ByteString -- ^ a slice of the frame
  , etherGood :: !Bool
    -- ^ the interface knows that TCP's or UDP's checksum is good
  } deriving (Eq, Show)

-- | Bytes before the payload.
etherSize :: Int
etherSize = 14

typeIpv4, typeArp, typeIpv6 :: Word16
typeIpv4 = 0x0800
typeArp = 0x0806
typeIpv6 = 0x86dd

-- | Nothing when the frame is too short. Lengths (802.3) come out as types
-- that nobody has.
decodeEther :: ByteString -> Maybe Ether
decodeEther = readEther False

-- | The same, with what the interface says of it.
readEther :: Bool -> ByteString -> Maybe Ether
readEther good frame
  | B.length frame < etherSize = Nothing
  | otherwise = Just Ether
      { etherTarget = macAt frame 0
      , etherSource = macAt frame 6
      , etherType = u16 frame 12
      , etherPayload = BU.unsafeDrop etherSize frame
      , etherGood = good
      }
{-# INLINE readEther #-}

-- | A header: target, source, type.
putEther :: Mac -> Mac -> Word16 -> Put
putEther target source kind = putMac target <> putMac source <> put16 kind
{-# INLINE putEther #-}

-- | Where a multicast or broadcast address is sent to (RFC 1112, RFC 2464).
multicastMac :: Addr -> Mac
multicastMac (V4 a)
  | a `shiftR` 28 == 0xe = Mac (0x01005e000000 .|. fromIntegral (a .&. 0x7fffff))
  | otherwise = broadcastMac
multicastMac (V6 _ b) = Mac (0x333300000000 .|. (b .&. 0xffffffff))
