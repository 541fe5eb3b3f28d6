-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns, StrictData #-}
-- |
-- Module: HaLVM.Net.Stack.Input
--
-- The way up: from a frame to a socket. Nothing here trusts a byte of it.
module HaLVM.Net.Stack.Input
  ( frameArrives, drainLoop
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.IntMap.Strict as I
import qualified Data.Map.Strict as M
import Data.Sequence ((|>), ViewL (..), viewl)
import qualified Data.Sequence as S
import Data.Word

import HaLVM.Net.Arp
import HaLVM.Net.Bytes
import HaLVM.Net.Checksum
import HaLVM.Net.Dhcp (dhcpReceive)
import HaLVM.Net.Ethernet
import HaLVM.Net.Icmp
import HaLVM.Net.Ipv4
import HaLVM.Net.Ipv4.Reassembly
import HaLVM.Net.Ipv6
import HaLVM.Net.Nat
import HaLVM.Net.Ndp
import HaLVM.Net.Offload
import HaLVM.Net.Persona
import HaLVM.Net.Stack.Addresses
import HaLVM.Net.Stack.Connections
import HaLVM.Net.Stack.Link
import HaLVM.Net.Stack.State
import HaLVM.Net.Tcp
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Types
import HaLVM.Net.Udp

-- | A frame from an interface.
frameArrives :: Time -> Int -> ByteString -> Stack -> Stack
frameArrives now index frame s = case ifaceAt index s of
  Nothing -> s
  Just i
    | ifcLarge (ifConfig i) > 0 -> case splitOffload frame of
        Just (good, rest) -> etherArrives now i (readEther good rest) s
        Nothing -> s
    | otherwise -> etherArrives now i (decodeEther frame) s

etherArrives :: Time -> Iface -> Maybe Ether -> Stack -> Stack
etherArrives now i decoded s = case decoded of
  Just e
    | isGroupMac (etherSource e) -> s
    | etherTarget e `notElem` ifMacs i && not (isGroupMac (etherTarget e)) -> s
    | etherType e == typeIpv4 -> ipv4Arrives now index e (etherPayload e) s
    | etherType e == typeIpv6 -> ipv6Arrives now index e (etherPayload e) s
    | etherType e == typeArp -> arpArrives now i (etherPayload e) s
  _ -> s
  where index = ifIndex i

-- | Packets that we sent to ourselves; those that they lead to stay for a
-- later call.
drainLoop :: Time -> Stack -> Stack
drainLoop now s0
  | S.null (sLoop s0) = s0
  | otherwise = go s0 { sLoop = S.empty } (sLoop s0)
  where
    go s q = case viewl q of
      EmptyL -> s
      (_, kind, packet) :< rest
        | kind == typeIpv4 -> go (ipv4Arrives now 0 loopEther packet s) rest
        | otherwise -> go (ipv6Arrives now 0 loopEther packet s) rest
    -- Nothing that could damage them.
    loopEther = Ether (Mac 0) (Mac 0) 0 B.empty True

-- -- ARP

arpArrives :: Time -> Iface -> ByteString -> Stack -> Stack
arpArrives now i bytes s = case decodeArp bytes of
  Nothing -> s
  Just a
    | isGroupMac (arpSenderMac a) -> s
    -- Somebody else has an address of ours.
    | not (isAny (arpSender a)), Just mine <- ours (arpSender a) ->
        if arpSenderMac a == iaMac mine then s
        else addressTaken now index mine s
    | otherwise ->
        let mine = ours (arpTarget a)
            known = not (isAny (arpSender a)) && not (isMulticast (arpSender a))
              && onLink (arpSender a)
            s1 | known = learnNeighbour now index (maybe False (const True) mine)
                   (arpSender a) (arpSenderMac a) s
               | otherwise = s
        in case mine of
             Just m | arpOp a == ArpRequest, iaTentative m == 0 ->
               touch now TouchArp (Endpoint (arpSender a) 0)
                 (Endpoint (arpTarget a) 0) True $
               sendFrame index (arpSenderMac a) (iaMac m) typeArp
                 (putArp (Arp ArpReply (iaMac m) (arpTarget a)
                            (arpSenderMac a) (arpSender a))) s1
             _ -> s1
  where
    index = ifIndex i
    ours a = case localAddr a s of
      Just m | iaIface m == index -> Just m
      _ -> Nothing
    onLink a = any (\m -> inPrefix (Prefix (iaAddr m) (iaPrefix m)) a) (ifAddrs i)

-- -- IPv4

ipv4Arrives :: Time -> Int -> Ether -> ByteString -> Stack -> Stack
ipv4Arrives now index e bytes s = case decodeIpv4 bytes of
  Nothing -> s
  Just h
    | badSource h -> s
    | ip4Offset h == 0 && ip4Flags h < flagMf || ip4Flags h == flagDf
        && ip4Offset h == 0 -> whole h (ip4Payload h) s
    | otherwise ->
        let key = FragKey (ip4Source h) (ip4Target h) (ip4Proto h)
                    (fromIntegral (ip4Id h))
            piece = Piece (ip4Offset h) (ip4Flags h >= flagMf && more h)
                      (ip4Payload h)
        in fragmentArrives now key piece (put e { etherGood = False } h) s
  where
    whole = put e
    more h = ip4Flags h == flagMf || ip4Flags h == flagMf + flagDf
    badSource h = let a = ip4Source h in
      isMulticast a || isBroadcastV4 a || (index /= 0 && isLoopback a)
        || (index /= 0 && isLoopback (ip4Target h))
    put ether h payload x = deliver now index ether bytes
      (ip4Source h) (ip4Target h) (ip4Proto h) (ip4Ttl h) payload x

fragmentArrives :: Time -> FragKey -> Piece -> (ByteString -> Stack -> Stack)
                -> Stack -> Stack
fragmentArrives now key piece use s =
  let (r, done) = addPiece now key piece (sFragments s)
      s1 = setTimer timerFragments (now + lifetime) s { sFragments = r }
  in case done of
       Just payload -> use payload s1
       Nothing -> s1

ipv6Arrives :: Time -> Int -> Ether -> ByteString -> Stack -> Stack
ipv6Arrives now index e bytes s = case decodeIpv6 bytes of
  Nothing -> s
  Just h
    | isMulticast (ip6Source h) -> s
    | index /= 0 && (isLoopback (ip6Source h) || isLoopback (ip6Target h)) -> s
    | otherwise -> case ip6Fragment h of
        Nothing -> deliver now index e bytes (ip6Source h) (ip6Target h)
          (ip6Proto h) (ip6Hops h) (ip6Payload h) s
        Just f -> fragmentArrives now
          (FragKey (ip6Source h) (ip6Target h) 44 (frag6Id f))
          (Piece (frag6Offset f) (frag6More f) (ip6Payload h))
          (\payload x -> case skipHeaders (ip6Proto h) payload of
              Just (proto, Nothing, rest) ->
                deliver now index e { etherGood = False } bytes (ip6Source h) (ip6Target h) proto
                  (ip6Hops h) rest x
              _ -> x) s

-- -- Both

-- Whom a packet is for: us, many, or nobody here.
data Aim = Us IfAddr | Many | Elsewhere

aimOf :: Int -> Addr -> Stack -> Aim
aimOf index target s
  | Just a <- localAddr target s =
      -- An address belongs to its interface: a packet for it through another
      -- one is spoofed, or misrouted (the strong model, RFC 1122, 3.3.4.2).
      if iaIface a == index || index == 0 then
        if iaTentative a == 0 then Us a else Elsewhere
      else Elsewhere
  | index == 0 && isLoopback target =
      maybe Elsewhere Us (localAddr (V4 0x7f000001) s)
  | isMulticast target || isBroadcastV4 target = Many
  | Just i <- ifaceAt index s
  , any (\a -> directedBroadcast (Prefix (iaAddr a) (iaPrefix a)) == Just target)
      (ifAddrs i) = Many
  | otherwise = Elsewhere
{-# INLINE aimOf #-}

-- A whole packet: interface, frame, packet, source, target, protocol, hops
-- left, payload.
deliver :: Time -> Int -> Ether -> ByteString -> Addr -> Addr -> Word8 -> Word8
        -> ByteString -> Stack -> Stack
deliver now index e packet source target proto hops payload s =
  case aimOf index target s of
    Us a -> case proto of
      6 -> natFirst Tcp (tcpArrives now good source target a payload) s
      17 | isDhcp -> dhcpArrives now index payload s
         | otherwise -> natFirst Udp (udpArrives now index good packet source target
                                        (Just a) payload) s
      1 | isV4 target -> icmpArrives now index e source target (Just a) payload s
      58 | not (isV4 target) ->
             icmp6Arrives now index e source target (Just a) hops payload s
      59 -> s
      _ | personaClosed (iaPersona a) == ClosedAnswers ->
            touch now TouchOther (Endpoint source 0) (Endpoint target 0) False
              (icmpError now target source NoProtocol packet s)
        | otherwise -> s
    Many -> case proto of
      17 | isDhcp -> dhcpArrives now index payload s
         | otherwise -> udpArrives now index good packet source target Nothing payload s
      1 | isV4 target -> icmpArrives now index e source target Nothing payload s
      58 | not (isV4 target) ->
             icmp6Arrives now index e source target Nothing hops payload s
      _ -> s
    Elsewhere
      | proto == 17, isDhcp -> dhcpArrives now index payload s
      | otherwise -> s
  where
    good = etherGood e
    isDhcp = isV4 target && B.length payload >= 8 && u16 payload 2 == 68
      && u16 payload 0 == 67
    natFirst p use x
      | not (isV4 target) || B.length payload < 8 = use x
      | natOwns p from to (sNat x) =
          foldl (\y b -> forwarded now p from to hops b y) x
            (if good then summed p source target mtu payload else [payload])
      | otherwise = use x
      where
        from = Endpoint source (u16 payload 0)
        to = Endpoint target (u16 payload 2)
    mtu = maybe 1500 ifMtu (ifaceAt index s)

-- What may be large and may have no checksum, in packets that have one.
summed :: Proto -> Addr -> Addr -> Int -> ByteString -> [ByteString]
summed Tcp source target mtu b = case readSegment True source target b of
  Just g | B.length b > mtu - ipv4Size ->
    [ runPut (putSegment [] source target piece)
    | piece <- cutSegment (mtu - ipv4Size - B.length b
                             + B.length (segPayload g)) g ]
  _ -> [withSum 16 6 source target b]
summed Udp source target _ b = [withSum 6 17 source target b]

-- The checksum at this place of a packet of this protocol.
withSum :: Int -> Word8 -> Addr -> Addr -> ByteString -> ByteString
withSum at proto source target b
  | B.length b < at + 2 = b
  | otherwise = put (finish (sumBytes (put 0) + pseudo source target proto (B.length b)))
  where
    put w = runPut (putBytes (B.take at b) <> put16 w <> putBytes (B.drop (at + 2) b))

forwarded :: Time -> Proto -> Endpoint -> Endpoint -> Word8 -> ByteString
          -> Stack -> Stack
forwarded now proto from to hops payload s
  | hops <= 1 = s
  | otherwise = case translate now source proto from to flags (sNat s) of
      Just (t@(Translated from' to'), nat)
        | Just body <- rewrite proto (from, to) t payload ->
            sendRaw now Ipv4
              { ip4Tos = 0, ip4Id = 0, ip4Flags = flagDf, ip4Offset = 0
              , ip4Ttl = hops - 1, ip4Proto = protoNumber proto
              , ip4Source = endAddr from', ip4Target = endAddr to'
              , ip4Payload = B.empty } body
              (setTimer timerNat (natNext now nat) s { sNat = nat })
      _ -> s
  where
    source a = sourceFor now a s
    flags | B.length payload >= 20 = u8 payload 13
          | otherwise = 0

dhcpArrives :: Time -> Int -> ByteString -> Stack -> Stack
dhcpArrives now index payload s = case ifaceAt index s >>= ifDhcp of
  Just d | B.length payload > 8 ->
    let (d', outs) = dhcpReceive now (B.drop 8 payload) d
    in dhcpDo now index outs (modifyIface index (\i -> i { ifDhcp = Just d' }) s)
  _ -> s

-- -- ICMP

icmpArrives :: Time -> Int -> Ether -> Addr -> Addr -> Maybe IfAddr -> ByteString
            -> Stack -> Stack
icmpArrives now _ _ source target ours payload s = case decodeIcmp4 payload of
  Just (Echo code rest)
    | isAny source -> s
    | Just (from, a) <- answering ->
        seen TouchPing (reply from (EchoReply (if personaEchoCode a then code else 0) rest) s)
  Just (TimestampRequest rest)
    | Just a <- ours, personaTimestampReply (iaPersona a) ->
        reply target (TimestampReply rest
          (fromIntegral ((now `quot` 1000) `rem` 86400000))) s
  Just (Unreachable why quoted) | Just _ <- ours ->
    errorFor now why (quote4 quoted) s
  Just (TimeExceeded quoted) | Just _ <- ours ->
    errorFor now NoHost (quote4 quoted) s
  _ -> s
  where
    answering = case ours of
      Just a | personaEcho (iaPersona a) -> Just (target, iaPersona a)
             | otherwise -> Nothing
      Nothing -> case sourceFor now source s of
        Just from | p <- indexSource from s, personaEchoBroadcast p
                  , personaEcho p, not (isLoopback from) -> Just (from, p)
        _ -> Nothing
    seen kind = touch now kind (Endpoint source 0) (Endpoint target 0) True
    reply from icmp = sendPacket now Packet
      { pkSource = from, pkTarget = source, pkProto = 1, pkWhole = False
      , pkHops = 0, pkLeft = Nothing, pkBody = putIcmp4 icmp }

icmp6Arrives :: Time -> Int -> Ether -> Addr -> Addr -> Maybe IfAddr -> Word8
             -> ByteString -> Stack -> Stack
icmp6Arrives now index e source target ours hops payload s =
  case decodeIcmp6 source target payload of
    Just (Echo code rest)
      | isAny source -> s
      | Just from <- answering -> sendPacket now Packet
          { pkSource = from, pkTarget = source, pkProto = 58, pkWhole = False
          , pkHops = 0, pkLeft = Nothing
          , pkBody = putIcmp6 from source (EchoReply code rest) }
          (touch now TouchPing (Endpoint source 0) (Endpoint target 0) True s)
    Just (Unreachable why quoted) | Just _ <- ours ->
      errorFor now why (quote6 quoted) s
    Just (TimeExceeded quoted) | Just _ <- ours ->
      errorFor now NoHost (quote6 quoted) s
    Just (OtherIcmp kind _ _)
      | kind >= 133, kind <= 137, hops == 255, index /= 0
      , Just ndp <- decodeNdp payload -> ndpArrives now index e source target ndp s
    _ -> s
  where
    answering = case ours of
      Just a | personaEcho (iaPersona a) -> Just target
             | otherwise -> Nothing
      Nothing -> case sourceFor now source s of
        Just from | personaEcho (indexSource from s)
                  , personaEchoBroadcast (indexSource from s)
                    || target == linkLocalAll -> Just from
        _ -> Nothing

-- What an ICMP error quotes: protocol, our end, theirs, sequence number.
data Quoted = Quoted Word8 Endpoint Endpoint Word32

quote4 :: ByteString -> Maybe Quoted
quote4 b
  | B.length b < 28 || u8 b 0 `quot` 16 /= 4 = Nothing
  | header < 20 || B.length b < header + 8 = Nothing
  | otherwise = Just (Quoted (u8 b 9) (Endpoint (addrV4 b 12) (u16 b header))
      (Endpoint (addrV4 b 16) (u16 b (header + 2))) (u32 b (header + 4)))
  where header = fromIntegral (u8 b 0 `rem` 16) * 4

quote6 :: ByteString -> Maybe Quoted
quote6 b
  | B.length b < 48 || u8 b 0 `quot` 16 /= 6 = Nothing
  | otherwise = Just (Quoted (u8 b 6) (Endpoint (addrV6 b 8) (u16 b 40))
      (Endpoint (addrV6 b 24) (u16 b 42)) (u32 b 44))

-- Tells a socket. Of a connection that is open, only a smaller MTU is believed
-- (RFC 5927), and that only for what is under way.
errorFor :: Time -> Unreach -> Maybe Quoted -> Stack -> Stack
errorFor _ _ Nothing s = s
errorFor now why (Just (Quoted proto local remote sq)) s
  | proto == 6, Just i <- M.lookup (connKey local remote) (sConns s)
  , Just sk <- I.lookup i (sSockets s), Stream t <- skBody sk = case why of
      TooBig mtu | sq `minus` tUna t >= 0, before sq (tNxt t) ->
        let mtu' = max least (if mtu == 0 then least else mtu)
            header = if isV4 (endAddr local) then 40 else 60
            others | mtu' < pathMtu now (endAddr remote) s =
                       narrow now (== endAddr remote)
                   | otherwise = id
        in others $ storeBlock now i sk (pathTooSmall now sq (mtu' - header) t)
             (learnMtu now (endAddr remote) mtu' s)
      _ | tState t == SynSent, sq == tIss t, hard ->
            storeBlock now i sk (closedWith (Just reason) t) s
        | otherwise -> s
  -- What is larger goes in fragments from now on: nobody's mistake.
  | proto == 17, TooBig mtu <- why, not (isV4 (endAddr local))
  , _ : _ <- datagramsFor local (Just remote) s =
      learnMtu now (endAddr remote) (max least mtu) s
  | proto == 17, (i, sk, d) : _ <- datagramsFor local (Just remote) s
  , dgRemote d == Just remote =
      refresh i sk { skBody = Datagram d { dgError = Just reason } } s
  | otherwise = s
  where
    least = if isV4 (endAddr local) then 576 else 1280
    hard = why `elem` [NoPort, NoProtocol, Prohibited, NoHost, NoRoute]
    reason = case why of
      NoPort -> Refused
      NoHost -> HostUnreachable
      TooBig _ -> MessageSize
      NoProtocol -> Refused
      _ -> NetUnreachable

-- At most 256 paths, for ten minutes (RFC 1191, 6.3). Never more than is known
-- (RFC 8201, 4).
learnMtu :: Time -> Addr -> Int -> Stack -> Stack
learnMtu now target mtu s
  | M.size known >= 256 && M.notMember target known = s
  | otherwise = s { sPathMtu = M.insert target
      (min mtu (pathMtu now target s), now + seconds 600) known }
  where known = M.filter ((> now) . snd) (sPathMtu s)

-- -- TCP

tcpArrives :: Time -> Bool -> Addr -> Addr -> IfAddr -> ByteString -> Stack -> Stack
tcpArrives now good source target a payload s = case readSegment good source target payload of
  Nothing -> s
  Just g
    | isAny source -> s
    | otherwise ->
        let local = Endpoint target (segTarget g)
            remote = Endpoint source (segSource g)
        in case M.lookup (connKey local remote) (sConns s) of
             Just i | Just sk <- I.lookup i (sSockets s), Stream t <- skBody sk
                    -> known i sk t local remote g
             _ -> unknown local remote g s
  where
    known i sk t local remote g
      -- A new connection with the ends of one that is over (RFC 9293, 3.10.7.8;
      -- RFC 6191).
      | tState t == TimeWait, hasSyn g, not (hasAck g), not (hasRst g)
      , before (tRcvNxt t) (segSeq g)
      , Just l <- findListener local s =
          let s1 | skUser sk = s { sConns = M.delete (connKey local remote) (sConns s)
                                 , sSockets = I.insert i
                                     sk { skBody = Stream (closedWith Nothing t) }
                                     (sSockets s) }
                 | otherwise = removeSocket i s
          in touched g local remote True (acceptSyn now local remote g l s1)
      | otherwise =
          let t' = batchArrives now g t
          in if null (tOut t') && tState t' == tState t && not (tSaySyn t')
               then storeQuiet i sk t' s
               else storeBlock now i sk (flush now t') s

    unknown local remote g x
      | hasRst g = x
      | otherwise = case findListener local x of
          Just l
            | hasSyn g && not (hasAck g) ->
                touched g local remote True (acceptSyn now local remote g l x)
            | Just x' <- acceptCookie now local remote g l x -> x'
          _ -> touched g local remote False (refuse local remote g x)

    refuse local remote g x
      | personaClosed (iaPersona a) == ClosedSilent = x
      | otherwise = case spend now x of
          Nothing -> x
          Just x' -> sendPacket now Packet
            { pkSource = endAddr local, pkTarget = endAddr remote, pkProto = 6
            , pkWhole = personaDf (iaPersona a), pkHops = 0, pkLeft = Nothing
            , pkBody = putSegment [] (endAddr local) (endAddr remote)
                         (resetSegment g) } x'

    touched g local remote open x
      | hasSyn g = touch now TouchTcp remote local open x
      | otherwise = x

-- -- UDP

udpArrives :: Time -> Int -> Bool -> ByteString -> Addr -> Addr
           -> Maybe IfAddr -> ByteString -> Stack -> Stack
udpArrives now index good packet source target ours payload s =
  case readUdp good source target payload of
    Nothing -> s
    Just u ->
      let local = Endpoint target (udpTarget u)
          remote = Endpoint source (udpSource u)
          found = datagramsFor local (Just remote) s
          chosen = case ours of { Just _ -> take 1 found; Nothing -> found }
          seen = case ours of
            Just _ -> touch now TouchUdp remote local (not (null found)) s
            Nothing -> s
      in case (chosen, ours) of
           ([], Just a)
             | personaClosed (iaPersona a) == ClosedAnswers ->
                 icmpError now target source NoPort packet seen
             | otherwise -> seen
           _ -> foldl (queue local remote (udpPayload u)) seen chosen
  where
    queue local remote bytes x (i, sk, d)
      | dgBytes d + size > dgLimit d || S.length (dgQueue d) >= 1024 =
          refresh i sk { skBody = Datagram d { dgDropped = dgDropped d + 1 } } x
      | otherwise = refresh i sk { skBody = Datagram d
          { dgQueue = dgQueue d |> (remote, local, way, bytes)
          , dgBytes = dgBytes d + size } } x
      where size = B.length bytes + 256
    -- decoded already, so its header is there
    way | isV4 target = Way index (u8 packet 8) (u8 packet 1)
        | otherwise = Way index (u8 packet 7)
            (u8 packet 0 * 16 + u8 packet 1 `quot` 16)

-- Sockets for a datagram, the best match first.
datagramsFor :: Endpoint -> Maybe Endpoint -> Stack -> [(SockId, Socket, Datagrams)]
datagramsFor to from s =
  [ f | f@(_, _, d) <- found, dgRemote d == from, dgRemote d /= Nothing ]
  ++ [ f | f@(_, sk, d) <- found, dgRemote d == Nothing
         , not (isAny (endAddr (skLocal sk))) ]
  ++ [ f | f@(_, sk, d) <- found, dgRemote d == Nothing
         , isAny (endAddr (skLocal sk)) ]
  where
    ids = M.findWithDefault [] (Udp, endPort to) (sBound s)
    found = [ (i, sk, d) | i <- ids, Just sk <- [I.lookup i (sSockets s)]
                         , Datagram d <- [skBody sk], takesFrom sk ]
    takesFrom sk
      | isAny a = isV4 a == isV4 (endAddr to)
          || (not (isV4 a) && not (skOnlyV6 sk))
      | otherwise = a == endAddr to || isMulticast (endAddr to)
          || isBroadcastV4 (endAddr to)
      where a = endAddr (skLocal sk)
