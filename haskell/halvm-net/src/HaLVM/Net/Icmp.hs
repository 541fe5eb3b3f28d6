-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Icmp
--
-- ICMP for IPv4 (RFC 792, 1191) and for IPv6 (RFC 4443): echo, and the errors
-- that are told to sockets. Neighbour discovery is in "HaLVM.Net.Ndp".
module HaLVM.Net.Icmp
  ( Icmp (..), Unreach (..), decodeIcmp4, decodeIcmp6, putIcmp4, putIcmp6
  , rawIcmp6
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Word
import Foreign.Ptr

import HaLVM.Net.Bytes
import HaLVM.Net.Checksum
import HaLVM.Net.Types

-- | Why something did not arrive.
data Unreach
  = NoRoute | NoHost | NoProtocol | NoPort | Prohibited
  | TooBig !Int -- ^ the next hop's MTU, or 0
  deriving (Eq, Show)

data Icmp
  = Echo !Word8 !ByteString      -- ^ code; identifier, number and data
  | EchoReply !Word8 !ByteString
  | TimestampRequest !ByteString -- ^ identifier, number and origin: 8 bytes
  | TimestampReply !ByteString !Word32
    -- ^ those 8 bytes again, and milliseconds since midnight
  | Unreachable !Unreach !ByteString -- ^ the beginning of that packet
  | TimeExceeded !ByteString
  | OtherIcmp !Word8 !Word8 !ByteString -- ^ type, code, the rest
  deriving (Eq, Show)

-- | Nothing when it is too short or damaged.
decodeIcmp4 :: ByteString -> Maybe Icmp
decodeIcmp4 b
  | B.length b < 8 || not (isValid (sumBytes b)) = Nothing
  | otherwise = Just $ case (u8 b 0, u8 b 1) of
      (8, code) -> Echo code rest
      (0, code) -> EchoReply code rest
      (13, 0) | B.length b >= 20 -> TimestampRequest (B.take 8 rest)
      (14, 0) | B.length b >= 20 ->
        TimestampReply (B.take 8 rest) (u32 b 12)
      (3, 1) -> Unreachable NoHost quoted
      (3, 2) -> Unreachable NoProtocol quoted
      (3, 3) -> Unreachable NoPort quoted
      (3, 4) -> Unreachable (TooBig (fromIntegral (u16 b 6))) quoted
      (3, code) | code `elem` [9, 10, 13] -> Unreachable Prohibited quoted
                | code `elem` [0, 5, 6, 11] -> Unreachable NoRoute quoted
                | otherwise -> OtherIcmp 3 code rest
      (11, 0) -> TimeExceeded quoted
      (kind, code) -> OtherIcmp kind code rest
  where
    rest = BU.unsafeDrop 4 b
    quoted = BU.unsafeDrop 8 b

-- | The addresses are part of the checksum.
decodeIcmp6 :: Addr -> Addr -> ByteString -> Maybe Icmp
decodeIcmp6 source target b
  | B.length b < 8 = Nothing
  | not (isValid (sumBytes b + pseudo source target 58 (B.length b))) = Nothing
  | otherwise = Just $ case (u8 b 0, u8 b 1) of
      (128, code) -> Echo code rest
      (129, code) -> EchoReply code rest
      (1, 1) -> Unreachable Prohibited quoted
      (1, 4) -> Unreachable NoPort quoted
      (1, 3) -> Unreachable NoHost quoted
      (1, 0) -> Unreachable NoRoute quoted
      (2, _) -> Unreachable (TooBig (fromIntegral (u32 b 4))) quoted
      (3, 0) -> TimeExceeded quoted
      (kind, code) -> OtherIcmp kind code rest
  where
    rest = BU.unsafeDrop 4 b
    quoted = BU.unsafeDrop 8 b

putIcmp4 :: Icmp -> Put
putIcmp4 icmp = summed 0 $ case icmp of
  Echo code rest -> head4 8 code <> putBytes rest
  EchoReply code rest -> head4 0 code <> putBytes rest
  TimestampRequest rest -> head4 13 0 <> putBytes rest <> putZeros 8
  TimestampReply rest t -> head4 14 0 <> putBytes rest <> put32 t <> put32 t
  Unreachable why quoted -> head4 3 (code4 why) <> put16 0
    <> put16 (mtu why) <> putBytes quoted
  TimeExceeded quoted -> head4 11 0 <> put32 0 <> putBytes quoted
  OtherIcmp kind code rest -> head4 kind code <> putBytes rest
  where
    code4 why = case why of
      NoRoute -> 0
      NoHost -> 1
      NoProtocol -> 2
      NoPort -> 3
      TooBig _ -> 4
      Prohibited -> 13
    mtu (TooBig n) = fromIntegral n
    mtu _ = 0

-- | Types that IPv6 does not have become parameter problems.
putIcmp6 :: Addr -> Addr -> Icmp -> Put
putIcmp6 source target icmp = rawIcmp6 source target $ case icmp of
  Echo code rest -> head4 128 code <> putBytes rest
  EchoReply code rest -> head4 129 code <> putBytes rest
  Unreachable (TooBig n) quoted ->
    head4 2 0 <> put32 (fromIntegral n) <> putBytes quoted
  Unreachable NoProtocol quoted -> head4 4 1 <> put32 6 <> putBytes quoted
  Unreachable why quoted -> head4 1 (code6 why) <> put32 0 <> putBytes quoted
  TimeExceeded quoted -> head4 3 0 <> put32 0 <> putBytes quoted
  TimestampRequest rest -> head4 4 0 <> putBytes rest
  TimestampReply rest _ -> head4 4 0 <> putBytes rest
  OtherIcmp kind code rest -> head4 kind code <> putBytes rest
  where
    code6 why = case why of
      NoHost -> 3
      NoPort -> 4
      Prohibited -> 1
      _ -> 0

-- | Adds the checksum to an ICMPv6 message that begins with type, code and
-- two bytes for it.
rawIcmp6 :: Addr -> Addr -> Put -> Put
rawIcmp6 source target inner =
  summed (pseudo source target 58 (putSize inner)) inner

head4 :: Word8 -> Word8 -> Put
head4 kind code = put8 kind <> put8 code <> put16 0

summed :: Sum -> Put -> Put
summed start (Put n f) = Put n $ \p -> do
  f p
  total <- sumPtr p n start
  poke16 (p `plusPtr` 2) 0 (finish total)
