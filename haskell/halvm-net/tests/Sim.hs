-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- Two stacks on a simulated wire that loses, duplicates, delays, reorders and
-- damages frames, with a simple program on each. All of it is a function of
-- the scenario, whose text replays it. Every frame is looked at: what a peer
-- must never do ends the run with a complaint.
module Sim
  ( Scenario (..), Outcome (..), Opening (..), simulate, calm
  ) where

import Data.Bits
import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.List (foldl')
import qualified Data.Map.Strict as M
import Data.Word

import HaLVM.Net.Ethernet
import HaLVM.Net.Ipv4
import HaLVM.Net.Persona
import HaLVM.Net.SipHash
import HaLVM.Net.Stack
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Segment

data Opening = AToB | Both -- who connects
  deriving (Eq, Show, Read, Enum, Bounded)

data Scenario = Scenario
  { scSeed :: Word64
  , scLose, scDuplicate, scCorrupt :: Int -- of 1024 frames
  , scDelay, scJitter :: Time
  , scBytes :: (Int, Int)   -- that A sends, that B sends
  , scBuffers :: (Int, Int)
  , scMtus :: (Int, Int)
  , scChunk :: Int          -- bytes of a write, at most
  , scReadSize :: Int
  , scReadPause :: Time     -- of B between reads; 0: none
  , scCubic :: Bool
  , scPersonas :: (Int, Int) -- indices into 'personas'
  , scOpening :: Opening
  , scNoDelay :: Bool
  , scAbort :: Bool         -- A aborts once it has sent half
  } deriving (Eq, Show, Read)

calm :: Scenario
calm = Scenario
  { scSeed = 1, scLose = 0, scDuplicate = 0, scCorrupt = 0
  , scDelay = 100, scJitter = 0, scBytes = (100000, 1000)
  , scBuffers = (262144, 262144), scMtus = (1500, 1500), scChunk = 65536
  , scReadSize = 65536, scReadPause = 0, scCubic = True, scPersonas = (0, 0)
  , scOpening = AToB, scNoDelay = False, scAbort = False }

data Outcome = Outcome
  { outComplaints :: [String]
  , outGot :: (Int, Int)       -- bytes that B and A read
  , outErrors :: [Error]
  , outTime :: Time            -- when both programs had ended
  , outCensus :: (Census, Census) -- when nothing happens any more
  , outFrames :: Int
  , outTrace :: [String]       -- the latest first
  }

data App = App
  { appSock :: Maybe SockId
  , appListener :: Maybe SockId
  , appToSend :: Int
  , appSent :: Int
  , appGot :: Int
  , appGood :: Bool
  , appShut :: Bool
  , appEof :: Bool
  , appDone :: Bool
  , appError :: Maybe Error
  , appReadAt :: Time
  }

-- What a watcher of the wire knows of one side.
data Watcher = Watcher
  { waEdge :: Maybe Word32  -- right edge of the window it offered
  , waTop :: Maybe Word32   -- after the last number it sent
  , waFirst :: Maybe Word32 -- its first byte of data
  , waScale :: Int
  , waAcked :: Maybe Word32
  }

data World = World
  { wNow :: !Time
  , wStacks :: !(M.Map Int Stack)
  , wApps :: !(M.Map Int App)
  , wWatch :: !(M.Map Int Watcher)
  , wQueue :: !(M.Map (Time, Int) (Int, ByteString))
  , wCount :: !Int
  , wRandom :: !Random
  , wComplaints :: [String]
  , wTrace :: [String]
  }

pick :: Int -> (a, a) -> a
pick 0 = fst
pick _ = snd

addrOf :: Int -> Addr
addrOf side = V4 (0x0a000001 + fromIntegral side)

simulate :: Bool -> Scenario -> Outcome
simulate tracing sc = finishWith (run (2000000 :: Int) world0)
  where
    world0 = foldl' (\w side -> startApp side (boot side w))
      World { wNow = 0, wStacks = M.empty, wApps = M.empty
            , wWatch = M.fromList [(i, Watcher Nothing Nothing Nothing 0 Nothing) | i <- [0, 1]]
            , wQueue = M.empty, wCount = 0
            , wRandom = newRandom (Key (scSeed sc) 77)
            , wComplaints = [], wTrace = [] } [1, 0]

    boot side w =
      let i = (interface (Mac (0x020000000001 + fromIntegral side)))
                { ifcMtu = pick side (scMtus sc), ifcDhcp = False, ifcIpv6 = False
                , ifcAddrs = [(addrOf side, 24)]
                , ifcPersona = personas !! (pick side (scPersonas sc)) }
          c = (defaultConfig [i])
                { cfgTcp = defaultTcpConfig
                    { tcpSendBuffer = pick side (scBuffers sc)
                    , tcpReceiveBuffer = pick side (scBuffers sc)
                    , tcpAlgorithm = if scCubic sc then Cubic else NewReno } }
          (s, as) = newStack 0 (Key (scSeed sc) (fromIntegral side)) c
      in actions side as w { wStacks = M.insert side s (wStacks w) }

    startApp side w0 =
      let base = App Nothing Nothing (pick side (scBytes sc)) 0 0 True False False
                   False Nothing 0
          w = w0 { wApps = M.insert side base (wApps w0) }
          port = 1000 + fromIntegral side
          peer = Endpoint (addrOf (1 - side)) (1000 + fromIntegral (1 - side))
      in case scOpening sc of
           AToB | side == 1 ->
             let (o, w1) = ask side (Open Tcp False) w
                 Opened l = o
                 (_, w2) = ask side (Bind l (Endpoint anyV4 1001)) w1
                 (_, w3) = ask side (Listen l 8) w2
             in setApp side (\a -> a { appListener = Just l }) w3
           _ -> let (o, w1) = ask side (Open Tcp False) w
                    Opened s = o
                    (_, w2) = ask side (Bind s (Endpoint anyV4 port)) w1
                    (_, w3) = ask side (Connect s peer) w2
                in drive side (setApp side (\a -> a { appSock = Just s }) w3)

    setApp side f w = w { wApps = M.adjust f side (wApps w) }

    ask side c w =
      let (answer, s, as) = call (wNow w) c (wStacks w M.! side)
      in (answer, actions side as w { wStacks = M.insert side s (wStacks w) })

    actions side as w = foldl' (act side) w as
    act side w a = case a of
      Transmit _ frame -> transmit side frame w
      _ -> w

    -- The wire.
    transmit side frame w0 =
      let w = watch side frame w0
          (x, r) = nextWord64 (wRandom w)
          dice n = fromIntegral ((x `shiftR` n) .&. 1023) :: Int
          lost = dice 0 < scLose sc
          twice = dice 10 < scDuplicate sc
          bad = dice 20 < scCorrupt sc
          delay n = scDelay sc + if scJitter sc == 0 then 0
            else fromIntegral (x `rotateR` n) .&. 0xffffff `mod` scJitter sc
          at = fromIntegral (x `shiftR` 44) `mod` max 1 (B.length frame)
          sent | bad = let (p, q) = B.splitAt at frame
                       in p <> B.cons (complementBit (B.head q) 4) (B.tail q)
               | otherwise = frame
          put n d v = v { wQueue = M.insert (wNow v + d, wCount v) (1 - side, n) (wQueue v)
                        , wCount = wCount v + 1 }
          w1 = w { wRandom = r }
          w2 = if lost then note side "lost" w1 else put sent (delay 13) w1
      in if twice then put frame (delay 31) w2 else w2

    note side what w
      | tracing = w { wTrace = (show (wNow w) ++ " " ++ show side ++ " " ++ what)
                             : wTrace w }
      | otherwise = w

    -- What must never be seen.
    watch side frame w = case decodeEther frame of
      Just e | etherType e == typeIpv4, Just h <- decodeIpv4 (etherPayload e)
             , ip4Proto h == 6
             , Just g <- decodeSegment (ip4Source h) (ip4Target h) (ip4Payload h) ->
        let me = wWatch w M.! side
            other = wWatch w M.! (1 - side)
            end = segSeq g + fromIntegral (segmentLength g)
            buffer = pick side (scBuffers sc)
            scale = if hasSyn g then 0 else waScale me
            edge = segAck g + fromIntegral (fromIntegral (segWindow g) `shiftL` scale :: Int)
            later a b = maybe a (\o -> if before o a then a else o) b
            wrong = concat
              [ [ "window shrinks: " ++ show (edge `minus` o)
                | hasAck g, not (hasRst g), Just o <- [waEdge me]
                -- By what the scale cannot say, at most.
                , before (edge + bit scale - 1) o ]
              , [ "offers more than it has room for"
                | hasAck g, not (hasRst g), Just f <- [waFirst other]
                -- What is read is counted after its frames have left; a FIN.
                , edge `minus` f > appGot (wApps w M.! side) + buffer
                    + min (scReadSize sc) buffer + 1 ]
              , [ "acknowledges what was not sent"
                | hasAck g, not (hasRst g), Just t <- [waTop other], before t (segAck g) ]
              , [ "sends beyond the window"
                | Just o <- [waEdge other], not (hasSyn g), B.length (segPayload g) > 0
                , before o (segSeq g + fromIntegral (B.length (segPayload g))) ]
              , [ "acknowledgement goes back"
                | hasAck g, not (hasRst g), Just a <- [waAcked me], before (segAck g) a ]
              , [ "a segment too large: " ++ show (B.length (etherPayload e))
                | B.length (etherPayload e) > uncurry min (scMtus sc), hasSyn g || B.length (segPayload g) > 0 ]
              ]
            me' | hasRst g = me
                | otherwise = me
                    { waEdge = if hasAck g then Just (later edge (waEdge me)) else waEdge me
                    , waTop = Just (later end (waTop me))
                    , waFirst = if hasSyn g then Just (segSeq g + 1) else waFirst me
                    , waScale = if hasSyn g then max 0 (optScale (segOptions g)) else waScale me
                    , waAcked = if hasAck g then Just (later (segAck g) (waAcked me)) else waAcked me }
            -- Both must offer a scale.
            fixed m | hasSyn g, hasAck g, optScale (segOptions g) < 0
                    = M.map (\x -> x { waScale = 0 }) m
                    | otherwise = m
        in note side (showSegment g) w
             { wWatch = fixed (M.insert side me' (wWatch w))
             , wComplaints = map ((show (wNow w, side) ++ ": ") ++) wrong ++ wComplaints w }
      _ -> w

    -- The programs.
    drive side w = case M.lookup side (wApps w) of
      Nothing -> w
      Just a
        | appDone a -> w
        | Just l <- appListener a, Nothing <- appSock a ->
            case ask side (Accept l) w of
              (Accepted s _ _, w1) ->
                let (_, w2) = ask side (Close l) w1
                in drive side (setApp side (\x -> x { appSock = Just s
                                                    , appListener = Nothing }) w2)
              (_, w1) -> w1
        | Just s <- appSock a -> finishApp side s (reads' side s (writes side s w))
        | otherwise -> w

    writes side s w
      | appError a /= Nothing || appShut a = w
      | scAbort sc && side == 0 && appSent a * 2 >= appToSend a =
          let (_, w1) = ask side (Abort s) w
          in setApp side (\x -> x { appDone = True, appShut = True, appSock = Nothing }) w1
      | appSent a >= appToSend a = case ask side (Shutdown s HowSend) w of
          (Done, w1) | ready -> setApp side (\x -> x { appShut = True }) w1
          (_, w1) | ready -> setApp side (\x -> x { appShut = True }) w1
          _ -> w
      | otherwise =
          let size = min (scChunk sc) (appToSend a - appSent a)
              (answer, w1) = ask side (Send s (patternAt side (appSent a) size)) w
          in case answer of
               Sent n -> writes side s (setApp side (\x -> x { appSent = appSent x + n }) w1)
               Failed Again -> w1
               Failed e -> setApp side (\x -> x { appError = Just e }) w1
               _ -> w1
      where
        a = wApps w M.! side
        ready = case ask side (Send s B.empty) w of
          (Failed Again, _) -> False
          _ -> True

    reads' side s w
      | appEof a || appDone a || appReadAt a > wNow w = w
      | otherwise = case ask side (Receive s (scReadSize sc)) w of
          (Received [], w1) -> setApp side (\x -> x { appEof = True }) w1
          (Received bs, w1) ->
            let b = B.concat bs
                good = b == patternAt (1 - side) (appGot a) (B.length b)
                w2 = setApp side (\x -> x { appGot = appGot x + B.length b
                                          , appGood = appGood x && good
                                          , appReadAt = if side == 1 then wNow w + scReadPause sc
                                                        else 0 }) w1
            in reads' side s w2
          (Failed Again, w1) -> w1
          (Failed e, w1) -> setApp side (\x -> x { appError = Just e, appEof = True }) w1
          (_, w1) -> w1
      where a = wApps w M.! side

    finishApp side s w
      | appDone a || not (appEof a && (appShut a || appError a /= Nothing)) = w
      | otherwise =
          let (_, w1) = ask side (Close s) w
          in setApp side (\x -> x { appDone = True, appSock = Nothing }) w1
      where a = wApps w M.! side

    -- Time.
    run 0 w = w { wComplaints = "it does not end" : wComplaints w }
    run n w
      | not (null (wComplaints w)) || next == never = w
      | next > seconds 200000 = w { wComplaints = "nothing ends it" : wComplaints w }
      | otherwise = run (n - 1) (turn (w { wNow = max (wNow w) next }))
      where
        next = minimum (nextFrame : reading
                 ++ [nextDeadline s | s <- M.elems (wStacks w)])
        nextFrame = maybe never (fst . fst) (M.lookupMin (wQueue w))
        reading = [ appReadAt a | a <- M.elems (wApps w), not (appDone a), not (appEof a)
                                , appReadAt a > wNow w ]
        turn v = foldl' (flip drive) (foldl' tickOne (arrive v) [0, 1]) [0, 1]
        arrive v = case M.lookupMin (wQueue v) of
          Just ((t, k), (side, frame)) | t <= wNow v ->
            arrive (event side (Frames 1 [frame]) v { wQueue = M.delete (t, k) (wQueue v) })
          _ -> v
        tickOne v side
          | nextDeadline (wStacks v M.! side) <= wNow v = event side TimePasses v
          | otherwise = v

    event side e w =
      let (s, as) = step (wNow w) e (wStacks w M.! side)
      in actions side as w { wStacks = M.insert side s (wStacks w) }

    finishWith w = Outcome
      { outComplaints = wComplaints w
          ++ ["bytes of " ++ show i ++ " are wrong" | (i, a) <- M.toList (wApps w), not (appGood a)]
      , outGot = (appGot (wApps w M.! 1), appGot (wApps w M.! 0))
      , outErrors = [e | a <- M.elems (wApps w), Just e <- [appError a]]
      , outTime = wNow w
      , outCensus = (census (wStacks w M.! 0), census (wStacks w M.! 1))
      , outFrames = wCount w
      , outTrace = wTrace w
      }

-- What a side sends: byte n depends on n and on the side.
patternAt :: Int -> Int -> Int -> ByteString
patternAt side at size = B.take size (B.drop (at `rem` 251) (if side == 0 then table0 else table1))

table0, table1 :: ByteString
table0 = B.pack (take 66000 (cycle [0 .. 250]))
table1 = B.pack (take 66000 (cycle (map (* 7) [0 .. 250])))

showSegment :: Segment -> String
showSegment g = unwords
  [ concat [n | (f, n) <- [(hasSyn g, "S"), (hasFin g, "F"), (hasRst g, "R"), (hasAck g, ".")], f]
  , "seq", show (segSeq g .&. 0xffffff), "len", show (B.length (segPayload g))
  , "ack", show (segAck g .&. 0xffffff), "win", show (segWindow g)
  , unwords [show (a .&. 0xffffff) ++ "-" ++ show (b .&. 0xffffff) | Block a b <- optSack (segOptions g)] ]
