-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns, MultiWayIf #-}
-- |
-- Module: HaLVM.Net.Tcp.Input
--
-- What an arriving segment does to a connection (RFC 9293, 3.10.7; RFC 5961,
-- 6298, 7323, 2018, 8985). 'HaLVM.Net.Tcp.Output.output' sends what follows.
module HaLVM.Net.Tcp.Input
  ( arrive, openPassive, establish
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Bits (unsafeShiftL, unsafeShiftR, (.&.))
import Data.Foldable (foldl', toList)
import qualified Data.Sequence as S
import Data.Sequence (ViewL (..), viewl, (|>), (<|))
import Data.Word

import HaLVM.Net.Tcp.Block
import HaLVM.Net.Tcp.Congestion
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Output
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Types

-- | A segment for this connection.
arrive :: Time -> Segment -> Tcb -> Tcb
arrive now s t = case tState t of
  Established | Just t' <- predicted now s t -> t'
  Closed -> t
  SynSent -> arriveSynSent now s t
  SynReceived
    | hasSyn s, segSeq s == tIrs t -> if
        | hasRst s -> t
        -- The window of a SYN is never scaled.
        | hasAck s -> synchronized now s
            { segSeq = segSeq s + 1, segFlags = segFlags s - flagSyn
            , segWindow = segWindow s `unsafeShiftR` tSendScale t } t
        | otherwise -> t { tSaySyn = True }
  _ -> synchronized now s t

-- What nearly every segment is: the next data, or the acknowledgement of ours,
-- and nothing else. The same as the long way, in one step each: a block is
-- large, and every step copies it.
predicted :: Time -> Segment -> Tcb -> Maybe Tcb
{-# NOINLINE predicted #-}
predicted now s t
  | segFlags s .&. 0x37 /= flagAck || segSeq s /= tRcvNxt t = Nothing
  | tMarked t || tRecovery t /= NoRecovery || tFin t /= FinNone = Nothing
  | tKeepAlive t || tUnanswered t > 0 || tPersistAt t /= never = Nothing
  | tDetached t || tRcvFinAt t /= Nothing || not (null (tRcvLater t)) = Nothing
  | not (null (optSack (segOptions s))) || not stampGood = Nothing
  | size > minus (tRcvAdv t) (tRcvNxt t) || ahead > flightSize t = Nothing
  | size > 0 && S.length (tRcvQueue t) >= chunksMax t = Nothing
  | ahead == 0 && size > 0 = Just (nextData now s (quiet now s t))
  | ahead > 0 = Just (if size > 0 then nextData now s (progressed now s t)
                      else progressed now s t)
  | otherwise = Nothing
  where
    ahead = minus (segAck s) (tUna t)
    size = B.length (segPayload s)
    stampGood = case optStamp (segOptions s) of
      Stamp v _ | tStamps t -> not (before v (tRecent t))
      _ -> not (tStamps t)

-- Its window and its timestamp.
quiet :: Time -> Segment -> Tcb -> Tcb
{-# NOINLINE quiet #-}
quiet now s t = t
    { tRecent = recent, tRecentAt = recentAt
    , tWindow = window, tWindowMax = max window (tWindowMax t)
    , tWl1 = segSeq s, tWl2 = segAck s }
  where
    window = windowOf s t
    Recent recent recentAt = recentAfter now s t

-- And what it acknowledges.
progressed :: Time -> Segment -> Tcb -> Tcb
{-# NOINLINE progressed #-}
progressed now s t = t
    { tRecent = recent, tRecentAt = recentAt
    , tWindow = window, tWindowMax = max window (tWindowMax t)
    , tWl1 = segSeq s, tWl2 = segAck s
    , tUna = segAck s, tFlight = flight, tBackoff = 0, tDupAcks = 0
    , tDelivered = tDelivered t + bytes, tProbes = 0
    , tRackSent = sent, tRackEnd = end, tRackRtt = took
    , tSrtt = srtt, tRttVar = var, tRttMin = rttMin, tRto = rto
    , tCong = onAck now srtt (segmentSize t) bytes
        (max (4 * segmentSize t) (tSendBuffer t)) (tCong t)
    , tReorderAt = never
    , tProbeAt = if S.null flight then never else tProbeAt t
    , tRtoAt = if S.null flight then never
        else now + min (tcpRtoMax (tConfig t)) rto }
  where
    window = windowOf s t
    Recent recent recentAt = recentAfter now s t
    Dropped flight sample bytes (Rack sent end took) = dropUntil now (segAck s) t
    (srtt, var, rttMin, rto)
      | sample > 0 = smoothed sample t
      | otherwise = (tSrtt t, tRttVar t, tRttMin t, tRto t)

nextData :: Time -> Segment -> Tcb -> Tcb
{-# NOINLINE nextData #-}
nextData now s t = t
    { tRcvQueue = tRcvQueue t |> segPayload s
    , tRcvBytes = tRcvBytes t + size
    , tRcvNxt = tRcvNxt t + fromIntegral size
    , tUnacked = unacked
    , tSayAck = due || tSayAck t
    , tAckAt = if due then tAckAt t
        else min (tAckAt t) (now + tcpDelayedAck (tConfig t)) }
  where
    size = B.length (segPayload s)
    unacked = tUnacked t + size
    due = unacked >= 2 * segmentSize t

windowOf :: Segment -> Tcb -> Int
{-# INLINE windowOf #-}
windowOf s t = fromIntegral (segWindow s) `unsafeShiftL` tSendScale t

-- The timestamp to echo, and when it came (RFC 7323, 4.3).
data Recent = Recent !Word32 !Time

recentAfter :: Time -> Segment -> Tcb -> Recent
{-# INLINE recentAfter #-}
recentAfter now s t = case optStamp (segOptions s) of
  Stamp v _ | tStamps t, segSeq s `atMost` tLastAck t -> Recent v now
  _ -> Recent (tRecent t) (tRecentAt t)

-- | The block of a connection that a SYN asks for.
openPassive :: Time -> Segment -> Tcb -> Tcb
openPassive now s t = (setPeerOptions now (segOptions s) t)
  { tState = SynReceived
  , tPassive = True
  , tIrs = segSeq s
  , tRcvNxt = segSeq s + 1
  , tRcvAdv = segSeq s + 1
  , tSaySyn = True
  , tWindow = fromIntegral (segWindow s)
  , tWindowMax = fromIntegral (segWindow s)
  , tWl1 = segSeq s
  , tWl2 = tIss t
  }

arriveSynSent :: Time -> Segment -> Tcb -> Tcb
arriveSynSent now s t
  | hasAck s && not ackGood =
      if hasRst s then t else t { tOut = resetSegment s : tOut t }
  | hasRst s = if hasAck s then closedWith (Just Refused) t else t
  | not (hasSyn s) = t
  | hasAck s = sayAck (sampled (establish now opened { tUna = segAck s }))
  | otherwise = opened { tState = SynReceived, tSaySyn = True, tRtoAt = never }
  where
    ackGood = segAck s == tIss t + 1
    opened = (setPeerOptions now (segOptions s) t)
      { tIrs = segSeq s
      , tRcvNxt = segSeq s + 1
      -- What our SYN offered counts from the first byte on.
      , tRcvAdv = segSeq s + 1 + (tRcvAdv t - tRcvNxt t)
      , tWindow = fromIntegral (segWindow s)
      , tWindowMax = fromIntegral (segWindow s)
      , tWl1 = segSeq s
      , tWl2 = segAck s
      }
    sampled x
      | tBackoff t == 0 = sampleRtt (now - tLastSent t) x
      | otherwise = x { tRto = seconds 3 }

-- | Both SYNs are acknowledged; the user may have closed it before.
establish :: Time -> Tcb -> Tcb
establish now t = t
  { tState = if tFin t == FinWanted then FinWait1 else Established
  , tRtoAt = never
  , tBackoff = 0
  , tCong = newCongestion (tcpAlgorithm (tConfig t)) (segmentSize t)
  , tKeepAt = if tKeepAlive t then now + tKeepIdle t else never
  , tRecover = tNxt t
  , tLastSent = 0
  }

-- -- The order of RFC 9293, 3.10.7.4

synchronized :: Time -> Segment -> Tcb -> Tcb
synchronized now s t
  | wrongStamp = if hasRst s || not (oldStamp (segOptions s)) then t else sayAck t
  | not (acceptable s t) = if hasRst s then t else outside
  | hasRst s = arriveReset now s t
  | hasSyn s = challenge now t
  | not (hasAck s) = t
  | otherwise = case acknowledge now s (alive (takeStamp now s t)) of
      Stop x -> x
      Go x | tState x == Closed -> x
           | otherwise -> arriveFin now (arriveText now s x)
  where
    -- PAWS, RFC 7323, 5.3
    wrongStamp = tStamps t && not (hasRst s) && (noStamp || tooOld)
    noStamp = optStamp (segOptions s) == NoStamp
    tooOld = oldStamp (segOptions s) && now - tRecentAt t < seconds (24 * 86400)
    oldStamp o = case optStamp o of
      Stamp v _ -> before v (tRecent t)
      NoStamp -> False
    outside
      | hasSyn s = challenge now t
      -- A FIN that comes again starts the wait anew (3.10.7.8).
      | tState t == TimeWait && hasFin s =
          sayAck t { tWaitAt = now + tcpTimeWait (tConfig t) }
      -- It may be the answer to a probe.
      | otherwise = sayAck t { tUnanswered = 0 }
    alive x0
      | tKeepAlive x = x { tKeepAt = now + tKeepIdle x, tKeepProbes = 0 }
      | otherwise = x
      where x = if tUnanswered x0 > 0 then x0 { tUnanswered = 0 } else x0

data Verdict = Stop !Tcb | Go !Tcb

acceptable :: Segment -> Tcb -> Bool
acceptable s t
  | size == 0 = ahead >= 0 && (ahead < window || ahead == 0)
  | otherwise = ahead + size > 0 && (ahead < window || ahead == 0)
  where
    ahead = minus (segSeq s) (tRcvNxt t)
    size = segmentLength s
    window = max 0 (minus (tRcvAdv t) (tRcvNxt t))

takeStamp :: Time -> Segment -> Tcb -> Tcb
{-# INLINE takeStamp #-}
takeStamp now s t = case optStamp (segOptions s) of
  Stamp v _ | tStamps t, segSeq s `atMost` tLastAck t, not (before v (tRecent t))
    -> t { tRecent = v, tRecentAt = now }
  _ -> t

-- RFC 5961, 3: only the very next number is believed.
arriveReset :: Time -> Segment -> Tcb -> Tcb
arriveReset now s t
  | tState t == TimeWait = t -- RFC 1337
  | segSeq s /= tRcvNxt t = challenge now t
  | otherwise = closedWith why t
  where
    why = case tState t of
      SynReceived | tPassive t -> Nothing
                  | otherwise -> Just Refused
      Closing -> Nothing
      LastAck -> Nothing
      _ -> Just Reset

-- An acknowledgement that makes an honest peer speak up; not many of them
-- (RFC 5961, 7): ten a second.
challenge :: Time -> Tcb -> Tcb
challenge now t
  | now - tChallengeAt t > seconds 1 =
      sayAck t { tChallengeAt = now, tChallenges = 1 }
  | tChallenges t < 10 = sayAck t { tChallenges = tChallenges t + 1 }
  | otherwise = t

-- -- Acknowledgements

acknowledge :: Time -> Segment -> Tcb -> Verdict
acknowledge now s t
  | tState t == SynReceived =
      if ahead == 1
        then acknowledge now s (rttOfSyn (establish now t))
               { tUna = segAck s, tWindow = scaledWindow, tWl1 = segSeq s
               , tWl2 = segAck s, tWindowMax = scaledWindow }
        else Stop t { tOut = resetSegment s : tOut t }
  | ahead > flightSize t = Stop (sayAck t)
  | ahead < negate (max 65536 (tWindowMax t)) = Stop (challenge now t)
  | ahead < 0 = Go t
  | ahead == 0 = Go (duplicate (windowed t))
  | otherwise = Go (progress (windowed t))
  where
    ahead = minus (segAck s) (tUna t)
    scaledWindow = fromIntegral (segWindow s) * 2 ^ tSendScale t
    rttOfSyn x
      | tBackoff t == 0 = sampleRtt (now - tLastSent t) x
      | otherwise = x { tRto = seconds 3 }
    -- What acknowledges more is newer, whatever its own number: a segment that
    -- is sent again says today's window.
    newer = ahead > 0 || before (tWl1 t) (segSeq s)
      || (tWl1 t == segSeq s && tWl2 t `atMost` segAck s)
    windowed x
      | newer = x
          { tWindow = scaledWindow
          , tWindowMax = max (tWindowMax x) scaledWindow
          , tWl1 = segSeq s, tWl2 = segAck s
          , tPersistAt = if scaledWindow > 0 then never else tPersistAt x }
      | otherwise = x

    blocks = optSack (segOptions s)
    sacks x
      | null blocks || not (tSack x) = x
      | otherwise = foldl' (sackBlock now) x blocks

    duplicate x
      | S.null (tFlight x) = x
      | tSack x = if null blocks then x
          else grow (tDelivered x) (detectLosses now
                 (sampled (sacks x { tDupAcks = tDupAcks x + 1 })))
      | B.null (segPayload s), not (hasFin s), scaledWindow == tWindow t =
          plainDuplicate x { tDupAcks = tDupAcks x + 1 }
      | otherwise = x

    progress x =
      let bytes = ahead
          y = sampled $ sacks (dropAcked now (segAck s) x)
            { tUna = segAck s, tBackoff = 0
            , tDupAcks = if tRecovery x == NoRecovery || tSack x then 0
                else max 0 (tDupAcks x - bytes `quot` max 1 (segmentSize x)) }
      in finish (grow (tDelivered x) (partial (recovered y)))

    recovered x
      | tRecovery x /= NoRecovery, not (before (tUna x) (tRecover x)) =
          x { tRecovery = NoRecovery, tDupAcks = 0 }
      | otherwise = x
    -- NewReno's partial acknowledgement: the next one is lost, too.
    partial x
      | tRecovery x == FastRecovery, not (tSack x) = loseFirst x
      | otherwise = detectLosses now x
    sampled x
      | tSample x > 0 = sampleRtt (tSample x) x { tSample = 0 }
      | otherwise = x
    -- By what has arrived since, in order or not.
    grow old x
      | bytes == 0 || tRecovery x == FastRecovery = x
      | tRecovery x == NoRecovery && ahead == 0 = x
      | otherwise = x { tCong = onAck now (tSrtt x) (segmentSize x) bytes
                          (max (4 * segmentSize x) (tSendBuffer x)) (tCong x) }
      where bytes = tDelivered x - old
    finish x
      | S.null (tFlight x) = finAcked now x
          { tRtoAt = never, tProbeAt = never, tReorderAt = never
          , tMarked = False }
      | otherwise = armRto now x

-- Takes what is acknowledged from the flight. It measures a round trip only if
-- nothing of that was sent twice (Karn), or had arrived before.
dropAcked :: Time -> Word32 -> Tcb -> Tcb
dropAcked now ack t = t
    { tFlight = flight
    , tSample = if sample > 0 then sample else tSample t
    , tDelivered = tDelivered t + bytes
    , tProbes = if bytes > 0 then 0 else tProbes t
    , tRackSent = sent, tRackEnd = end, tRackRtt = took }
  where Dropped flight sample bytes (Rack sent end took) = dropUntil now ack t

-- The flight without it; a round trip, or 0; bytes that had not arrived before.
data Dropped = Dropped !(S.Seq Flying) !Time !Int !Rack

dropUntil :: Time -> Word32 -> Tcb -> Dropped
dropUntil now ack t =
    go True 0 0 (Rack (tRackSent t) (tRackEnd t) (tRackRtt t)) (tFlight t)
  where
    least = tRttMin t
    go :: Bool -> Time -> Int -> Rack -> S.Seq Flying -> Dropped
    go !clean !rtt !bytes !rack flight = case viewl flight of
      f :< rest
        | end `atMost` ack ->
            let sacked = flyFate f == Sacked
                once = flyAgain f == 0
            in go (clean && once)
                  (if once && not sacked then max 1 (now - flySent f) else rtt)
                  (if sacked then bytes else bytes + flyLength f)
                  (if sacked then rack else later now least f rack)
                  rest
        | flySeq f `before` ack ->
            let size = minus ack (flySeq f)
            in Dropped (f { flySeq = ack, flyBytes = B.drop size (flyBytes f) }
                          <| rest) (sampleOf clean rtt) (bytes + size) rack
        where end = flySeq f + fromIntegral (flyLength f)
      _ -> Dropped flight (sampleOf clean rtt) bytes rack
    sampleOf clean rtt = if clean then rtt else 0

-- The segment that was sent last of those that have arrived: when it was sent,
-- where it ends, how long it took (RACK).
data Rack = Rack !Time !Word32 !Time

later :: Time -> Time -> Flying -> Rack -> Rack
later now rttMin f r@(Rack sent end _)
  | flyAgain f > 0 && took < floor' = r -- it was the first one that arrived
  | flySent f > sent || (flySent f == sent && before end own) =
      Rack (flySent f) own took
  | otherwise = r
  where
    took = now - flySent f
    floor' = if rttMin == never then 0 else rttMin
    own = flySeq f + fromIntegral (flyLength f)

-- A segment has arrived out of order.
delivered :: Time -> Flying -> Tcb -> Tcb
delivered now f t = t
    { tDelivered = tDelivered t + flyLength f, tProbes = 0
    , tRackSent = sent, tRackEnd = end, tRackRtt = took }
  where
    Rack sent end took = later now (tRttMin t) f
      (Rack (tRackSent t) (tRackEnd t) (tRackRtt t))

sackBlock :: Time -> Tcb -> Block -> Tcb
sackBlock now t0 (Block a b)
  | not (before a b) || before a (tUna t0) || before (tNxt t0) b = t0
  | otherwise = S.foldlWithIndex mark t (S.takeWhileL starts (tFlight t))
  where
    t = fine t0
    starts f = before (flySeq f) b
    mark !x i f
      | flyFate f == Sacked || before (flySeq f) a || before b end = x
      | otherwise = delivered now f x
          { tFlight = S.update i f { flyFate = Sacked } (tFlight x)
          , tMarked = True
          , tSample = if flyAgain f == 0 then max 1 (now - flySent f)
              else tSample x }
      where end = flySeq f + fromIntegral (flyLength f)

-- Without SACK: the third duplicate means that the first one is lost.
plainDuplicate :: Tcb -> Tcb
plainDuplicate t
  | tDupAcks t == 3, tRecovery t == NoRecovery
  , not (before (tUna t) (tRecover t)) = loseFirst t
      { tRecovery = FastRecovery, tRecover = tNxt t, tProbeAt = never
      , tCong = onLoss (segmentSize t) (flightSize t) (tCong t) }
  | otherwise = t

loseFirst :: Tcb -> Tcb
loseFirst t = case viewl (tFlight (fine t)) of
  f :< rest | flyFate f == InFlight ->
    t { tFlight = f { flyFate = Lost } <| rest, tMarked = True
      , tSayLost = True }
  _ -> t

sampleRtt :: Time -> Tcb -> Tcb
sampleRtt measured t =
  t { tSrtt = srtt, tRttVar = var, tRttMin = least, tRto = rto }
  where (srtt, var, least, rto) = smoothed measured t

-- RFC 6298, 2: the round trip, its variation, the least, the timeout.
smoothed :: Time -> Tcb -> (Time, Time, Time, Time)
smoothed measured t =
    ( srtt, var, min (tRttMin t) rtt
    , max (tcpRtoMin c) (min (tcpRtoMax c) (srtt + max 1000 (4 * var))) )
  where
    rtt = max 1 measured
    c = tConfig t
    (srtt, var)
      | tSrtt t == 0 = (rtt, rtt `quot` 2)
      | otherwise = ( (7 * tSrtt t + rtt) `quot` 8
                    , (3 * tRttVar t + abs (tSrtt t - rtt)) `quot` 4 )
{-# INLINE smoothed #-}

-- Everything is acknowledged; if that includes our FIN, the state goes on.
finAcked :: Time -> Tcb -> Tcb
finAcked now t
  | tFin t /= FinSent || tUna t /= tNxt t = t
  | otherwise = case tState t of
      FinWait1 -> t { tState = FinWait2
                    , tWaitAt = if tDetached t
                        then now + tcpFinWait2 (tConfig t) else never }
      Closing -> enterTimeWait now t
      LastAck -> closedWith Nothing t
      _ -> t

-- -- Data

arriveText :: Time -> Segment -> Tcb -> Tcb
arriveText now s t
  | B.null bytes && not (hasFin s) = t
  | tState t `notElem` [Established, FinWait1, FinWait2] = sayAck t
  -- Nobody will read it: the peer must know (RFC 9293, 3.6.1).
  | tDetached t && not (B.null kept) = (closedWith (Just Reset) t)
      { tOut = reset : tOut t }
  | B.null kept && not (hasFin s) = sayAck t
  | B.null kept && not finFits = sayAck t
  | start == tRcvNxt t && null (tRcvLater t) =
      noteFin (delayAck (appendBytes kept t))
  -- Room or not in the list: this is what empties it.
  | start == tRcvNxt t = noteFin (sayAck (pullLater (appendBytes kept t)))
  | otherwise = noteFin (sayAck (pullLater (insertLater start kept t)))
  where
    bytes = segPayload s
    ahead = minus (segSeq s) (tRcvNxt t)
    trimmed | ahead < 0 = B.drop (negate ahead) bytes
            | otherwise = bytes
    start | ahead < 0 = tRcvNxt t
          | otherwise = segSeq s
    window = minus (tRcvAdv t) start
    kept | B.length trimmed > window = BU.unsafeTake (max 0 window) trimmed
         | otherwise = trimmed
    finFits = hasFin s && B.length kept == B.length trimmed
    finAt = segSeq s + fromIntegral (B.length bytes)
    noteFin x
      | finFits, Nothing <- tRcvFinAt x = x { tRcvFinAt = Just finAt }
      | otherwise = x
    delayAck x
      | B.length kept < B.length trimmed = sayAck x
      | unacked >= 2 * segmentSize x = sayAck x { tUnacked = unacked }
      | otherwise = x
          { tUnacked = unacked
          , tAckAt = min (tAckAt x) (now + tcpDelayedAck (tConfig x)) }
      where unacked = tUnacked x + B.length kept
    reset = (resetSegment s) { segSeq = tNxt t, segFlags = flagRst + flagAck
                             , segAck = tRcvNxt t }

appendBytes :: ByteString -> Tcb -> Tcb
{-# INLINE appendBytes #-}
appendBytes b t
  | B.null b = t
  | S.length queue > chunksMax t = t' { tRcvQueue = S.singleton
      (B.concat (toList queue)) }
  | otherwise = t' { tRcvQueue = queue }
  where
    queue = tRcvQueue t |> b
    t' = t { tRcvBytes = tRcvBytes t + B.length b
           , tRcvNxt = tRcvNxt t + fromIntegral (B.length b) }

-- Keeps the list sorted and without overlaps: what is there already stays.
insertLater :: Word32 -> ByteString -> Tcb -> Tcb
insertLater start bytes t
  | length (tRcvLater t) >= laterMax = t
  | otherwise = t { tRcvLater = go start bytes (tRcvLater t), tRcvLast = start }
  where
    go _ b rest | B.null b = rest
    go s b [] = [(s, b)]
    go s b all'@((s', b') : rest)
      | end `atMost` s' = (s, b) : all'
      | not (before s end') = (s', b') : go s b rest
      | before s s' =
          (s, B.take (minus s' s) b)
            : go s' (B.drop (minus s' s) b) all'
      | otherwise = (s', b') : go end' (B.drop (minus end' s) b) rest
      where
        end = s + fromIntegral (B.length b)
        end' = s' + fromIntegral (B.length b')

-- Pieces out of order that one connection keeps.
laterMax :: Int
laterMax = 512

pullLater :: Tcb -> Tcb
pullLater t = case tRcvLater t of
  (s, b) : rest
    | s `atMost` tRcvNxt t ->
        pullLater (appendBytes (B.drop (minus (tRcvNxt t) s) b)
          t { tRcvLater = rest })
  _ -> t

-- The peer's FIN, when everything before it is here.
arriveFin :: Time -> Tcb -> Tcb
arriveFin now t
  | tRcvFinAt t /= Just (tRcvNxt t) || tRcvFin t = t
  | otherwise = case tState t of
      Established -> ended { tState = CloseWait }
      FinWait1 -> ended { tState = Closing }
      FinWait2 -> sayAck (enterTimeWait now ended)
      _ -> t
  where
    ended = sayAck t { tRcvNxt = tRcvNxt t + 1, tRcvFin = True
                     , tRcvLater = [] }
