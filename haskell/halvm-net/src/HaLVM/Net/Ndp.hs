-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Ndp
--
-- Neighbour discovery (RFC 4861) as bytes, with the prefixes of SLAAC (RFC
-- 4862) and name servers (RFC 8106), and interface identifiers (RFC 7217).
module HaLVM.Net.Ndp
  ( Ndp (..), Advert (..), PrefixInfo (..), decodeNdp, putNdp
  , stableIdentifier, withIdentifier
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.Bits
import Data.Word

import HaLVM.Net.Bytes
import HaLVM.Net.SipHash
import HaLVM.Net.Types

data Ndp
  = Solicit Addr (Maybe Mac)                  -- ^ target; who asks
  | Advertise Bool Bool Bool Addr (Maybe Mac)
    -- ^ router, solicited, override; target; its link address
  | RouterSolicit (Maybe Mac)
  | RouterAdvert Advert
  deriving (Eq, Show)

data Advert = Advert
  { advHops :: Word8       -- ^ 0: not said
  , advLifetime :: Int     -- ^ seconds as default router; 0: not one
  , advMac :: Maybe Mac
  , advMtu :: Maybe Int
  , advPrefixes :: [PrefixInfo]
  , advDns :: [(Addr, Int)] -- ^ and seconds
  } deriving (Eq, Show)

data PrefixInfo = PrefixInfo
  { preAddr :: Addr
  , preLength :: Int
  , preOnLink :: Bool
  , preAuto :: Bool
  , preValid :: Int     -- ^ seconds; 2^32 - 1: for ever
  , prePreferred :: Int
  } deriving (Eq, Show)

-- | From a whole ICMPv6 message whose checksum is right. The caller checks
-- that the hop limit is 255.
decodeNdp :: ByteString -> Maybe Ndp
decodeNdp b
  | B.length b < 8 || u8 b 1 /= 0 = Nothing
  | otherwise = case u8 b 0 of
      133 -> RouterSolicit . linkOf 1 <$> options 8
      134 | B.length b >= 16 -> do
        os <- options 16
        Just (RouterAdvert Advert
          { advHops = u8 b 4
          , advLifetime = fromIntegral (u16 b 6)
          , advMac = linkOf 1 os
          , advMtu = case [fromIntegral (u32 o 4) | (5, o) <- os, B.length o == 8] of
              m : _ -> Just m
              [] -> Nothing
          , advPrefixes = [prefix o | (3, o) <- os, B.length o == 32
                                    , u8 o 2 <= 128]
          , advDns = concat [servers o | (25, o) <- os, B.length o >= 24]
          })
      135 | B.length b >= 24, not (isMulticast (addrV6 b 8)) ->
        Solicit (addrV6 b 8) . linkOf 1 <$> options 24
      136 | B.length b >= 24, not (isMulticast (addrV6 b 8)) ->
        let f = u8 b 4
        in Advertise (testBit f 7) (testBit f 6) (testBit f 5) (addrV6 b 8)
             . linkOf 2 <$> options 24
      _ -> Nothing
  where
    options from = split (16 :: Int) (B.drop from b)
    -- An option of length zero makes the whole message bad (4861, 4.6).
    split n o
      | B.null o || n == 0 = Just []
      | B.length o < 8 || len == 0 || len > B.length o = Nothing
      | otherwise = ((u8 o 0, B.take len o) :) <$> split (n - 1) (B.drop len o)
      where len = fromIntegral (u8 o 1) * 8
    linkOf kind os = case [macAt o 2 | (k, o) <- os, k == kind] of
      m : _ | not (isGroupMac m) -> Just m
      _ -> Nothing
    prefix o = PrefixInfo (addrV6 o 16) (fromIntegral (u8 o 2))
      (testBit (u8 o 3) 7) (testBit (u8 o 3) 6)
      (fromIntegral (u32 o 4)) (fromIntegral (u32 o 8))
    servers o = [ (addrV6 o i, fromIntegral (u32 o 4))
                | i <- takeWhile (\i -> i + 16 <= B.length o) [8, 24 .. 56] ]

-- | The message without its checksum; 'HaLVM.Net.Icmp.rawIcmp6' adds it.
putNdp :: Ndp -> Put
putNdp n = case n of
  Solicit target mac -> start 135 <> put32 0 <> putAddr target <> link 1 mac
  Advertise router solicited override target mac ->
    start 136
      <> put32 (flag 31 router .|. flag 30 solicited .|. flag 29 override)
      <> putAddr target <> link 2 mac
  RouterSolicit mac -> start 133 <> put32 0 <> link 1 mac
  RouterAdvert a -> start 134 <> put8 (advHops a) <> put8 0
    <> put16 (fromIntegral (advLifetime a)) <> put64 0 <> link 1 (advMac a)
    <> maybe mempty (\m -> put32 0x05010000 <> put32 (fromIntegral m)) (advMtu a)
    <> foldMap prefix (advPrefixes a)
    <> foldMap (\(s, t) -> put32 0x19030000 <> put32 (fromIntegral t)
                 <> putAddr s) (advDns a)
  where
    start kind = put8 kind <> put8 0 <> put16 0
    flag i on = if on then bit i else 0 :: Word32
    link _ Nothing = mempty
    link kind (Just mac) = put8 kind <> put8 1 <> putMac mac
    prefix p = put8 3 <> put8 4 <> put8 (fromIntegral (preLength p))
      <> put8 ((if preOnLink p then 0x80 else 0)
                 .|. (if preAuto p then 0x40 else 0))
      <> put32 (fromIntegral (preValid p))
      <> put32 (fromIntegral (prePreferred p))
      <> put32 0 <> putAddr (preAddr p)

-- | An identifier that is the same in one network, tells nothing of the
-- machine, and differs after a collision (RFC 7217).
stableIdentifier :: Key -> Addr -> Mac -> Int -> Word64
stableIdentifier key (V6 prefix _) (Mac mac) collisions =
  sipHash key [prefix, mac, fromIntegral collisions]
stableIdentifier key _ mac n = stableIdentifier key anyV6 mac n

-- | A prefix of 64 bits and an identifier.
withIdentifier :: Addr -> Word64 -> Addr
withIdentifier (V6 prefix _) ident = V6 prefix ident
withIdentifier a _ = a
