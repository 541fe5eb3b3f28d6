-- SPDX-License-Identifier: BSD-3-Clause
{-# OPTIONS_GHC -Wno-orphans #-}
-- Properties of the pure stack, a line each: PASS or FAIL, its name.
--
--   properties [NUMBER] [NAME ...]
--
-- NUMBER of random traces (2000), and a tenth to all of it for the other
-- properties; only those whose names contain one of the NAMEs. What fails is
-- printed with the scenario, which replays it:
--
--   properties --replay 'Scenario {...}'
module Main (main) where

import Control.Exception
import Control.Monad
import Data.Bits
import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.List (foldl', isInfixOf)
import Data.Word
import System.Environment
import System.Exit
import System.IO
import Test.QuickCheck hiding ((.&.))

import Cases
import HaLVM.Net.Arp
import HaLVM.Net.Bytes
import HaLVM.Net.Checksum
import HaLVM.Net.Dhcp
import HaLVM.Net.Dns
import HaLVM.Net.Ethernet
import HaLVM.Net.Icmp
import HaLVM.Net.Ipv4
import HaLVM.Net.Ipv4.Reassembly
import HaLVM.Net.Ipv6
import HaLVM.Net.Nat
import HaLVM.Net.Ndp
import HaLVM.Net.Persona
import HaLVM.Net.Stack
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Udp
import Running
import Sim

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  args <- getArgs
  case args of
    ["--replay", text] -> do
      let o = simulate True (read text)
      mapM_ putStrLn (reverse (outTrace o))
      print (verdict (read text) o)
    n : names | [(k, "")] <- reads n -> runAll k names
    names -> runAll 2000 names

runAll :: Int -> [String] -> IO ()
runAll n names = do
  results <- forM (wanted properties) $ \(name, share, p) -> do
    r <- quickCheckWithResult stdArgs
      { maxSuccess = max 20 (n * share `quot` 100), chatty = False } p
    report name (isSuccess r) (output r)
  cases <- forM (wanted3 theCases) $ \(name, good) -> do
    ok <- try (evaluate good)
    case ok of
      Right Nothing -> report name True ""
      Right (Just why) -> report name False why
      Left e -> report name False (show (e :: SomeException))
  runs <- forM (wanted3 theRuns) $ \(name, good) -> do
    ok <- try good
    case ok of
      Right why -> report name (why == Nothing) (maybe "" id why)
      Left e -> report name False (show (e :: SomeException))
  unless (and (results ++ cases ++ runs)) exitFailure
  where
    wanted ps = [p | p@(name, _, _) <- ps, chosen name]
    wanted3 ps = [p | p@(name, _) <- ps, chosen name]
    chosen name = null names || any (`isInfixOf` name) names
    report name ok why = do
      unless ok (putStr (unlines (map ("    " ++) (lines why))))
      putStrLn ((if ok then "PASS " else "FAIL ") ++ "halvm-net-" ++ name)
      pure ok

-- Names, percent of the number of traces, properties.
properties :: [(String, Int, Property)]
properties =
  [ ("trace", 100, property prop_trace)
  , ("fuzz-frames", 100, property prop_fuzz)
  , ("fuzz-decoders", 100, property prop_decoders)
  , ("checksum", 50, property prop_checksum)
  , ("checksum-adjust", 50, property prop_adjust)
  , ("segment-round-trip", 50, property prop_segment)
  , ("packet-round-trip", 50, property prop_packet)
  , ("datagram-round-trip", 50, property prop_datagram)
  , ("icmp-round-trip", 50, property prop_icmp)
  , ("ndp-round-trip", 50, property prop_ndp)
  , ("arp-round-trip", 50, property prop_arp)
  , ("dhcp-round-trip", 20, property prop_dhcp)
  , ("dns-names", 20, property prop_dns)
  , ("address-text", 50, property prop_address)
  , ("reassembly", 50, property prop_reassembly)
  , ("reassembly-bounds", 20, property prop_reassemblyBounds)
  , ("nat-rewrite", 50, property prop_nat)
  ]

-- -- Traces

instance Arbitrary Scenario where
  arbitrary = do
    bad <- frequency [(2, pure 0), (3, choose (1, 60)), (2, choose (1, 205))]
    dup <- elements [0, 0, bad, 100]
    cor <- elements [0, 0, min 50 bad]
    buffers <- (,) <$> buffer <*> buffer
    Scenario <$> arbitrary <*> pure bad <*> pure dup <*> pure cor
      <*> elements [10, 100, 1000, 50000]
      <*> elements [0, 0, 50, 5000, 60000]
      <*> ((,) <$> amount <*> amount)
      <*> pure buffers
      <*> ((,) <$> mtu <*> mtu)
      <*> elements [1 + 40, 1000, 65536] <*> elements [100, 5000, 65536]
      <*> elements [0, 0, 0, 1000, 300000]
      <*> arbitrary
      <*> ((,) <$> choose (0, 3) <*> choose (0, 3))
      <*> frequency [(4, pure AToB), (1, pure Both)]
      <*> arbitrary <*> frequency [(9, pure False), (1, pure True)]
    where
      amount = frequency [ (1, pure 0), (2, choose (1, 20)), (4, choose (0, 5000))
                         , (2, choose (0, 40000)) ]
      buffer = elements [2048, 5000, 16384, 65535, 262144, 1048576]
      mtu = elements [1500, 1500, 576, 1280, 9000]
  shrink s =
    [ s { scLose = 0 } | scLose s > 0 ] ++ [ s { scDuplicate = 0 } | scDuplicate s > 0 ]
    ++ [ s { scCorrupt = 0 } | scCorrupt s > 0 ] ++ [ s { scJitter = 0 } | scJitter s > 0 ]
    ++ [ s { scBytes = b } | b <- shrink (scBytes s), fst b >= 0, snd b >= 0 ]
    ++ [ s { scReadPause = 0 } | scReadPause s > 0 ]
    ++ [ s { scPersonas = (0, 0) } | scPersonas s /= (0, 0) ]
    ++ [ s { scMtus = (1500, 1500) } | scMtus s /= (1500, 1500) ]
    ++ [ s { scOpening = AToB } | scOpening s == Both ]

prop_trace :: Scenario -> Property
prop_trace sc = counterexample (unlines why) (null why)
  where why = verdict sc (simulate False sc)

-- What is wrong with an outcome.
verdict :: Scenario -> Outcome -> [String]
verdict sc o = outComplaints o
  ++ [ "not all arrived: " ++ show (outGot o) | outGot o /= scBytes sc, fine ]
  ++ [ "errors on a good wire: " ++ show (outErrors o)
     | not (null (outErrors o)), scLose sc == 0, scCorrupt sc == 0, not (scAbort sc) ]
  ++ [ "left behind: " ++ show c | let (a, b) = outCensus o, c <- [a, b]
     , cenSockets c + cenConnections c + cenTimers c + cenBound c > listening ]
  where
    fine = null (outErrors o) && not (scAbort sc)
    -- Nobody came, and the listener is there still; or a reset was lost, and
    -- the other side waits for data, as it must.
    listening | scAbort sc = 4
              | null (outErrors o) = 0
              | otherwise = 2

-- -- Fuzz

-- A stack in the middle of things, and frames: random, or good ones changed.
prop_fuzz :: Property
prop_fuzz = forAll gen $ \frames ->
  let (s, _) = foldl' one (busyStack, 1000000) frames
      one (x, t) f = let (x', as) = step t (Frames 1 [f]) x
                         (x'', as') = step (t + 300000) TimePasses x'
                     in sum (map force' (as ++ as')) `seq` (x'', t + 300000)
  in length (show (census s)) > 0
  where
    force' a = length (show a)
    gen = choose (1, 6) >>= \n -> vectorOf n fuzzedFrame

fuzzedFrame :: Gen ByteString
fuzzedFrame = oneof
  [ B.pack <$> arbitrary
  , addressed
  , elements goodFrames >>= mutate 1
  , elements goodFrames >>= mutate 4
  , elements goodFrames
  , choose (0, 60) >>= \n -> B.take n <$> elements goodFrames ]
  where
    addressed = do
      kind <- elements [0x0800, 0x86dd, 0x0806]
      body <- choose (0, 80) >>= \n -> B.pack <$> vectorOf n arbitrary
      first <- elements [0x45, 0x46, 0x4f, 0x60]
      pure (runPut (putEther (Mac 0x020000000001) (Mac 0x020000000002) kind
        <> put8 first <> putBytes body))

-- Changes bytes; sometimes puts the checksums right again, to come further.
mutate :: Int -> ByteString -> Gen ByteString
mutate n f0 = do
  f <- foldM change f0 [1 .. n]
  repaired <- arbitrary
  pure (if repaired then repair f else f)
  where
    change f _
      | B.null f = pure f
      | otherwise = do
          at <- choose (0, B.length f - 1)
          w <- oneof [arbitrary, elements [0, 1, 4, 5, 8, 60, 255]]
          let (a, b) = B.splitAt at f
          pure (a <> B.cons w (B.tail b))

repair :: ByteString -> ByteString
repair f
  | B.length f < 34 || u16 f 12 /= 0x0800 || B.index f 14 .&. 15 < 5 = f
  | B.length f < 14 + hl + 8 = f
  | otherwise =
      let h0 = set16 10 0 (B.take hl (B.drop 14 f))
          h = set16 10 (finish (sumBytes h0)) h0
          body = B.drop (14 + hl) f
          at = case B.index h 9 of { 6 -> 16; 17 -> 6; _ -> 2 }
          b0 = set16 at 0 body
          start = if B.index h 9 == 1 then 0
            else pseudo (addrV4 h 12) (addrV4 h 16) (B.index h 9) (B.length body)
          b1 = if B.length body > at + 2 then set16 at (finish (start + sumBytes b0)) b0 else body
      in B.take 14 f <> h <> b1
  where
    hl = fromIntegral (B.index f 14 .&. 15) * 4
    set16 i w b = let (x, y) = B.splitAt i b in x <> runPut (put16 w) <> B.drop 2 y

prop_decoders :: [Word8] -> Property
prop_decoders ws = shown === shown
  where
    b = B.pack ws
    a = V6 1 2
    shown = sum (map length
      [ show (decodeEther b), show (decodeArp b), show (decodeIpv4 b), show (decodeIpv6 b)
      , show (decodeIcmp4 b), show (decodeIcmp6 a a b), show (decodeUdp a a b)
      , show (decodeSegment a a b), show (decodeOptions b), show (decodeDhcp b)
      , show (decodeDhcp (B.replicate 1 2 <> B.pack [1, 6] <> B.replicate 233 0
                            <> B.pack [0x63, 0x82, 0x53, 0x63] <> b))
      , show (decodeResponse b)
      , show (decodeResponse (B.pack [0, 1, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0] <> b))
      , show (decodeNdp (B.pack [134, 0] <> b)), show (skipHeaders 0 b) ])

-- -- Codecs

instance Arbitrary Addr where
  arbitrary = oneof [V4 <$> arbitrary, V6 <$> sparse <*> sparse]
    where sparse = oneof [arbitrary, pure 0, (`shiftL` 16) <$> arbitrary, choose (0, 0xffff)]

instance Arbitrary Mac where
  arbitrary = Mac . (.&. 0xfeffffffffff) <$> arbitrary

bytes :: Gen ByteString
bytes = B.pack <$> (choose (0, 200) >>= \n -> vectorOf n arbitrary)

prop_checksum :: Property
prop_checksum = forAll bytes $ \b -> forAll (choose (0, 7)) $ \off ->
  let c = B.drop off b in finish (sumBytes c) === slow (B.unpack c)
  where
    slow ws = complement (folded (sum (pairs ws)))
    pairs (a : b : r) = (fromIntegral a * 256 + fromIntegral b) : pairs r
    pairs [a] = [fromIntegral a * 256]
    pairs [] = []
    folded :: Int -> Word16
    folded n | n > 0xffff = folded (n .&. 0xffff + n `shiftR` 16)
             | otherwise = fromIntegral n

prop_adjust :: Word16 -> Word16 -> Word16 -> Property
prop_adjust a b c = same (adjust16 a b (sumOf [a, c, 0x1234])) === same (sumOf [b, c, 0x1234])
  where
    sumOf ws = finish (foldr add16 0 ws)
    same w = if w == 0xffff then 0 else w -- the two zeros

prop_segment :: Property
prop_segment = forAll ((,) <$> arbitrary <*> arbitrary) $ \(a, b0) ->
  let b = if isV4 a then V4 0x01020304 else (if isV4 b0 then V6 5 6 else b0) in
  forAll bytes $ \payload ->
  forAll ((,,) <$> arbitrary <*> arbitrary <*> arbitrary) $ \(p, q, w) ->
  forAll ((,,) <$> arbitrary <*> arbitrary <*> choose (0, 31)) $ \(sq, ack, flags0) ->
  forAll (elements personas) $ \persona -> forAll arbitrary $ \stamped ->
  let flags = flags0 :: Word8
      syn = testBit flags 1
      order = personaOptions persona
      stamps = if stamped && (not syn || OptTimestamps `elem` order)
        then Stamp sq ack else NoStamp
      o | syn = Options { optMss = 1460
            , optScale = if OptScale `elem` order then 7 else -1
            , optSackOk = OptSackOk `elem` order, optStamp = stamps, optSack = [] }
        | otherwise = noOptions { optStamp = stamps
            , optSack = [Block sq ack | stamped] ++ [Block 1 2, Block 3 9] }
      s = Segment p q sq ack flags w o payload
  in decodeSegment a b (runPut (putSegment order a b s)) === Just s

prop_packet :: Property
prop_packet = forAll bytes $ \payload -> forAll arbitrary $ \(w, x, y) ->
  forAll (choose (0, 8191)) $ \off ->
  let h = Ipv4 0 w (if odd w then 0x4000 else 0x2000) (off * 8) 64 17 (V4 x) (V4 y) payload
  in decodeIpv4 (runPut (putIpv4 h (putBytes payload)) <> B.pack [0, 0, 0]) === Just h
     .&&. decodeIpv6 (runPut (putIpv6 9 6 (V6 1 2) (V6 3 4) (putBytes payload)) <> B.pack [1])
          === Just (Ipv6 9 6 (V6 1 2) (V6 3 4) Nothing payload)

prop_datagram :: Property
prop_datagram = forAll bytes $ \payload -> forAll arbitrary $ \(p, q) ->
  decodeUdp (V4 1) (V4 2) (runPut (putUdp (V4 1) (V4 2) p q payload))
    === Just (UdpHeader p q payload)
  .&&. decodeUdp (V6 1 1) (V6 2 2) (runPut (putUdp (V6 1 1) (V6 2 2) p q payload))
    === Just (UdpHeader p q payload)

prop_icmp :: Property
prop_icmp = forAll bytes $ \rest0 ->
  let rest = rest0 <> B.pack [1, 2, 3, 4] in
  conjoin
    [ decodeIcmp4 (runPut (putIcmp4 i)) === Just i .&&.
      decodeIcmp6 (V6 1 2) (V6 3 4) (runPut (putIcmp6 (V6 1 2) (V6 3 4) i)) === Just i
    | i <- [Echo 0 rest, EchoReply 3 rest, Unreachable NoPort rest, Unreachable NoHost rest
           , Unreachable (TooBig 1400) rest, TimeExceeded rest] ]

prop_ndp :: Property
prop_ndp = forAll ((,) <$> arbitrary <*> arbitrary) $ \(mac, (x, y)) ->
  let a = V6 (x .&. 0x00ffffffffffffff) y
      advert = Advert 64 1800 (Just mac) (Just 1400)
        [PrefixInfo a 64 True True 3600 1800] [(a, 600)]
      wire n = runPut (putNdp n)
  in conjoin [ decodeNdp (wire n) === Just n
             | n <- [ Solicit a (Just mac), Solicit a Nothing
                    , Advertise True False True a (Just mac)
                    , RouterSolicit (Just mac), RouterAdvert advert ] ]

prop_arp :: Property
prop_arp = forAll arbitrary $ \(m, n, x, y) ->
  conjoin [ decodeArp (runPut (putArp p)) === Just p
          | o <- [ArpRequest, ArpReply], let p = Arp o m (V4 x) n (V4 y) ]

prop_dhcp :: Property
prop_dhcp = forAll arbitrary $ \(x, y, z, mac) -> forAll bytes $ \o ->
  let m = DhcpMessage 2 x 7 0x8000 (V4 y) (V4 z) mac
            [(53, B.pack [5]), (12, B.take 200 o), (51, B.pack [0, 0, 1, 0])]
  in decodeDhcp (runPut (putDhcp m)) === Just m

prop_dns :: Property
prop_dns = forAll names $ \ls ->
  let host = foldr1 (\a b -> a ++ "." ++ b) ls
      q = encodeQuery 5 host TypeA
      answer = B.pack [0, 5, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] <> B.drop 12 q
        <> B.pack [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3]
  in case decodeResponse answer of
       Just r -> matchesQuery host TypeA r
         .&&. addressesOf host r === [V4 0x0a010203]
       Nothing -> counterexample "not decoded" False
  where
    names = choose (1, 4) >>= \n -> vectorOf n
      (choose (1, 20) >>= \k -> vectorOf k (elements (['a' .. 'z'] ++ "-0123456789")))

prop_address :: Addr -> Property
prop_address a = parseAddr (showAddr a) === Just a

-- -- Fragments

-- Pieces in any order, some twice, give the whole once.
prop_reassembly :: Property
prop_reassembly = forAll (choose (1, 4000)) $ \n -> forAll (choose (1, 60)) $ \unit ->
  let whole = B.pack (take n (cycle [0 ..]))
      size = max 80 (unit * 8)
      pieces = [ Piece at (at + size < n) (B.take size (B.drop at whole))
               | at <- [0, size .. n - 1] ]
  in forAll (shuffle (pieces ++ take 2 pieces)) $ \order ->
     let (_, got) = foldl' (\(r, done) p -> let (r', d) = addPiece 0 key p r
                                            in (r', maybe done (: done) d))
                      (emptyReassembly, []) order
     in counterexample (show (length order)) (take 1 got === [whole])
  where key = FragKey (V4 1) (V4 2) 17 9

-- Whatever comes, what is held stays within its bounds, and time ends it.
prop_reassemblyBounds :: Property
prop_reassemblyBounds = forAll (listOf piece) $ \ps ->
  let rs = scanl (\r (t, k, p) -> fst (addPiece t k p r)) emptyReassembly ps
  in conjoin [ counterexample (show (pending r, bytesHeld r))
                 (pending r <= packetsMax && bytesHeld r <= bytesMax && bytesHeld r >= 0)
             | r <- rs ]
     .&&. pending (expire (seconds 100000) (last rs)) === 0
     .&&. bytesHeld (expire (seconds 100000) (last rs)) === 0
  where
    piece = do
      k <- choose (0, 200)
      off <- (* 8) <$> choose (0, 8000)
      n <- (* 8) <$> choose (0, 1000)
      more <- arbitrary
      t <- choose (0, 1000)
      pure (t, FragKey (V4 1) (V4 2) 17 k, Piece off more (B.replicate n 7))

-- -- NAT

-- A rewritten segment has a good checksum and everything else unchanged.
prop_nat :: Property
prop_nat = forAll bytes $ \payload -> forAll arbitrary $ \(x, y, p, q) ->
  forAll arbitrary $ \(x', y', p', q') ->
  let from = Endpoint (V4 x) p
      to = Endpoint (V4 y) q
      from' = Endpoint (V4 x') p'
      to' = Endpoint (V4 y') q'
      s = Segment p q 5 6 16 7 noOptions payload
      wire = runPut (putSegment [] (V4 x) (V4 y) s)
      u = runPut (putUdp (V4 x) (V4 y) p q payload)
  in (rewrite Tcp (from, to) (Translated from' to') wire
        >>= decodeSegment (V4 x') (V4 y') . runPut)
       === Just s { segSource = p', segTarget = q' }
     .&&. (rewrite Udp (from, to) (Translated from' to') u
        >>= decodeUdp (V4 x') (V4 y') . runPut)
       === Just (UdpHeader p' q' payload)
