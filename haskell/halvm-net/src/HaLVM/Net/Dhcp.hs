-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Dhcp
--
-- A DHCP client (RFC 2131, 2132) as a pure machine: discovery, request,
-- renewal at T1 by unicast, rebinding at T2 by broadcast, and the end of a
-- lease. It says what to send and which address to take or to give back.
module HaLVM.Net.Dhcp
  ( Dhcp, Lease (..), DhcpOut (..), dhcpStart, dhcpTick, dhcpReceive
  , dhcpNext, dhcpLease, dhcpDecline
    -- * Messages
  , DhcpMessage (..), decodeDhcp, putDhcp, messageOption
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Char8 as C
import Data.Bits
import Data.Maybe (fromMaybe)
import Data.Word

import HaLVM.Net.Bytes
import HaLVM.Net.Types

data Phase = Init | Selecting | Requesting | Bound | Renewing | Rebinding
  deriving (Eq, Show)

data Lease = Lease
  { leaseAddr :: Addr
  , leasePrefix :: Int
  , leaseRouters :: [Addr]
  , leaseDns :: [Addr]
  , leaseMtu :: Maybe Int
  , leaseServer :: Addr
  , leaseRenew :: Time  -- ^ T1
  , leaseRebind :: Time -- ^ T2
  , leaseEnd :: Time    -- ^ or 'never'
  } deriving (Eq, Show)

-- | A client's state.
data Dhcp = Dhcp
  { dPhase :: Phase
  , dMac :: Mac
  , dHost :: ByteString
  , dXid :: Word32
  , dLease :: Maybe Lease -- offered or bound
  , dNext :: Time
  , dTries :: Int
  , dBegan :: Time
  } deriving (Show)

data DhcpOut
  = DhcpBroadcast ByteString     -- ^ from 0.0.0.0 to 255.255.255.255
  | DhcpUnicast Addr ByteString  -- ^ from the leased address, to the server
  | DhcpTake Lease               -- ^ new or renewed
  | DhcpGiveBack
  deriving (Eq, Show)

-- | A client that begins at this time, with a random transaction number and
-- the name of the machine, which may be empty.
dhcpStart :: Time -> Mac -> String -> Word32 -> Dhcp
dhcpStart now mac host xid =
  Dhcp Init mac (C.pack (take 63 host)) xid Nothing now 0 now

-- | When 'dhcpTick' has something to do.
dhcpNext :: Dhcp -> Time
dhcpNext = dNext

-- | What is held now.
dhcpLease :: Dhcp -> Maybe Lease
dhcpLease d
  | dPhase d `elem` [Bound, Renewing, Rebinding] = dLease d
  | otherwise = Nothing

-- | Does what is due.
dhcpTick :: Time -> Dhcp -> (Dhcp, [DhcpOut])
dhcpTick now d
  | now < dNext d = (d, [])
  | otherwise = case (dPhase d, dLease d) of
      (Init, _) -> discover
      (Selecting, _) -> discover
      (Requesting, _) | dTries d >= 4 -> restart []
      (Requesting, Just l) ->
        (wait d, [DhcpBroadcast (request now d (Just (leaseServer l)) l)])
      (Bound, Just l) -> renew l
      (Renewing, Just l) | now >= leaseRebind l -> rebind l
                         | otherwise -> renew l
      (Rebinding, Just l) | now >= leaseEnd l -> restart [DhcpGiveBack]
                          | otherwise -> rebind l
      _ -> restart []
  where
    discover =
      ( wait d { dPhase = Selecting
               , dBegan = if dPhase d == Init then now else dBegan d }
      , [DhcpBroadcast (message now d 1 [])] )
    restart outs =
      let (d', more) = dhcpTick now d { dPhase = Init, dLease = Nothing
                                      , dTries = 0, dNext = now
                                      , dXid = dXid d * 1664525 + 1013904223 }
      in (d', outs ++ more)
    -- 4, 8, 16, 32, 64 seconds (2131, 4.1); the first after one.
    wait x = x { dTries = dTries x + 1
               , dNext = now + seconds (if dTries x == 0 then 1
                                        else 2 ^ min 6 (dTries x + 1)) }
    renew l = ( d { dPhase = Renewing
                  , dNext = halfway (leaseRebind l) }
              , [DhcpUnicast (leaseServer l) (request now d Nothing l)] )
    rebind l = ( d { dPhase = Rebinding, dNext = halfway (leaseEnd l) }
               , [DhcpBroadcast (request now d Nothing l)] )
    -- Half of what remains, at least a minute (2131, 4.4.5).
    halfway end = min end (now + max (seconds 60) ((end - now) `quot` 2))

-- | A datagram from port 67.
dhcpReceive :: Time -> ByteString -> Dhcp -> (Dhcp, [DhcpOut])
dhcpReceive now bytes d = case decodeDhcp bytes of
  Just m | dmOp m == 2, dmXid m == dXid d, dmMac m == dMac d ->
    case (dPhase d, B.unpack <$> messageOption 53 m) of
      (Selecting, Just [2]) | Just l <- lease m ->
        let d' = d { dPhase = Requesting, dLease = Just l, dTries = 1
                   , dNext = now + seconds 4 }
        in (d', [DhcpBroadcast (request now d' (Just (leaseServer l)) l)])
      (phase, Just [5]) | phase `elem` [Requesting, Renewing, Rebinding]
                        , Just l <- lease m
                        , expected l phase ->
        (d { dPhase = Bound, dLease = Just l, dTries = 0, dNext = leaseRenew l }
        , [DhcpTake l])
      (phase, Just [6]) | phase `elem` [Requesting, Renewing, Rebinding] ->
        ( d { dPhase = Init, dLease = Nothing, dTries = 1
            , dNext = now + seconds 1 }
        , [DhcpGiveBack | phase /= Requesting] )
      _ -> (d, [])
  _ -> (d, [])
  where
    expected l phase = fmap leaseAddr (dLease d) == Just (leaseAddr l)
      && (phase /= Requesting
          || fmap leaseServer (dLease d) == Just (leaseServer l))
    lease m
      | isAny (dmYours m) || isMulticast (dmYours m)
        || isBroadcastV4 (dmYours m) || isLoopback (dmYours m) = Nothing
      | otherwise = do
          server <- case (messageOption 54 m, dLease d) of
            (Just o, _) | B.length o == 4 -> Just (addrV4 o 0)
            (_, Just l) -> Just (leaseServer l)
            _ -> Nothing
          let time code fallback = case messageOption code m of
                Just o | B.length o == 4 -> fromIntegral (u32 o 0)
                _ -> fallback
              total = max 60 (time 51 3600)
              t2 = min total (max 1 (time 59 (total * 7 `quot` 8)))
              t1 = min t2 (max 1 (time 58 (total `quot` 2)))
              forever = total == 0xffffffff
              at t = if forever then never else now + seconds t
          Just Lease
            { leaseAddr = dmYours m
            , leasePrefix = case messageOption 1 m of
                Just o | B.length o == 4 -> popCount (u32 o 0)
                _ -> classful (dmYours m)
            , leaseRouters = addresses (messageOption 3 m)
            , leaseDns = take 4 (addresses (messageOption 6 m))
            , leaseMtu = case messageOption 26 m of
                Just o | B.length o == 2, u16 o 0 >= 576 ->
                  Just (fromIntegral (u16 o 0))
                _ -> Nothing
            , leaseServer = server
            , leaseRenew = at t1, leaseRebind = at t2, leaseEnd = at total
            }
    classful (V4 a) | not (testBit a 31) = 8
                    | not (testBit a 30) = 16
    classful _ = 24

addresses :: Maybe ByteString -> [Addr]
addresses = go . fromMaybe B.empty
  where go o | B.length o < 4 = []
             | otherwise = addrV4 o 0 : go (B.drop 4 o)

-- | Somebody else has the address that was just taken.
dhcpDecline :: Time -> Dhcp -> (Dhcp, [DhcpOut])
dhcpDecline now d = case dLease d of
  Nothing -> (d, [])
  Just l ->
    ( d { dPhase = Init, dLease = Nothing, dTries = 2, dNext = now + seconds 10 }
    , [ DhcpBroadcast (message now d 4
          [(50, addrBytes (leaseAddr l)), (54, addrBytes (leaseServer l))])
      , DhcpGiveBack ] )

addrBytes :: Addr -> ByteString
addrBytes = runPut . putAddr

request :: Time -> Dhcp -> Maybe Addr -> Lease -> ByteString
request now d server l = case server of
  Just s -> message now d 3
    [(50, addrBytes (leaseAddr l)), (54, addrBytes s)]
  -- Renewing and rebinding: the address is in ciaddr, and 54 must not be.
  Nothing -> runPut (putDhcp (basic now d 3) { dmClient = leaseAddr l })

message :: Time -> Dhcp -> Word8 -> [(Word8, ByteString)] -> ByteString
message now d kind more =
  let m = basic now d kind in runPut (putDhcp m { dmOptions = dmOptions m ++ more })

basic :: Time -> Dhcp -> Word8 -> DhcpMessage
basic now d kind = DhcpMessage
  { dmOp = 1
  , dmXid = dXid d
  , dmSeconds = fromIntegral (min 65535 ((now - dBegan d) `quot` 1000000))
  , dmFlags = 0x8000
  , dmClient = anyV4
  , dmYours = anyV4
  , dmMac = dMac d
  , dmOptions =
      [ (53, B.singleton kind)
      , (61, B.cons 1 (runPut (putMac (dMac d))))
      , (57, B.pack [5, 192]) ]
      ++ [(12, dHost d) | not (B.null (dHost d))]
      ++ [(55, B.pack [1, 3, 6, 15, 26, 51, 58, 59]) | kind /= 4]
  }

-- | A message of either direction. Options in their order, each once.
data DhcpMessage = DhcpMessage
  { dmOp :: Word8 -- ^ 1: to the server
  , dmXid :: Word32
  , dmSeconds :: Word16
  , dmFlags :: Word16
  , dmClient :: Addr
  , dmYours :: Addr
  , dmMac :: Mac
  , dmOptions :: [(Word8, ByteString)]
  } deriving (Eq, Show)

messageOption :: Word8 -> DhcpMessage -> Maybe ByteString
messageOption code m = lookup code (dmOptions m)

decodeDhcp :: ByteString -> Maybe DhcpMessage
decodeDhcp b
  | B.length b < 240 || u8 b 1 /= 1 || u8 b 2 /= 6 = Nothing
  | u32 b 236 /= 0x63825363 = Nothing
  | otherwise = Just DhcpMessage
      { dmOp = u8 b 0, dmXid = u32 b 4, dmSeconds = u16 b 8, dmFlags = u16 b 10
      , dmClient = addrV4 b 12, dmYours = addrV4 b 16, dmMac = macAt b 28
      , dmOptions = options (64 :: Int) (B.drop 240 b) }
  where
    options n o
      | n == 0 || B.null o || u8 o 0 == 255 = []
      | u8 o 0 == 0 = options n (B.drop 1 o)
      | B.length o < 2 || B.length o < 2 + size = []
      | otherwise = (u8 o 0, B.take size (B.drop 2 o))
          : options (n - 1) (B.drop (2 + size) o)
      where size = fromIntegral (u8 o 1)

-- | At least 300 bytes, as BOOTP relays expect.
putDhcp :: DhcpMessage -> Put
putDhcp m = whole <> putZeros (max 0 (300 - putSize whole))
  where
    whole = put8 (dmOp m) <> put8 1 <> put8 6 <> put8 0 <> put32 (dmXid m)
      <> put16 (dmSeconds m) <> put16 (dmFlags m)
      <> putAddr (dmClient m) <> putAddr (dmYours m) <> put32 0 <> put32 0
      <> putMac (dmMac m) <> putZeros 10 <> putZeros 192
      <> put32 0x63825363
      <> foldMap (\(k, o) -> put8 k <> put8 (fromIntegral (B.length o))
                   <> putBytes o) (dmOptions m)
      <> put8 255
