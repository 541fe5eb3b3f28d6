-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Stack.Link
--
-- The way down: from a packet's payload to a frame. Routes, neighbours,
-- fragments, and packets to ourselves.
module HaLVM.Net.Stack.Link
  ( -- * Packets
    Packet (..), Leaving (..), sendPacket, sendRaw, sourceFor, routeFor, pathMtu, sendFrame
    -- * Questions and answers
  , ask, neighbourTick, learnNeighbour, icmpError, sendIcmp6, armNeighbours
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.Bits
import Data.List (find)
import qualified Data.Map.Strict as M
import Data.Sequence ((|>))
import qualified Data.Sequence as S
import Data.Word

import HaLVM.Net.Arp
import HaLVM.Net.Bytes
import HaLVM.Net.Ethernet
import HaLVM.Net.Icmp
import HaLVM.Net.Ipv4
import HaLVM.Net.Ipv6
import HaLVM.Net.Ndp
import HaLVM.Net.Offload
import HaLVM.Net.Neighbour hiding (size)
import HaLVM.Net.Persona
import HaLVM.Net.Route
import HaLVM.Net.Stack.State
import HaLVM.Net.Types

-- | A packet without its IP header.
data Packet = Packet
  { pkSource :: Addr
  , pkTarget :: Addr
  , pkProto :: Word8
  , pkWhole :: Bool  -- ^ must not be fragmented by routers
  , pkHops :: Word8  -- ^ 0: as the source's persona has it
  , pkBody :: ~Put
  , pkLeft :: Maybe Leaving
  }

-- | How a segment of TCP goes to an interface that does a part of the work, and
-- what it is in pieces if the interface does not, or if it is too large.
data Leaving = Leaving
  { lvBody :: Put      -- ^ without its checksum
  , lvCut :: Int       -- ^ of TCP's data, in each piece; 0: there is one
  , lvHeader :: Int    -- ^ bytes of TCP's header
  , lvPieces :: ~[Put] -- ^ with checksums; at least one
  }

-- | The route to a target, from the interface of a link-local source if that
-- is one.
routeFor :: Addr -> Addr -> Stack -> Maybe Route
routeFor source target s
  | isLinkLocal target || isMulticast target || isBroadcastV4 target
  , Just i <- ownIface = Just (Route (Prefix target 128) Nothing i never)
  | otherwise = lookupRoute target (sRoutes s)
  where
    ownIface = case M.lookup source (sLocal s) of
      Just a | iaIface a /= 0 -> Just (iaIface a)
      _ -> fst <$> M.lookupMin (M.fromList [(iaIface a, ()) | a <- M.elems (sLocal s)
                                           , iaIface a /= 0])

-- | The address that a packet to this target has as its source: of the
-- route's interface, of the same scope, in the same network if possible (a
-- short form of RFC 6724).
sourceFor :: Time -> Addr -> Stack -> Maybe Addr
sourceFor now target s
  | Just _ <- M.lookup target (sLocal s) = Just target
  | isLoopback target = Just target
  | otherwise = do
      r <- routeFor target target s
      i <- ifaceAt (routeInterface r) s
      let usable = [ a | a <- ifAddrs i, isV4 (iaAddr a) == isV4 target
                       , iaTentative a == 0, iaValid a > now ]
          local = isLinkLocal target || isMulticast target
          scoped = filter ((== local) . isLinkLocal . iaAddr) usable
          near = filter (\a -> inPrefix (Prefix (iaAddr a) (iaPrefix a)) target)
          fresh = filter ((> now) . iaPreferred)
          firstOf = find (not . null)
      as <- firstOf [near (fresh scoped), fresh scoped, scoped, usable]
      Just (iaAddr (head as))

-- | The largest IP packet for a target.
pathMtu :: Time -> Addr -> Stack -> Int
pathMtu now target s = case M.lookup target (sPathMtu s) of
  Just (mtu, til) | til > now -> min mtu link
  _ -> link
  where
    link = case lookupRoute target (sRoutes s) >>= \r -> ifaceAt (routeInterface r) s of
      Just i -> ifMtu i
      Nothing -> 1500

-- | Sends a packet. What has no route is dropped.
sendPacket :: Time -> Packet -> Stack -> Stack
sendPacket now p s
  | M.member target (sLocal s) || isLoopback target = loop
  | otherwise = case routeFor (pkSource p) target s of
      Nothing -> s
      Just r -> case ifaceAt (routeInterface r) s of
        Nothing -> s
        Just i -> viaIface i (maybe target id (routeVia r))
  where
    target = pkTarget p
    persona = indexSource (pkSource p) s
    v4 = isV4 target
    header = if v4 then ipv4Size else ipv6Size
    size = header + putSize (pkBody p)
    kind = if v4 then typeIpv4 else typeIpv6

    loop
      | S.length (sLoop s) >= 1024 = s
      | otherwise = let (packet, s') = whole (pkBody p) s in
          s' { sLoop = sLoop s' |> (0, kind, runPut packet) }

    viaIface i hop = case pkLeft p of
      Just l
        | ifcLarge (ifConfig i) >= etherSize + size
        , lvCut l > 0 || size <= mtuOf i
        , (Just mac, Nothing, _) <- resolve now hop unasked (ifNeighbours i) ->
            let (packet, s') = whole (lvBody l) s
            in sendLeft (ifIndex i) mac (sourceMac i) kind (leaving l) packet
                 (skipIds (lvPieces l) s')
        | _ : _ : _ <- lvPieces l ->
            foldl (\x piece -> plainly i hop piece x) s (lvPieces l)
      _ -> plainly i hop (pkBody p) s

    plainly i hop body x
      | header + putSize body <= most =
          let (packet, x') = whole body x
          in toLink now i (sourceMac i) hop kind packet x'
      | v4 && pkWhole p = x
      | otherwise = fragments now i (sourceMac i) hop (mtuOf i) p { pkBody = body } x
      -- What must stay whole is the path's to refuse: by that, whoever sent it
      -- hears how much the path takes.
      where most = if v4 && pkWhole p then ifMtu i else mtuOf i

    mtuOf i = min (ifMtu i) (pathMtu now target s)
    sourceMac i = maybe (ifcMac (ifConfig i)) iaMac (localAddr (pkSource p) s)
    unasked () = Waiting kind (Mac 0) B.empty

    leaving l
      | lvCut l > 0 = Cut at 16 (at + lvHeader l) (lvCut l) (not v4)
      | otherwise = Sum at 16
      where at = etherSize + header
    -- The interface counts on from the large packet's.
    skipIds pieces x
      | IpIdCount <- personaIpId persona =
          x { sIpId = sIpId x + fromIntegral (length pieces - 1) }
      | otherwise = x

    whole body st
      | v4 = let (ident, st') = identify persona (pkWhole p) st
             in (putIpv4 (header4 p persona ident (pkWhole p)) body, st')
      | otherwise =
          ( putIpv6 (if pkHops p == 0 then personaHops persona else pkHops p)
              (pkProto p) (pkSource p) target body
          , st )

header4 :: Packet -> Persona -> Word16 -> Bool -> Ipv4
header4 p persona ident df = Ipv4
  { ip4Tos = 0
  , ip4Id = ident
  , ip4Flags = if df then flagDf else 0
  , ip4Offset = 0
  , ip4Ttl = if pkHops p == 0 then personaTtl persona else pkHops p
  , ip4Proto = pkProto p
  , ip4Source = pkSource p
  , ip4Target = pkTarget p
  , ip4Payload = B.empty
  }

identify :: Persona -> Bool -> Stack -> (Word16, Stack)
identify persona df s = case personaIpId persona of
  IpIdZero | df -> (0, s)
  IpIdCount -> (sIpId s, s { sIpId = sIpId s + 1 })
  _ -> let (w, s') = random32 s in (fromIntegral w, s')

-- Cuts a packet that is larger than the link (RFC 791; RFC 8200, 4.5).
fragments :: Time -> Iface -> Mac -> Addr -> Int -> Packet -> Stack -> Stack
fragments now i source hop mtu p s0
  | B.length body > 65515 = s0
  | isV4 (pkTarget p) = go4 0 s1
  | otherwise = go6 0 s1
  where
    body = runPut (pkBody p)
    persona = indexSource (pkSource p) s0
    (ident, s1) = random32 s0
    go4 at s
      | at >= B.length body = s
      | otherwise =
          let room = (mtu - ipv4Size) .&. complement 7
              piece = B.take room (B.drop at body)
              more = at + B.length piece < B.length body
              h = (header4 p persona (fromIntegral ident) False)
                    { ip4Offset = at, ip4Flags = if more then flagMf else 0 }
          in go4 (at + B.length piece)
               (toLink now i source hop typeIpv4 (putIpv4 h (putBytes piece)) s)
    go6 at s
      | at >= B.length body = s
      | otherwise =
          let room = (max 1280 mtu - ipv6Size - 8) .&. complement 7
              piece = B.take room (B.drop at body)
              more = at + B.length piece < B.length body
              f = put8 (pkProto p) <> put8 0
                <> put16 (fromIntegral at .|. (if more then 1 else 0))
                <> put32 ident <> putBytes piece
          in go6 (at + B.length piece) $ toLink now i source hop typeIpv6
               (putIpv6 (personaHops persona) 44 (pkSource p) (pkTarget p) f) s

-- | An IPv4 packet whose header is ready: NAT's.
sendRaw :: Time -> Ipv4 -> Put -> Stack -> Stack
sendRaw now h body s = case lookupRoute (ip4Target h) (sRoutes s) of
  Just r | Just i <- ifaceAt (routeInterface r) s
         , putSize body + ipv4Size <= ifMtu i ->
    toLink now i (maybe (ifcMac (ifConfig i)) iaMac (localAddr (ip4Source h) s))
      (maybe (ip4Target h) id (routeVia r)) typeIpv4 (putIpv4 h body) s
  _ -> s

-- To a neighbour, or into the queue for one.
toLink :: Time -> Iface -> Mac -> Addr -> Word16 -> Put -> Stack -> Stack
toLink now i source hop kind packet s
  | isMulticast hop || isBroadcastV4 hop || directed =
      frame (multicastMac hop)
  | otherwise = case resolve now hop waiting (ifNeighbours i) of
      -- The usual case changes nothing.
      (Just mac, Nothing, _) -> frame mac
      (mac, question, ns) ->
        let s1 = modifyIface (ifIndex i) (\x -> x { ifNeighbours = ns }) s
            s2 = maybe id (ask now (ifIndex i)) question s1
            s3 = setTimer timerNeighbours (now + seconds 1) s2
        in case mac of
             Just m -> sendFrame (ifIndex i) m source kind packet s3
             Nothing -> s3
  where
    frame mac = sendFrame (ifIndex i) mac source kind packet s
    waiting () = let bytes = runPut packet
                 in bytes `seq` Waiting kind source bytes
    directed = isV4 hop && any (\a -> directedBroadcast
      (Prefix (iaAddr a) (iaPrefix a)) == Just hop) (ifAddrs i)

-- | A frame: interface, target, source, type, payload.
sendFrame :: Int -> Mac -> Mac -> Word16 -> Put -> Stack -> Stack
sendFrame i target source kind packet s
  | Just f <- ifaceAt i s, ifcLarge (ifConfig f) > 0 =
      sendLeft i target source kind Plain packet s
  | otherwise =
      let bytes = runPut (putEther target source kind <> packet)
      in bytes `seq` act (Transmit i bytes) s

-- The same with something left to the interface.
sendLeft :: Int -> Mac -> Mac -> Word16 -> Offload -> Put -> Stack -> Stack
sendLeft i target source kind left packet s =
  let bytes = runPut (putOffload left <> putEther target source kind <> packet)
  in bytes `seq` act (Transmit i bytes) s

-- | Asks for a neighbour, with an address of ours in its network if there is
-- one.
ask :: Time -> Int -> Ask -> Stack -> Stack
ask now index (Ask addr known) s = case ifaceAt index s of
  Nothing -> s
  Just i
    | isV4 addr -> case best i of
        Just a -> sendFrame index (maybe broadcastMac id known) (iaMac a) typeArp
          (putArp (Arp ArpRequest (iaMac a) (iaAddr a) (Mac 0) addr)) s
        Nothing -> s
    | otherwise -> case best i of
        Just a -> sendIcmp6 now index (iaAddr a) (iaMac a)
          (maybe (solicitedNode addr) (const addr) known) known
          (putNdp (Solicit addr (Just (iaMac a)))) s
        Nothing -> s
  where
    best i =
      let mine = [ a | a <- ifAddrs i, isV4 (iaAddr a) == isV4 addr
                     , iaTentative a == 0 ]
          near = [ a | a <- mine, inPrefix (Prefix (iaAddr a) (iaPrefix a)) addr ]
      in case near ++ mine of { a : _ -> Just a; [] -> Nothing }

-- | A message of neighbour discovery: always with a hop limit of 255, to a
-- link address or to a multicast one.
sendIcmp6 :: Time -> Int -> Addr -> Mac -> Addr -> Maybe Mac -> Put -> Stack
          -> Stack
sendIcmp6 _ index source mac target known body =
  sendFrame index (maybe (multicastMac target) id known) mac typeIpv6
    (putIpv6 255 58 source target (rawIcmp6 source target body))

-- | Questions that are to be asked again, and hosts that do not answer.
neighbourTick :: Time -> Stack -> Stack
neighbourTick now s0 = armNeighbours (foldl one s0 [ifIndex i | i <- ifs s0])
  where
    ifs s = foldr (:) [] (sIfaces s)
    one s index = case ifaceAt index s of
      Nothing -> s
      Just i ->
        let (due, lost, ns) = tick now (ifNeighbours i)
            s1 = modifyIface index (\x -> x { ifNeighbours = ns }) s
            s2 = foldl (flip (ask now index)) s1 due
        in foldl (unreachable now) s2 lost

-- | Sets the timer for the next question.
armNeighbours :: Stack -> Stack
armNeighbours s =
  setTimer timerNeighbours
    (foldr (min . nextTick . ifNeighbours) never (sIfaces s)) s

-- Our own packet did not find its neighbour: our sockets should know.
unreachable :: Time -> Stack -> (Addr, Waiting) -> Stack
unreachable _ s (_, w)
  | S.length (sLoop s) >= 1024 = s
  | waitType w == typeIpv4, Just h <- decodeIpv4 (waitPacket w) =
      s { sLoop = sLoop s |> (0, typeIpv4, runPut (putIpv4 (h
            { ip4Proto = 1, ip4Source = ip4Source h, ip4Target = ip4Source h
            , ip4Flags = 0, ip4Offset = 0, ip4Ttl = 1 })
            (putIcmp4 (Unreachable NoHost (B.take 48 (waitPacket w)))))) }
  | otherwise = s

-- | A neighbour said its link address; what waited for it goes out.
learnNeighbour :: Time -> Int -> Bool -> Addr -> Mac -> Stack -> Stack
learnNeighbour now index create addr mac s = case ifaceAt index s of
  Nothing -> s
  Just i ->
    let (waiting, ns) = learn now create addr mac (ifNeighbours i)
        s1 = modifyIface index (\x -> x { ifNeighbours = ns }) s
    in foldl (\x w -> sendFrame index mac (waitSource w) (waitType w)
                (putBytes (waitPacket w)) x) s1 waiting

-- | Tells a sender that its packet could not be used; not about errors,
-- fragments' rests, or what came to many (RFC 1122, 3.2.2), and not too often.
icmpError :: Time -> Addr -> Addr -> Unreach -> ByteString -> Stack -> Stack
icmpError now ours theirs why packet s
  | isMulticast ours || isBroadcastV4 ours || isAny theirs = s
  | isMulticast theirs || isBroadcastV4 theirs = s
  | otherwise = case spend now s of
      Nothing -> s
      Just s' -> sendPacket now Packet
        { pkSource = ours, pkTarget = theirs
        , pkProto = if isV4 ours then 1 else 58
        , pkWhole = False, pkHops = 0, pkLeft = Nothing
        , pkBody = if isV4 ours then putIcmp4 icmp
                   else putIcmp6 ours theirs icmp } s'
  where
    quote = if isV4 ours then personaQuote (indexSource ours s) else 1232
    icmp = Unreachable why (B.take quote packet)
