-- SPDX-License-Identifier: BSD-3-Clause
-- Single cases: what an RFC says of one situation, a frame as it must be to
-- the byte, one life of a lease. The peer is written by hand.
module Cases (theCases, busyStack, goodFrames) where

import Data.Bits
import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Char8 as C
import Data.List (foldl', nub)
import Data.Maybe (listToMaybe, mapMaybe)
import Data.Word

import HaLVM.Net.Arp
import HaLVM.Net.Bytes
import HaLVM.Net.Dhcp
import HaLVM.Net.Ethernet
import HaLVM.Net.Icmp
import HaLVM.Net.Ipv4
import HaLVM.Net.Ipv6
import HaLVM.Net.Nat
import HaLVM.Net.Ndp
import HaLVM.Net.Offload
import HaLVM.Net.Persona
import HaLVM.Net.SipHash
import HaLVM.Net.Stack
import HaLVM.Net.Tcp (TcpState (..))
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Udp

-- -- A stack and a peer written by hand

macA, macB :: Mac
macA = Mac 0x020000000001
macB = Mac 0x020000000002

ours, theirs :: Addr
ours = V4 0x0a000001
theirs = V4 0x0a000002

data Run = Run
  { rTime :: Time
  , rStack :: Stack
  , rOut :: [ByteString]  -- frames since the last 'fresh', in their order
  , rTouched :: [Touch]
  , rAnswer :: Answer
  }

plain :: IfConfig
plain = (interface macA) { ifcAddrs = [(ours, 24)], ifcDhcp = False, ifcIpv6 = False }

boot :: Config -> Run
boot c = did as (Run 0 s [] [] Done)
  where (s, as) = newStack 0 (Key 11 22) c

-- With the peer known already, so that nothing waits for ARP.
begin :: (Config -> Config) -> Run
begin f = fresh (feed (arp ArpRequest theirs macB ours (Mac 0)) (boot (f (defaultConfig [plain]))))

-- The peer answers whoever asks for its link address; that is not kept.
did :: [Action] -> Run -> Run
did as r = foldl' (\x a -> feed (arp ArpReply theirs macB a macA) x) kept
    [arpSender q | Just q <- map question frames, arpSender q /= anyV4]
  where
    frames = [f | Transmit _ f <- as]
    kept = r { rOut = rOut r ++ filter ((== Nothing) . question) frames
             , rTouched = rTouched r ++ [t | Touched t <- as] }
    question f = case decodeEther f of
      Just e | etherType e == typeArp, Just q <- decodeArp (etherPayload e)
             , arpOp q == ArpRequest, arpTarget q == theirs -> Just q
      _ -> Nothing

feed :: ByteString -> Run -> Run
feed f = feeds [f]

feeds :: [ByteString] -> Run -> Run
feeds fs r = let (s, as) = step (rTime r) (Frames 1 fs) (rStack r)
             in did as r { rStack = s }

ask :: Call -> Run -> Run
ask c r = let (a, s, as) = call (rTime r) c (rStack r)
          in did as r { rStack = s, rAnswer = a }

-- Lets time pass, with every timer at its time.
wait :: Time -> Run -> Run
wait d r0 = go r0
  where
    end = rTime r0 + d
    go r | at <= end = let r' = r { rTime = max (rTime r) at }
                           (s, as) = step (rTime r') TimePasses (rStack r')
                       in go (did as r' { rStack = s })
         | otherwise = r { rTime = end }
      where at = nextDeadline (rStack r)

fresh :: Run -> Run
fresh r = r { rOut = [] }

arp :: ArpOp -> Addr -> Mac -> Addr -> Mac -> ByteString
arp op from mac to toMac = runPut (putEther (if op == ArpRequest then broadcastMac else macA) macB typeArp
  <> putArp (Arp op mac from toMac to))

frame4 :: Word8 -> Addr -> Addr -> Put -> ByteString
frame4 proto from to body = runPut (putEther macA macB typeIpv4
  <> putIpv4 (Ipv4 0 1 0 0 64 proto from to B.empty) body)

frame6 :: Word8 -> Addr -> Addr -> Put -> ByteString
frame6 hops from to body = runPut (putEther (if isMulticast to then multicastMac to else macA) macB typeIpv6
  <> putIpv6 hops 58 from to body)

tcp :: Segment -> ByteString
tcp s = frame4 6 theirs ours (putSegment [OptMss, OptSackOk, OptTimestamps, OptNop, OptScale] theirs ours s)

seg :: Word8 -> Word32 -> Word32 -> ByteString -> Segment
seg flags sq ack = Segment 5000 80 sq ack flags 65535 noOptions

-- Segments to the peer among the frames.
segments :: Run -> [Segment]
segments r = mapMaybe one (rOut r)
  where
    one f = do
      h <- decodeEther f >>= decodeIpv4 . etherPayload
      if ip4Proto h == 6 then decodeSegment (ip4Source h) (ip4Target h) (ip4Payload h) else Nothing

packets :: Run -> [Ipv4]
packets r = mapMaybe (\f -> decodeEther f >>= decodeIpv4 . etherPayload) (rOut r)

syn :: Options -> Segment
syn o = (seg flagSyn 999 0 B.empty) { segOptions = o }

listening :: Run -> Run
listening r0 = ask (Listen 1 8) (ask (Bind 1 (Endpoint anyV4 80)) (ask (Open Tcp False) r0))

-- An accepted connection, socket 2; our initial sequence number. The peer has
-- sent 999, its next number is 1000.
openedWith :: Options -> Run -> (Run, Word32)
openedWith o r0 = (fresh (ask (Accept 1) r2), iss + 1)
  where
    r1 = feed (tcp (syn o)) (fresh (listening r0))
    iss = case segments r1 of { s : _ -> segSeq s; [] -> 0 }
    r2 = feed (tcp (seg flagAck 1000 (iss + 1) B.empty)) r1

-- The same over an interface whose frames have a header, which is left out of
-- what the peer sends here.
openedOver :: IfConfig -> (Run, Word32)
openedOver i = (fresh (ask (Accept 1) r2), iss + 1)
  where
    sends f = feed (runPut (putOffload Plain) <> f)
    r0 = sends (arp ArpRequest theirs macB ours (Mac 0)) (boot (defaultConfig [i]))
    r1 = sends (tcp (syn noOptions { optMss = 1460 })) (fresh (listening r0))
    iss = case rOut r1 of { f : _ -> u32 f (offloadSize + 14 + 20 + 4); [] -> 0 }
    r2 = sends (tcp (seg flagAck 1000 (iss + 1) B.empty)) r1

opened :: Run -> (Run, Word32)
opened = openedWith noOptions { optMss = 1460 }

stateOf :: Run -> [TcpState]
stateOf = cenStates . census . rStack

check :: [(String, Bool)] -> Maybe String
check cs = case [what | (what, good) <- cs, not good] of
  [] -> Nothing
  bad -> Just (unwords bad)

-- -- What the fuzzer begins with

busyStack :: Stack
busyStack = rStack r3
  where
    i = (interface macA) { ifcAddrs = [(ours, 24), (V4 0x0a000005, 24)]
                         , ifcPersonas = [(V4 0x0a000005, printer)] }
    r0 = feed (arp ArpRequest theirs macB ours (Mac 0))
      (boot (defaultConfig [i]) { cfgWatch = True
            , cfgForwards = [Forward Tcp 8080 (Endpoint (V4 0x0a000009) 80)
                            , Forward Udp 8053 (Endpoint (V4 0x0a000009) 53)] })
    (r1, _) = openedWith noOptions { optMss = 1460, optSackOk = True, optScale = 7 } r0
    r2 = ask (Send 2 (B.replicate 5000 7))
      (ask (Bind 3 (Endpoint anyV4 53)) (ask (Open Udp False) r1))
    r3 = ask (Listen 4 4) (ask (Bind 4 (Endpoint anyV6 81)) (ask (Open Tcp True) r2))

goodFrames :: [ByteString]
goodFrames =
  [ arp ArpRequest theirs macB ours (Mac 0)
  , arp ArpReply theirs macB ours macA
  , tcp (syn noOptions { optMss = 1460, optSackOk = True, optScale = 7 })
  , tcp (seg flagAck 1000 1 (C.pack "hello"))
  , tcp (seg (flagAck .|. flagFin) 1000 1 B.empty)
  , tcp (seg flagRst 1000 0 B.empty)
  , tcp (seg flagAck 1003 1 (C.pack "later")) { segOptions = noOptions { optSack = [Block 5 9] } }
  , (\s -> frame4 6 theirs ours (putSegment [] theirs ours s)) (seg flagSyn 5 0 B.empty) { segTarget = 8080 }
  , frame4 17 theirs ours (putUdp theirs ours 9 53 (C.pack "question"))
  , frame4 17 theirs ours (putUdp theirs ours 9 9999 (C.pack "nobody"))
  , frame4 17 theirs ours (putUdp theirs ours 9 8053 (C.pack "forward"))
  , frame4 1 theirs ours (putIcmp4 (Echo 0 (C.pack "abcdefgh")))
  , frame4 1 theirs ours (putIcmp4 (Unreachable NoPort quoted))
  , frame4 1 theirs ours (putIcmp4 (Unreachable (TooBig 600) quoted))
  , frame4 47 theirs ours (putBytes (B.replicate 30 1))
  , dhcpReply 2 100
  , runPut (putEther macA macB typeIpv4 <> putIpv4 (Ipv4 0 7 flagMf 0 64 17 theirs ours B.empty)
      (putBytes (B.replicate 64 1)))
  , runPut (putEther macA macB typeIpv4 <> putIpv4 (Ipv4 0 7 0 64 64 17 theirs ours B.empty)
      (putBytes (B.replicate 60 1)))
  , frame6 255 router6 linkLocalAll (rawIcmp6 router6 linkLocalAll (putNdp advert))
  , frame6 255 router6 (solicitedNode router6)
      (rawIcmp6 router6 (solicitedNode router6) (putNdp (Solicit (V6 0xfe80000000000000 9) (Just macB))))
  , frame6 255 router6 linkLocalAll (putIcmp6 router6 linkLocalAll (Echo 0 (C.pack "abcdefgh")))
  ]
  where
    quoted = runPut (putIpv4 (Ipv4 0 1 0 0 64 6 ours theirs B.empty)
      (put16 80 <> put16 5000 <> put32 1 <> put32 0))

router6 :: Addr
router6 = V6 0xfe80000000000000 0x00ff

advert :: Ndp
advert = RouterAdvert (Advert 64 1800 (Just macB) (Just 1400)
  [PrefixInfo (V6 0x20010db800000000 0) 64 True True 86400 14400] [(V6 0x20010db800000000 0x53, 600)])

-- -- The cases

theCases :: [(String, Maybe String)]
theCases =
  [ ("golden-arp", goldenArp), ("golden-ping", goldenPing), ("golden-syn", goldenSyn)
  , ("siphash", siphashVector)
  , ("closed-port", closedPort), ("reset-validation", resetValidation)
  , ("syn-in-window", synInWindow), ("ack-of-unsent", ackOfUnsent), ("paws", paws)
  , ("zero-window", zeroWindow), ("half-close", halfClose)
  , ("close-unread-resets", closeUnread), ("time-wait-reuse", timeWaitReuse)
  , ("urgent-is-data", urgent), ("silly-window", sillyWindow), ("delayed-ack", delayedAck)
  , ("fast-retransmit", fastRetransmit), ("sack-retransmit", sackRetransmit)
  , ("retransmission-backoff", backoff), ("keep-alive", keepAlive)
  , ("syn-flood", synFlood), ("sequence-numbers", sequenceNumbers), ("ports", portChoice)
  , ("udp-refused", udpRefused), ("path-mtu", pathMtuCase), ("blind-mtu", blindMtu)
  , ("fragmented-ping", fragmentedPing), ("source-route", sourceRoute)
  , ("loopback", loopback), ("personas", personaCase), ("personas-macs", personaMacs)
  , ("watch", watching), ("dhcp-life", dhcpLife), ("slaac", slaac), ("dad", dad)
  , ("nat", natCase), ("neighbour-bound", neighbourBound), ("listener-close", listenerClose)
  , ("errors-bounded", errorsBounded)
  , ("reassembly-full", reassemblyFull), ("window-closes", windowCloses)
  , ("shut-in-flight", shutInFlight), ("close-while-opening", closeOpening)
  , ("path-mtu-shared", sharedMtu), ("link-mtu", linkMtuCase), ("path-mtu-udp6", mtuUdp6)
  , ("no-address-is-loopback", noAddress), ("nat-stages", natStages), ("nat-full", natFull)
  , ("left-to-the-interface", leftToInterface), ("cut-before-loss", cutBeforeLoss)
  ]

hex :: String -> ByteString
hex (a : b : rest) = B.cons (fromIntegral (digit a * 16 + digit b)) (hex rest)
  where digit c = length (takeWhile (/= c) "0123456789abcdef")
hex _ = B.empty

goldenArp :: Maybe String
goldenArp = check [("reply", rOut r == [hex ("020000000002" ++ "020000000001" ++ "0806"
    ++ "0001080006040002" ++ "020000000001" ++ "0a000001" ++ "020000000002" ++ "0a000002")])]
  where r = feed (arp ArpRequest theirs macB ours (Mac 0)) (fresh (boot (defaultConfig [plain])))

goldenPing :: Maybe String
goldenPing = check [("reply", rOut r == [hex ("020000000002" ++ "020000000001" ++ "0800"
    ++ "45000020" ++ "00000000" ++ "4001" ++ "66db" ++ "0a000001" ++ "0a000002"
    ++ "0000" ++ "8ffb" ++ "00070001" ++ "deadbeef")
    `orIdent` r])]
  where
    r = feed (frame4 1 theirs ours (putIcmp4 (Echo 0 (hex "00070001deadbeef")))) (begin id)
    -- The identification is random where fragments are allowed, so it and the
    -- checksum are taken from the frame.
    orIdent want x = case rOut x of
      [f] -> B.take 18 want <> B.take 2 (B.drop 18 f) <> B.take 4 (B.drop 20 want)
        <> B.take 2 (B.drop 24 f) <> B.take 8 (B.drop 26 want) <> checksummed (B.drop 34 want)
      _ -> want
    checksummed b = let z = B.take 2 b <> B.pack [0, 0] <> B.drop 4 b
                    in runPut (putIcmp4 (EchoReply 0 (B.drop 4 z)))

goldenSyn :: Maybe String
goldenSyn = check
  [ ("options", options == Just (hex ("020405b4" ++ "0402" ++ "080a") <> stampOf <> hex ("00000000" ++ "01" ++ "030307")))
  , ("window", fmap segWindow (listToMaybe (segments r)) == Just 64240)
  , ("df", map ip4Flags (packets r) == [flagDf])
  , ("ttl", map ip4Ttl (packets r) == [64]) ]
  where
    r = ask (Connect 1 (Endpoint theirs 80)) (ask (Open Tcp False) (begin id))
    tcpBytes = case packets r of { p : _ -> ip4Payload p; [] -> B.empty }
    options = if B.length tcpBytes == 40 then Just (B.drop 20 tcpBytes) else Nothing
    stampOf = B.take 4 (B.drop 28 tcpBytes)

-- The first vectors of the algorithm's authors with whole words of input.
siphashVector :: Maybe String
siphashVector = check
  [ ("empty", sipHash key [] == 0x726fdb47dd0e0e31)
  , ("eight", sipHash key [0x0706050403020100] == 0x93f5f5799a932462) ]
  where key = Key 0x0706050403020100 0x0f0e0d0c0b0a0908

closedPort :: Maybe String
closedPort = check
  [ ("syn", map bare (out (seg flagSyn 77 0 B.empty)) == [(flagRst .|. flagAck, 0, 78)])
  , ("ack", map bare (out (seg flagAck 77 99 B.empty)) == [(flagRst, 99, 0)])
  , ("rst", null (out (seg flagRst 77 99 B.empty))) ]
  where
    out s = segments (feed (tcp s) (begin id))
    bare s = (segFlags s, segSeq s, segAck s)

resetValidation :: Maybe String
resetValidation = check
  [ ("exact", stateOf (feed (tcp (seg flagRst 1000 0 B.empty)) r) == [Closed])
  , ("in-window", stateOf inside == [Established])
  , ("challenge", map segAck (segments inside) == [1000])
  , ("outside", stateOf outside == [Established] && null (segments outside)) ]
  where
    (r, _) = opened (begin id)
    inside = feed (tcp (seg flagRst 1010 0 B.empty)) r
    outside = feed (tcp (seg flagRst 900 0 B.empty)) r

synInWindow :: Maybe String
synInWindow = check
  [ ("state", stateOf x == [Established])
  , ("challenge", [(segFlags s, segAck s) | s <- segments x] == [(flagAck, 1000)])
  , ("bounded", length (segments (foldl' (\y _ -> feed (tcp s0) y) r [1 .. 100 :: Int])) <= 12) ]
  where
    (r, _) = opened (begin id)
    s0 = seg flagSyn 1005 0 B.empty
    x = feed (tcp s0) r

ackOfUnsent :: Maybe String
ackOfUnsent = check
  [ ("answer", [segAck s | s <- segments x] == [1000])
  , ("data-dropped", rAnswer (ask (Receive 2 9) x) == Failed Again) ]
  where
    (r, nxt) = opened (begin id)
    x = feed (tcp (seg flagAck 1000 (nxt + 1) (C.pack "x"))) r

paws :: Maybe String
paws = check
  [ ("taken", rAnswer (ask (Receive 2 9) good) == Received [C.pack "a"])
  , ("refused", rAnswer (ask (Receive 2 9) old) == Failed Again)
  , ("acknowledged", not (null (segments old)))
  , ("without", rAnswer (ask (Receive 2 9) (feed (tcp (seg flagAck 1000 nxt (C.pack "a"))) r)) == Failed Again) ]
  where
    (r, nxt) = openedStamped
    stamped v = (seg flagAck 1000 nxt (C.pack "a")) { segOptions = noOptions { optStamp = Stamp v 0 } }
    good = feed (tcp (stamped 501)) r
    old = feed (tcp (stamped 400)) r

openedStamped :: (Run, Word32)
openedStamped = (fresh (ask (Accept 1) r2), iss + 1)
  where
    r1 = feed (tcp (syn noOptions { optMss = 1460, optStamp = Stamp 500 0 })) (fresh (listening (begin id)))
    iss = case segments r1 of { s : _ -> segSeq s; [] -> 0 }
    r2 = feed (tcp (seg flagAck 1000 (iss + 1) B.empty) { segOptions = noOptions { optStamp = Stamp 500 0 } }) r1

-- The peer closes its window; we ask, more and more seldom, for hours; it
-- opens, and the rest goes.
zeroWindow :: Maybe String
zeroWindow = check
  [ ("nothing-at-once", null [s | s <- segments r1, B.length (segPayload s) > 0])
  , ("probes", length probes >= 4 && all ((== nxt - 1) . segSeq) probes)
  , ("still-open", stateOf late == [Established])
  , ("nobody-there", rAnswer (ask (Receive 2 1) (wait (seconds 3000) asked)) == Failed TimedOut)
  , ("resumes", sum (map (B.length . segPayload) (segments open')) > 0) ]
  where
    (r, nxt) = opened (begin id)
    r0 = feed (tcp (seg flagAck 1000 nxt B.empty) { segWindow = 0 }) r
    r1 = ask (Send 2 (B.replicate 5000 1)) (fresh r0)
    asked = wait (seconds 20) (fresh r1)
    probes = segments asked
    -- For hours, as long as the peer answers each.
    late = foldl' (\x _ -> feed (tcp (seg flagAck 1000 nxt B.empty) { segWindow = 0 }) (wait (seconds 60) x))
      asked [1 .. 600 :: Int]
    open' = feed (tcp (seg flagAck 1000 nxt B.empty)) (fresh late)

halfClose :: Maybe String
halfClose = check
  [ ("end", rAnswer (ask (Receive 2 9) r1) == Received [])
  , ("still-sends", [segPayload s | s <- segments r2, B.length (segPayload s) > 0] == [C.pack "answer"])
  , ("last-ack", stateOf r3 == [LastAck])
  , ("gone", null (stateOf r4) && cenSockets (census (rStack r4)) == 1) ]
  where
    (r, nxt) = opened (begin id)
    r1 = feed (tcp (seg (flagAck .|. flagFin) 1000 nxt B.empty)) r
    r2 = ask (Send 2 (C.pack "answer")) (fresh r1)
    r3 = ask (Close 2) r2
    r4 = feed (tcp (seg flagAck 1001 (nxt + 7) B.empty)) r3

closeUnread :: Maybe String
closeUnread = check
  [ ("reset", [segFlags s .&. flagRst | s <- segments x] == [flagRst])
  , ("gone", null (stateOf x)) ]
  where
    (r, nxt) = opened (begin id)
    x = ask (Close 2) (fresh (feed (tcp (seg flagAck 1000 nxt (C.pack "unread"))) r))

timeWaitReuse :: Maybe String
timeWaitReuse = check
  [ ("time-wait", stateOf waiting' == [TimeWait])
  , ("fin-again", [segAck s | s <- segments again] == [1001])
  , ("reused", [segFlags s | s <- segments reused] == [flagSyn .|. flagAck])
  , ("old-syn-refused", null [s | s <- segments oldSyn, hasSyn s])
  , ("ends", null (stateOf (wait (seconds 61) waiting'))) ]
  where
    (r, nxt) = opened (begin id)
    r1 = ask (Close 2) r
    waiting' = fresh (feed (tcp (seg (flagAck .|. flagFin) 1000 (nxt + 1) B.empty)) r1)
    again = feed (tcp (seg (flagAck .|. flagFin) 1000 (nxt + 1) B.empty)) waiting'
    reused = feed (tcp (seg flagSyn 90000 0 B.empty)) waiting'
    oldSyn = feed (tcp (seg flagSyn 500 0 B.empty)) waiting'

urgent :: Maybe String
urgent = check [("delivered", rAnswer (ask (Receive 2 99) x) == Received [C.pack "urgent"])]
  where
    (r, nxt) = opened (begin id)
    x = feed (tcp (seg (flagAck .|. 32) 1000 nxt (C.pack "urgent"))) r

-- A full buffer from which single bytes are read says nothing until there is
-- room worth it.
sillyWindow :: Maybe String
sillyWindow = check
  [ ("full", fmap segWindow (listToMaybe (reverse (segments full'))) == Just 0)
  , ("silent", null (segments few))
  , ("speaks", not (null (segments many))) ]
  where
    (r, nxt) = opened (begin (\c -> c { cfgTcp = (cfgTcp c) { tcpReceiveBuffer = 8192 } }))
    full' = wait (millis 100) $ foldl' (\x k -> feed (tcp (seg flagAck (1000 + k * 1024) nxt (B.replicate 1024 1))) x) r [0 .. 7]
    few = foldl' (\x _ -> ask (Receive 2 1) x) (fresh full') [1 .. 100 :: Int]
    many = ask (Receive 2 8192) few

-- A list of pieces that is full takes no more of them, but what is before all.
reassemblyFull :: Maybe String
reassemblyFull = check
  [ ("waits", rAnswer (ask (Receive 2 9) full') == Failed Again)
  , ("taken", rAnswer (ask (Receive 2 9) filled) == Received (replicate 2 (C.pack "x")))
  , ("goes-on", take 1 (reverse (map segAck (segments end))) == [2024]) ]
  where
    (r, nxt) = opened (begin id)
    byte n = feed (tcp (seg flagAck n nxt (C.pack "x")))
    full' = foldl' (flip byte) r [1001, 1003 .. 2023]
    filled = byte 1000 (fresh full')
    end = foldl' (flip byte) filled [1002, 1004 .. 2022]

-- Segments of less than the scale can say fill the buffer, and no more.
windowCloses :: Maybe String
windowCloses = check
  [ ("bounded", taken <= 16384)
  , ("used", taken > 16384 - 256)
  , ("opens", [segWindow s | s <- segments (ask (Receive 2 99999) (fresh end))] == [128]) ]
  where
    (r, nxt) = openedWith noOptions { optMss = 1460, optScale = 0 }
      (begin (\c -> c { cfgTcp = (cfgTcp c) { tcpReceiveBuffer = 16384 } }))
    end = fst (foldl' send (fresh r, 16384) [1 .. 1000 :: Int])
    -- Up to the furthest edge that was told, as a peer may.
    send (x, edge) _ =
      let at = 1000 + fromIntegral (received x)
          size = min 50 (edge `minus` (at - 1000))
          y = wait (millis 50) (feed (tcp (seg flagAck at nxt (B.replicate size 1))) (fresh x))
          told = [segAck s - 1000 + fromIntegral (segWindow s) * 128 | s <- segments y]
      in if size <= 0 then (x, edge) else (y, maximum (edge : told))
    received x = case rAnswer (ask (Receive 2 99999) x) of
      Received bs -> sum (map B.length bs)
      _ -> 0
    taken = received end

-- The peer closes its window over what is under way, and answers whatever comes.
shutInFlight :: Maybe String
shutInFlight = check
  [ ("still-open", stateOf late == [Established])
  , ("seldom", length (segments (wait (seconds 60) (fresh late))) <= 4)
  , ("resumes", stateOf (wait (seconds 30) moved) == [Established]
      && not (null (sentBy moved)))
  , ("nobody-there", rAnswer (ask (Receive 2 1) (wait (seconds 3000) late)) == Failed TimedOut)
  , ("nobody-waits", null (stateOf (go (ask (Close 2) late)))) ]
  where
    (r, nxt) = opened (begin id)
    shut = feed (tcp (seg flagAck 1000 nxt B.empty) { segWindow = 0 })
    go x0 = foldl' (\x _ -> shut (wait (seconds 60) (fresh x))) x0 [1 .. 100 :: Int]
    late = go (shut (ask (Send 2 (B.replicate 5000 1)) r))
    moved = feed (tcp (seg flagAck 1000 (nxt + 1460) B.empty)) (fresh late)

-- Both open at once, and the user closes before the peer has answered.
closeOpening :: Maybe String
closeOpening = check
  [ ("both", stateOf r1 == [SynReceived])
  , ("fin", stateOf r2 == [FinWait1] && any hasFin (segments r2))
  , ("half", stateOf r3 == [FinWait2])
  , ("gone", let c = census (rStack (wait (seconds 100) r3)) in
      (cenSockets c, cenConnections c) == (0, 0)) ]
  where
    r0 = ask (Connect 1 (Endpoint theirs 5000))
      (ask (Bind 1 (Endpoint anyV4 80)) (ask (Open Tcp False) (begin id)))
    iss = case segments r0 of { s : _ -> segSeq s; [] -> 0 }
    r1 = ask (Close 1) (feed (tcp (syn noOptions { optMss = 1460 })) r0)
    r2 = feed (tcp (seg flagAck 1000 (iss + 1) B.empty)) (fresh r1)
    r3 = feed (tcp (seg flagAck 1000 (iss + 2) B.empty)) r2

delayedAck :: Maybe String
delayedAck = check
  [ ("first-waits", null (segments one))
  , ("then-comes", [segAck s | s <- segments (wait (millis 500) one)] == [2460])
  , ("second-at-once", [segAck s | s <- segments two] == [3920]) ]
  where
    (r, nxt) = opened (begin id)
    one = feed (tcp (seg flagAck 1000 nxt (B.replicate 1460 1))) r
    two = feed (tcp (seg flagAck 2460 nxt (B.replicate 1460 1))) one

sentBy :: Run -> [(Word32, Int)]
sentBy r = [(segSeq s, B.length (segPayload s)) | s <- segments r, B.length (segPayload s) > 0]

-- Without SACK: the third duplicate sends the first segment again, a partial
-- acknowledgement the next one (RFC 6582).
fastRetransmit :: Maybe String
fastRetransmit = check
  [ ("ten-at-first", length (sentBy r1) == 10)
  , ("not-yet", notElem nxt (map fst (sentBy dup2)))
  , ("again", nxt `elem` map fst (sentBy dup3))
  , ("partial", (nxt + 1460 * 3) `elem` map fst (sentBy partial)) ]
  where
    (r, nxt) = opened (begin id)
    r1 = ask (Send 2 (B.replicate 30000 1)) r
    dupAck = feed (tcp (seg flagAck 1000 nxt B.empty))
    dup2 = dupAck (dupAck (fresh r1))
    dup3 = dupAck (fresh dup2)
    partial = feed (tcp (seg flagAck 1000 (nxt + 1460 * 3) B.empty)) (fresh (dupAck (dupAck dup3)))

sackRetransmit :: Maybe String
sackRetransmit = check
  [ ("only-the-hole", nub [a | (a, _) <- sentBy x, before a (nxt + 14600)] == [nxt]) ]
  where
    (r, nxt) = openedWith noOptions { optMss = 1460, optSackOk = True } (begin id)
    r1 = wait (millis 50) (ask (Send 2 (B.replicate 14600 1)) r)
    ack = (seg flagAck 1000 nxt B.empty) { segOptions = noOptions { optSack = [Block (nxt + 1460) (nxt + 14600)] } }
    x = wait (millis 60) (feed (tcp ack) (fresh r1))

-- Nobody answers: twice as long each time, then an error.
backoff :: Maybe String
backoff = check
  [ ("grows", and (zipWith (>=) (drop 1 gaps) gaps) && length gaps > 6)
  , ("ends", rAnswer (ask (Receive 2 1) end) == Failed TimedOut) ]
  where
    (r, _) = opened (begin id)
    r1 = ask (Send 2 (C.pack "x")) r
    times = [ t | t <- [0, 50 .. 120000], not (null (segments (at t))) ]
    -- Looks in steps of 50 ms at what was sent.
    runs = iterate (\x -> wait (millis 50) (fresh x)) (fresh r1)
    at t = runs !! (t `quot` 50)
    gaps = zipWith (-) (drop 1 times) times
    end = wait (seconds 4000) r1

keepAlive :: Maybe String
keepAlive = check
  [ ("probes", length (segments quiet) == 4 && all ((== nxt - 1) . segSeq) (segments quiet))
  , ("gives-up", rAnswer (ask (Receive 2 1) (wait (seconds 100) quiet)) == Failed TimedOut)
  , ("answered", stateOf (wait (seconds 9) (feed (tcp (seg flagAck 1000 nxt B.empty)) quiet)) == [Established]) ]
  where
    (r, nxt) = opened (begin id)
    quiet = wait (seconds 48) (fresh (ask (SetOption 2 (KeepAlive True 10 10 6)) r))

-- Ten thousand half-open connections leave a bounded number, and a guest who
-- answers its cookie gets in.
synFlood :: Maybe String
synFlood = check
  [ ("bounded", cenSockets (census (rStack flooded)) <= 20)
  , ("timers-bounded", cenTimers (census (rStack flooded)) <= 20)
  , ("cookie", length cookies == 1)
  , ("let-in", isAccepted (rAnswer guest))
  , ("window", [segWindow s | s <- segments small, hasSyn s] == [4096])
  , ("forged-refused", not (isAccepted (rAnswer forged))) ]
  where
    r0 = listening (begin id)
    flooded = floodedBy 10000 r0
    small = feed (tcp (syn noOptions)) (floodedBy 100 (listening (begin (\c ->
      c { cfgTcp = (cfgTcp c) { tcpReceiveBuffer = 4096 } }))))
    floodedBy n r = foldl' (\x k -> fresh (feed (flood k) x)) r [1 .. n]
    flood n = let a = V4 (0x0a000000 .|. (10 + fromIntegral (n `rem` 200 :: Int))) in
      frame4 6 a ours (putSegment [] a ours (Segment (fromIntegral n) 80 5 0 flagSyn 100 noOptions B.empty))
    asked = feed (tcp (syn noOptions { optMss = 1460 })) flooded
    cookies = [segSeq s | s <- segments asked, hasSyn s, segTarget s == 5000]
    answer c = ask (Accept 1) (feed (tcp (seg flagAck 1000 (c + 1) (C.pack "hi"))) asked)
    guest = answer (head (cookies ++ [0]))
    forged = answer (head (cookies ++ [0]) + 12345)
    isAccepted a = case a of { Accepted {} -> True; _ -> False }

-- RFC 6528: the same ends get larger numbers as time goes by, other ends
-- others.
sequenceNumbers :: Maybe String
sequenceNumbers = check
  [ ("grow", before (isn 0 5000) (isn (seconds 10) 5000))
  , ("differ", abs (isn 0 5000 `minus` isn 0 5001) > 10000)
  , ("constant", isnOf (\c -> c { cfgInterfaces = [plain { ifcPersona = linux { personaIsn = IsnConstant 7 } }] }) 0 5000 == 7) ]
  where
    isn = isnOf id
    isnOf f t port =
      let r = feed (tcp (syn noOptions) { segSource = port }) (wait t (fresh (listening (begin f))))
      in case [segSeq s | s <- segments r, hasSyn s] of { n : _ -> n; [] -> 0 }

portChoice :: Maybe String
portChoice = check
  [ ("differ", length (nub ps) == 20)
  , ("range", all (>= 32768) ps)
  , ("not-in-order", or (zipWith (\a b -> b /= a + 1) perTarget (drop 1 perTarget))) ]
  where
    go (r, got) n = let r1 = ask (Open Tcp False) r
                        Opened i = rAnswer r1
                        r2 = ask (Connect i (Endpoint theirs n)) (fresh r1)
                    in (r2, got ++ [segSource s | s <- segments r2])
    ps = snd (foldl' go (begin id, []) (replicate 20 80))
    perTarget = snd (foldl' go (begin id, []) [80 .. 99])

udpRefused :: Maybe String
udpRefused = check
  [ ("refused", rAnswer (ask (ReceiveFrom 1) x) == Failed Refused)
  , ("told-once", rAnswer (ask (ReceiveFrom 1) (ask (ReceiveFrom 1) x)) == Failed Again)
  , ("closed-port", [Just NoPort] == [reason p | p <- packets (feed (frame4 17 theirs ours (putUdp theirs ours 9 999 B.empty)) (begin id))]) ]
  where
    r = ask (Send 1 (C.pack "q")) (ask (Connect 1 (Endpoint theirs 53)) (ask (Open Udp False) (begin id)))
    quoted = case packets r of { p : _ -> runPut (putIpv4 p (putBytes (ip4Payload p))); [] -> B.empty }
    x = feed (frame4 1 theirs ours (putIcmp4 (Unreachable NoPort quoted))) (fresh r)
    reason p = case decodeIcmp4 (ip4Payload p) of { Just (Unreachable why _) -> Just why; _ -> Nothing }

pathMtuCase :: Maybe String
pathMtuCase = check
  [ ("at-first", maximum (map snd (sentBy r1)) == 1460)
  , ("smaller", not (null (sentBy x)) && maximum (map snd (sentBy x)) == 560) ]
  where
    (r, nxt) = opened (begin id)
    r1 = ask (Send 2 (B.replicate 14600 1)) r
    x = feed (tooBig nxt 600) (fresh r1)

tooBig :: Word32 -> Int -> ByteString
tooBig sq mtu = frame4 1 theirs ours (putIcmp4 (Unreachable (TooBig mtu)
  (runPut (putIpv4 (Ipv4 0 1 0 0 64 6 ours theirs B.empty) (put16 80 <> put16 5000 <> put32 sq <> put32 0)))))

-- Of a number that is not under way (RFC 5927), and never below 576.
blindMtu :: Maybe String
blindMtu = check
  [ ("ignored", null (sentBy x))
  , ("floor", maximum (0 : map snd (sentBy y)) == 536) ]
  where
    (r, nxt) = opened (begin id)
    r1 = fresh (ask (Send 2 (B.replicate 14600 1)) r)
    x = feed (tooBig (nxt - 5) 600) r1
    y = feed (tooBig nxt 68) r1

-- What one connection learns of a path, the others to that host know; what was
-- too large of theirs is sent again.
sharedMtu :: Maybe String
sharedMtu = check
  [ ("at-first", sizes r2 == replicate 3 1460)
  , ("smaller", not (null (sizes x)) && maximum (sizes x) == 560)
  , ("again", fmap segSeq (listToMaybe (others x)) == Just (iss + 1)) ]
  where
    (r, nxt) = opened (begin id)
    another = tcp . (\s -> s { segSource = 5001 })
    r0 = feed (another (syn noOptions { optMss = 1460 })) (fresh r)
    iss = case segments r0 of { s : _ -> segSeq s; [] -> 0 }
    r1 = ask (Accept 1) (feed (another (seg flagAck 1000 (iss + 1) B.empty)) r0)
    r2 = ask (Send 3 (B.replicate (3 * 1460) 1)) (fresh r1)
    x = wait (millis 10) (feed (tooBig nxt 600) (fresh (ask (Send 2 (B.replicate 1460 1)) r2)))
    others y = [s | s <- segments y, segTarget s == 5001, not (B.null (segPayload s))]
    sizes = map (B.length . segPayload) . others

-- A router says that the link takes less: open connections of IPv4 hear of it.
linkMtuCase :: Maybe String
linkMtuCase = check
  [ ("smaller", not (null (sentBy x)) && maximum (map snd (sentBy x)) == 1360) ]
  where
    (r, _) = opened (begin (\c -> c { cfgInterfaces = [plain { ifcIpv6 = True }] }))
    told = feed (frame6 255 router6 linkLocalAll (rawIcmp6 router6 linkLocalAll (putNdp advert))) r
    x = ask (Send 2 (B.replicate 14600 1)) (fresh told)

-- A datagram that a router cannot pass on goes in fragments the next time.
mtuUdp6 :: Maybe String
mtuUdp6 = check
  [ ("whole", length (rOut sent) == 1)
  , ("fragments", length (rOut again) == 2)
  , ("no-error", rAnswer (ask (ReceiveFrom 1) told) == Failed Again)
  , ("of-ours-only", length (rOut (send forged)) == 1) ]
  where
    r0 = feed (frame6 255 router6 linkLocalAll (rawIcmp6 router6 linkLocalAll (putNdp advert)))
      (wait (seconds 2) (boot (defaultConfig [plain { ifcIpv6 = True }])))
    link = head ([a | (_, a, _) <- addresses (rStack r0), isLinkLocal a] ++ [router6])
    send = ask (SendTo 1 (Just (Endpoint router6 9)) (B.replicate 1330 1)) . fresh
    sent = send (ask (Open Udp True) r0)
    quoted = B.take 1232 (B.drop 14 (B.concat (take 1 (rOut sent))))
    tell q = feed (frame6 64 router6 link (putIcmp6 router6 link (Unreachable (TooBig 1300) q))) sent
    told = tell quoted
    again = send told
    -- Another port than the socket's.
    forged = tell (B.take 40 quoted <> B.pack [0, 9] <> B.drop 42 quoted)

-- 0.0.0.0 as a target.
noAddress :: Maybe String
noAddress = check
  [ ("connected", case rAnswer (ask (Accept 1) (wait (millis 10) tcp')) of { Accepted {} -> True; _ -> False })
  , ("name", rAnswer (ask (PeerName 2) tcp') == Name (Endpoint lo 80))
  , ("datagram", case rAnswer (ask (ReceiveFrom 1) sent) of
      ReceivedFrom from to _ b -> (endAddr from, to, b) == (lo, Endpoint lo 53, C.pack "x")
      _ -> False)
  , ("connected-datagram", rAnswer (ask (PeerName 2) (ask (Connect 2 (Endpoint anyV4 53)) udp)) == Name (Endpoint lo 53))
  , ("no-frames", null (rOut sent)) ]
  where
    lo = V4 0x7f000001
    tcp' = ask (Connect 2 (Endpoint anyV4 80)) (ask (Open Tcp False) (listening (begin id)))
    udp = ask (Open Udp False) (ask (Bind 1 (Endpoint anyV4 53)) (ask (Open Udp False) (begin id)))
    sent = ask (SendTo 2 (Just (Endpoint anyV4 53)) (C.pack "x")) udp

fragmentedPing :: Maybe String
fragmentedPing = check
  [ ("whole", sum (map (B.length . ip4Payload) (packets x)) == 4 + 3000)
  , ("in-pieces", length (packets x) == 3)
  , ("overlap-dropped", null (packets overlap))
  , ("forgotten", cenFragments (census (rStack (wait (seconds 60) overlap))) == 0) ]
  where
    icmp = runPut (putIcmp4 (Echo 0 (B.replicate 3000 9)))
    piece at n more = runPut (putEther macA macB typeIpv4
      <> putIpv4 (Ipv4 0 77 (if more then flagMf else 0) at 64 1 theirs ours B.empty)
           (putBytes (B.take n (B.drop at icmp))))
    x = feeds [piece 2000 1004 False, piece 0 1000 True, piece 1000 1000 True] (begin id)
    overlap = feeds [piece 2000 1004 False, piece 0 1000 True, piece 992 1008 True] (begin id)

sourceRoute :: Maybe String
sourceRoute = check [("silent", null (rOut x))]
  where
    whole = frame4 1 theirs ours (putIcmp4 (Echo 0 (C.pack "abcd")))
    body = B.drop 34 whole
    header = hex "47000028000100004001" <> hex "0000" <> hex "0a0000020a000001" <> hex "8307040a00000100"
    summed = B.take 10 header <> runPut (put16 (fixed header)) <> B.drop 12 header
    fixed h = complement (foldl' (\a i -> let t = fromIntegral a + fromIntegral (u16 h i) :: Word32
                                          in fromIntegral (t .&. 0xffff) + fromIntegral (t `shiftR` 16)) (0 :: Word16) [0, 2 .. 26])
    x = feed (B.take 14 whole <> summed <> body) (begin id)

loopback :: Maybe String
loopback = check
  [ ("connected", case rAnswer acc of { Accepted {} -> True; _ -> False })
  , ("data", rAnswer (ask (Receive 3 99) said) == Received [C.pack "to myself"])
  , ("no-frames", null (rOut said)) ]
  where
    r = ask (Connect 2 (Endpoint (V4 0x7f000001) 80)) (ask (Open Tcp False) (listening (begin id)))
    acc = ask (Accept 1) (wait (millis 10) r)
    said = wait (millis 10) (ask (Send 2 (C.pack "to myself")) acc)

personaCase :: Maybe String
personaCase = check
  [ ("silent", null (rOut (feed (tcp (seg flagSyn 1 0 B.empty) { segTarget = 81 }) (with windows))))
  , ("ttl", map ip4Ttl (packets (handshake windows)) == [128])
  , ("order", map (B.drop 20 . ip4Payload) (packets (handshake windows)) == [hex "020405b4010303080101" <> hex "0402"])
  , ("printer", map (B.drop 20 . ip4Payload) (packets (handshake printer)) == [hex "020405b4"])
  , ("printer-window", map segWindow (segments (handshake printer)) == [8192])
  , ("printer-counts", case map ip4Id (packets (twice printer)) of { [a, b] -> b == a + 1; _ -> False })
  , ("no-ping", null (packets (feed (frame4 1 theirs ours (putIcmp4 (Echo 0 (C.pack "abcd")))) (with linux { personaEcho = False })))) ]
  where
    with p = begin (\c -> c { cfgInterfaces = [plain { ifcPersona = p }] })
    offer = syn noOptions { optMss = 1460, optScale = 7, optSackOk = True, optStamp = Stamp 1 0 }
    handshake p = feed (tcp offer) (fresh (listening (with p)))
    twice p = feed (frame4 1 theirs ours (putIcmp4 (Echo 0 (C.pack "abcd")))) (handshake p)

-- Several machines in one: each address has its persona's own link address.
personaMacs :: Maybe String
personaMacs = check
  [ ("own", sender ours == Just macA)
  , ("vendor", fmap vendor (sender other) == Just 0x001b78)
  , ("ttl", map ip4Ttl (packets pinged) == [60]) ]
  where
    other = V4 0x0a000005
    c = (defaultConfig [plain { ifcAddrs = [(ours, 24), (other, 24)], ifcPersonas = [(other, printer)] }])
    r = boot c
    sender a = listToMaybe [ arpSenderMac p | f <- rOut (feed (arp ArpRequest theirs macB a (Mac 0)) (fresh r))
                           , Just e <- [decodeEther f], Just p <- [decodeArp (etherPayload e)] ]
    vendor (Mac m) = m `shiftR` 24
    known = fresh (feed (arp ArpRequest theirs macB other (Mac 0)) r)
    pinged = case sender other of
      Just mac -> feed (runPut (putMac mac) <> B.drop 6 (frame4 1 theirs other (putIcmp4 (Echo 0 (C.pack "abcd"))))) known
      Nothing -> known

watching :: Maybe String
watching = check
  [ ("kinds", map touchKind ts == [TouchArp, TouchTcp, TouchUdp, TouchPing])
  , ("open", map touchOpen ts == [True, False, False, True])
  , ("who", nub (map (endAddr . touchFrom) ts) == [theirs]) ]
  where
    ts = rTouched (feeds [ tcp (seg flagSyn 1 0 B.empty) { segTarget = 23 }
                         , frame4 17 theirs ours (putUdp theirs ours 9 161 B.empty)
                         , frame4 1 theirs ours (putIcmp4 (Echo 0 (C.pack "abcd"))) ]
                   (begin (\c -> c { cfgWatch = True })))

-- -- Addresses

dhcpReply :: Word8 -> Word32 -> ByteString
dhcpReply kind xid = dhcpReplyTo kind xid 100

dhcpReplyTo :: Word8 -> Word32 -> Word32 -> ByteString
dhcpReplyTo kind xid lease = runPut (putEther broadcastMac macB typeIpv4
  <> putIpv4 (Ipv4 0 1 0 0 64 17 theirs (V4 0xffffffff) B.empty)
       (putUdp theirs (V4 0xffffffff) 67 68 (runPut (putDhcp (DhcpMessage 2 xid 0 0 anyV4 (V4 0x0a00004d) macA
         [ (53, B.singleton kind), (54, runPut (putAddr theirs)), (51, runPut (put32 lease))
         , (1, B.pack [255, 255, 255, 0]), (3, runPut (putAddr theirs)), (6, runPut (putAddr (V4 0x08080808))) ])))))

-- The client's messages among the frames: type, transaction, whether to all.
dhcpOf :: Run -> [(Int, Word32, Bool)]
dhcpOf r = [ (fromIntegral (B.head k), dmXid m, isBroadcastV4 (ip4Target h))
           | h <- packets r, ip4Proto h == 17
           , Just u <- [decodeUdp (ip4Source h) (ip4Target h) (ip4Payload h)], udpTarget u == 67
           , Just m <- [decodeDhcp (udpPayload u)], Just k <- [messageOption 53 m] ]

-- Discovery, offer, request, lease; renewal by unicast at half of it, rebinding
-- to all at seven eighths, the end.
dhcpLife :: Maybe String
dhcpLife = check
  [ ("discovers", [k | (k, _, _) <- dhcpOf r0] == [1])
  , ("requests", [k | (k, _, _) <- dhcpOf r1] == [3])
  , ("bound", addresses (rStack r2) == [(1, V4 0x0a00004d, 24)])
  , ("dns", rAnswer (ask NameServers r2) == Servers [V4 0x08080808])
  , ("route", length (routeList (sRoutes (rStack r2))) == 2)
  , ("renews", [(k, all') | (k, _, all') <- dhcpOf r3] == [(3, False)])
  , ("renewed", addresses (rStack r3') == [(1, V4 0x0a00004d, 24)] && null (dhcpOf (wait (seconds 1000) (fresh r3'))))
  , ("rebinds", (3, True) `elem` [(k, all') | (k, _, all') <- dhcpOf r4])
  , ("expires", null (addresses (rStack r5)) && elem 1 [k | (k, _, _) <- dhcpOf r5])
  , ("foreign-ignored", null (dhcpOf (feed (dhcpReply 2 (xid + 1)) (fresh r0))))
  , ("nak", elem 1 [k | (k, _, _) <- dhcpOf (wait (seconds 3) (fresh (feed (dhcpReply 6 xid) r1)))])
  , ("asks-again", length (dhcpOf (wait (seconds 100) (fresh r0))) > 3) ]
  where
    r0 = boot (defaultConfig [plain { ifcAddrs = [], ifcDhcp = True }])
    xid = case dhcpOf r0 of { (_, x, _) : _ -> x; [] -> 0 }
    r1 = feed (dhcpReplyTo 2 xid 4000) (fresh r0)
    r2 = feed (arp ArpRequest theirs macB (V4 0x0a00004d) (Mac 0)) (feed (dhcpReplyTo 5 xid 4000) (fresh r1))
    r3 = feed (arp ArpReply theirs macB (V4 0x0a00004d) macA) (wait (seconds 2001) (fresh r2))
    r3' = feed (dhcpReplyTo 5 xid 4000) r3
    r4 = wait (seconds 1600) (fresh r3)
    r5 = wait (seconds 500) (fresh r4)

slaac :: Maybe String
slaac = check
  [ ("link-local", length (filter isLinkLocal as0) == 1)
  , ("solicits", not (null [() | Just (RouterSolicit _) <- ndps r1]))
  , ("address", length global == 1 && all (inPrefix (Prefix (V6 0x20010db800000000 0) 64)) global)
  , ("stable", global == globalOf (announce 255 r1))
  , ("far-router-ignored", null (globalOf (announce 64 r1)))
  , ("dns", rAnswer (ask NameServers r2) == Servers [V6 0x20010db800000000 0x53])
  , ("expires", null (globalOf (wait (seconds 90000) r2))) ]
  where
    r0 = boot (defaultConfig [plain { ifcIpv6 = True }])
    r1 = wait (seconds 2) r0
    as0 = [a | (_, a, _) <- addresses (rStack r1)]
    announce hops r = wait (seconds 2) (feed (frame6 hops router6 linkLocalAll (rawIcmp6 router6 linkLocalAll (putNdp advert))) r)
    r2 = announce 255 r1
    globalOf r = [a | (_, a, _) <- addresses (rStack r), not (isV4 a), not (isLinkLocal a)]
    global = globalOf r2

ndps :: Run -> [Maybe Ndp]
ndps r = [ decodeNdp (ip6Payload h) | f <- rOut r, Just e <- [decodeEther f]
         , etherType e == typeIpv6, Just h <- [decodeIpv6 (etherPayload e)], ip6Proto h == 58 ]

-- Somebody has our link-local address: another one is made.
dad :: Maybe String
dad = check
  [ ("looked", length wanted == 1)
  , ("another", map snd' (addresses (rStack r2)) /= wanted && length (addresses (rStack r2)) == 1) ]
  where
    r0 = boot (defaultConfig [plain { ifcIpv6 = True, ifcAddrs = [] }])
    wanted = [a | Just (Solicit a Nothing) <- ndps r0]
    taken = head (wanted ++ [router6])
    r1 = feed (frame6 255 taken linkLocalAll (rawIcmp6 taken linkLocalAll (putNdp (Advertise False False True taken (Just macB))))) r0
    r2 = wait (seconds 5) r1
    snd' (_, a, _) = a

natCase :: Maybe String
natCase = check
  [ ("forwards", [(ip4Source p, ip4Target p, ip4Ttl p) | p <- packets there] == [(ours, inner, 63)])
  , ("port", map segTarget (segments there) == [80])
  , ("back", [(ip4Source p, ip4Target p) | p <- packets back] == [(ours, theirs)])
  , ("back-ports", [(segSource s, segTarget s) | s <- segments back] == [(8080, 5000)])
  , ("same-session", cenSessions (census (rStack back)) == 1)
  , ("ends", cenSessions (census (rStack (wait (seconds 8000) back))) == 0) ]
  where
    inner = V4 0x0a000009
    r = fresh (feed (arp ArpRequest inner macB ours (Mac 0))
      (begin (\c -> c { cfgForwards = [Forward Tcp 8080 (Endpoint inner 80)] })))
    there = feed (tcp (seg flagSyn 5 0 B.empty) { segTarget = 8080 }) r
    port = head (map segSource (segments there) ++ [0])
    back = feed (frame4 6 inner ours (putSegment [] inner ours
      (Segment 80 port 900 6 (flagSyn .|. flagAck) 100 noOptions B.empty))) (fresh there)

-- A forwarded port; segments from the peer to it, and back from the inner machine.
natInner :: Addr
natInner = V4 0x0a000009

natRun :: Run
natRun = fresh (feed (arp ArpRequest natInner macB ours (Mac 0))
  (begin (\c -> c { cfgForwards = [Forward Tcp 8080 (Endpoint natInner 80)] })))

natIn :: Word8 -> Run -> Run
natIn flags = feed (tcp (seg flags 5 0 B.empty) { segTarget = 8080 })

natBack :: Word16 -> Word8 -> Run -> Run
natBack port flags = feed (frame4 6 natInner ours (putSegment [] natInner ours
  (Segment 80 port 900 6 flags 100 noOptions B.empty)))

natOpen :: (Run, Word16)
natOpen = (fresh (natIn flagAck (natBack port (flagSyn .|. flagAck) there)), port)
  where
    there = natIn flagSyn natRun
    port = head (map segSource (segments there) ++ [0])

-- A session lasts as long as its connection.
natStages :: Maybe String
natStages = check
  [ ("nobody-answers", left 100 (natIn flagSyn natRun) == 0)
  , ("nobody-there", left 100 (natBack port (flagSyn .|. flagAck) (natIn flagSyn natRun)) == 0)
  , ("open", left 1000 r == 1)
  , ("finished", left 300 (foldl' (flip ($)) r [ natIn fin, natBack port flagAck
      , natBack port fin, natIn flagAck ]) == 0)
  , ("half", let half = natIn fin r
                 more x = natBack port flagAck (wait (seconds 200) x)
             in left 0 (more (more (more half))) == 1)
  , ("reset", left 300 (natIn flagAck (natBack port flagRst r)) == 0)
  , ("anew", left 1000 (foldl' (flip ($)) (natIn fin r) [ natIn flagSyn
      , natBack port (flagSyn .|. flagAck), natIn flagAck ]) == 1) ]
  where
    (r, port) = natOpen
    fin = flagFin .|. flagAck
    left n x = cenSessions (census (rStack (wait (seconds n) x)))

-- More SYNs than there may be sessions: the next one is forwarded still, and
-- what is open stays.
natFull :: Maybe String
natFull = check
  [ ("bounded", cenSessions (census (rStack flooded)) == sessionsMax)
  , ("forwards", [ip4Target p | p <- packets (natIn flagSyn (fresh flooded))] == [natInner]
      && [ip4Target p | p <- packets (knock 60000 (fresh flooded))] == [natInner])
  , ("open-stays", [segTarget s | s <- segments (natBack port flagAck (fresh flooded))] == [5000]) ]
  where
    (r, port) = natOpen
    knock n = feed (tcp (seg flagSyn 5 0 B.empty) { segTarget = 8080, segSource = n })
    flooded = foldl' (\x n -> fresh (knock n x)) r [10000 .. 10000 + fromIntegral sessionsMax]

-- Ten thousand addresses that do not answer.
neighbourBound :: Maybe String
neighbourBound = check
  [ ("bounded", cenNeighbours (census (rStack x)) <= 1024)
  , ("forgotten", cenNeighbours (census (rStack (wait (seconds 10) x))) <= 1) ]
  where
    wide = begin (\c -> c { cfgInterfaces = [plain { ifcAddrs = [(ours, 8)] }] })
    x = foldl' (\r n -> fresh (ask (SendTo 1 (Just (Endpoint (V4 (0x0a010000 + n)) 9)) (C.pack "x")) r))
          (ask (Open Udp False) wide) [1 .. 10000]

listenerClose :: Maybe String
listenerClose = check
  [ ("reset", any hasRst (segments x))
  , ("nothing-left", let c = census (rStack x) in (cenSockets c, cenConnections c, cenBound c) == (0, 0, 0)) ]
  where
    r = feed (tcp (syn noOptions { optMss = 1460 })) (listening (begin id))
    x = ask (Close 1) (fresh r)

-- A thousand segments for ports that nobody has: at most two hundred answers.
errorsBounded :: Maybe String
errorsBounded = check [("bounded", length (rOut x) <= 200 && length (rOut x) > 100)]
  where x = foldl' (\r n -> feed (tcp (seg flagSyn 1 0 B.empty) { segTarget = n }) r) (begin id) [1000 .. 1999]

-- -- Large frames

-- An interface that cuts and sums: frames both ways have its header.
leftToInterface :: Maybe String
leftToInterface = check
  [ ("one-frame", [B.length f | f <- large] == [10 + 14 + 40 + 10 * 1460])
  , ("says-so", map (B.take 10) large == [runPut (putOffload (Cut 34 16 54 1460 False))])
  , ("begun", [u16 f (10 + 34 + 16) | f <- large] == [pseudoSum (20 + 10 * 1460)])
  , ("rest", map (B.take 10) rest == [runPut (putOffload (Sum 34 16))])
  , ("unsummed-taken", got (B.cons 1 (B.replicate 9 0)) == Received [C.pack "hello"])
  , ("checked-taken", got (B.cons 2 (B.replicate 9 0)) == Received [C.pack "hello"])
  , ("unknown-dropped", got (B.replicate 10 0) == Failed Again)
  , ("no-header", rAnswer (ask (Receive 2 9) (feed (B.replicate 9 1) r)) == Failed Again) ]
  where
    (r, nxt) = openedOver plain { ifcLarge = 65535 }
    -- As much as the first window of congestion lets through (RFC 6928).
    large = rOut (ask (Send 2 (B.replicate 20000 7)) r)
    rest = rOut (ask (Send 2 (C.pack "hi")) r)
    -- One bit of the data is wrong.
    bad = let f = tcp (seg flagAck 1000 nxt (C.pack "hellp"))
          in B.take (B.length f - 1) f <> C.pack "o"
    got h = rAnswer (ask (Receive 2 9) (feed (h <> bad) r))
    pseudoSum size = let t = 0x0a00 + 1 + 0x0a00 + 2 + 6 + size :: Int
                     in fromIntegral ((t .&. 0xffff) + t `shiftR` 16)

-- Segments that left together are single ones again as soon as one is lost.
cutBeforeLoss :: Maybe String
cutBeforeLoss = check
  [ ("cut-on-the-way", map size (segments sent) == replicate 10 1460)
  , ("order", map segSeq (segments sent) == take 10 (iterate (+ 1460) nxt))
  , ("pushed-once", [segFlags s .&. flagPsh | s <- segments short]
      == replicate 2 0 ++ [flagPsh])
  , ("first-again", [(segSeq s, size s) | s <- segments told
                    , segSeq s - nxt < 4 * 1460] == [(nxt, 1460)]) ]
  where
    (r, nxt) = openedWith noOptions { optMss = 1460, optSackOk = True }
      (wait 1000 (begin id))
    sent = ask (Send 2 (B.replicate 20000 7)) r
    short = ask (Send 2 (B.replicate 4000 7)) (ask (SetOption 2 (NoDelay True)) r)
    size = B.length . segPayload
    -- All but the first arrived, told by and by.
    told = wait 20000 $ foldl' (\x n -> feed (tcp ((seg flagAck 1000 nxt B.empty)
        { segOptions = noOptions { optSack =
            [Block (nxt + 1460) (nxt + 1460 * n)] } })) x) (wait 5000 (fresh sent)) [2 .. 5]
