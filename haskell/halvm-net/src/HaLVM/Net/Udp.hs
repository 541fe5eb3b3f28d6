-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Udp
--
-- The header of UDP (RFC 768).
module HaLVM.Net.Udp
  ( UdpHeader (..), decodeUdp, readUdp, putUdp, udpSize
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Word
import Foreign.Ptr (plusPtr)

import HaLVM.Net.Bytes
import HaLVM.Net.Checksum
import HaLVM.Net.Types

data UdpHeader = UdpHeader
  { udpSource :: !Word16
  , udpTarget :: !Word16
  , udpPayload :: !ByteString
  } deriving (Eq, Show)

udpSize :: Int
udpSize = 8

-- | Checks length and checksum. IPv4 allows none; IPv6 does not.
decodeUdp :: Addr -> Addr -> ByteString -> Maybe UdpHeader
decodeUdp = readUdp False

-- | The same; of one whose checksum is known to be good, it is not looked at.
readUdp :: Bool -> Addr -> Addr -> ByteString -> Maybe UdpHeader
readUdp good source target b
  | B.length b < udpSize = Nothing
  | size < udpSize || size > B.length b = Nothing
  | good = Just header
  | u16 b 6 == 0 = if isV4 source then Just header else Nothing
  | not (isValid (sumBytes whole + pseudo source target 17 size)) = Nothing
  | otherwise = Just header
  where
    size = fromIntegral (u16 b 4)
    whole = BU.unsafeTake size b
    header = UdpHeader (u16 b 0) (u16 b 2) (BU.unsafeDrop udpSize whole)

putUdp :: Addr -> Addr -> Word16 -> Word16 -> ByteString -> Put
putUdp source target from to payload = Put size $ \p -> do
  poke16 p 0 from
  poke16 p 2 to
  poke16 p 4 (fromIntegral size)
  poke16 p 6 0
  body (p `plusPtr` udpSize)
  total <- sumPtr p size (pseudo source target 17 size)
  -- Zero would mean that there is none.
  let check = finish total
  poke16 p 6 (if check == 0 then 0xffff else check)
  where
    Put n body = putBytes payload
    size = n + udpSize
