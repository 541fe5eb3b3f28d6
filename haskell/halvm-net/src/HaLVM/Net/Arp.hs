-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Arp
--
-- The Address Resolution Protocol for IPv4 over Ethernet (RFC 826).
module HaLVM.Net.Arp
  ( Arp (..), ArpOp (..), decodeArp, putArp, arpSize
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)

import HaLVM.Net.Bytes
import HaLVM.Net.Types

data ArpOp = ArpRequest | ArpReply deriving (Eq, Show)

data Arp = Arp
  { arpOp :: !ArpOp
  , arpSenderMac :: !Mac
  , arpSender :: !Addr
  , arpTargetMac :: !Mac
  , arpTarget :: !Addr
  } deriving (Eq, Show)

arpSize :: Int
arpSize = 28

-- | Nothing for what is not Ethernet and IPv4, or neither request nor reply.
decodeArp :: ByteString -> Maybe Arp
decodeArp b
  | B.length b < arpSize = Nothing
  | u16 b 0 /= 1 || u16 b 2 /= 0x0800 || u16 b 4 /= 0x0604 = Nothing
  | otherwise = case u16 b 6 of
      1 -> Just (arp ArpRequest)
      2 -> Just (arp ArpReply)
      _ -> Nothing
  where
    arp op = Arp op (macAt b 8) (addrV4 b 14) (macAt b 18) (addrV4 b 24)

putArp :: Arp -> Put
putArp a = put16 1 <> put16 0x0800 <> put16 0x0604
  <> put16 (case arpOp a of { ArpRequest -> 1; ArpReply -> 2 })
  <> putMac (arpSenderMac a) <> putAddr (arpSender a)
  <> putMac (arpTargetMac a) <> putAddr (arpTarget a)
