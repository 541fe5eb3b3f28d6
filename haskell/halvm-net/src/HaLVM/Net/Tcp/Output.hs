-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- |
-- Module: HaLVM.Net.Tcp.Output
--
-- What a connection sends, and its timers. 'output' is called after every
-- event; it looks at the block and adds to 'tOut' whatever may be sent now.
module HaLVM.Net.Tcp.Output
  ( output, expireTimers, resetSegment, windowField, detectLosses, armRto
  , pipeSize, setMss, flyLength, fine
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.Bits
import Data.Foldable (foldl', toList)
import qualified Data.Sequence as S
import Data.Sequence (Seq, ViewL (..), viewl, (|>), (<|))
import Data.Word

import HaLVM.Net.Persona
import HaLVM.Net.Tcp.Block
import HaLVM.Net.Tcp.Congestion
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Types

-- | Sends what congestion window, the peer's window and Nagle's rule permit:
-- lost segments first, then new ones; then an acknowledgement, if one is due
-- and nothing carried it.
output :: Time -> Tcb -> Tcb
output now t = case tState t of
  Closed -> t
  SynSent | tSaySyn t -> sendSyn now t
          | otherwise -> t
  -- Only the SYN says a window that is not scaled.
  SynReceived | tSaySyn t || tSayAck t -> sendSyn now t
              | otherwise -> t
  TimeWait | tSayAck t -> sendPure now t
           | otherwise -> t
  _ -> ackIfDue (sendNew (sendLost t))
  where
    sendLost x
      | tMarked x = retransmit now x
      | otherwise = x
    sendNew x
      | tUnsentBytes x > 0 || tFin x == FinWanted = transmit now x
      | otherwise = x
    ackIfDue x
      | tSayAck x = sendPure now x
      | otherwise = x

-- -- Segments

-- A segment that carries what every one does; notes that the acknowledgement
-- and the window are told.
{-# NOINLINE emit #-}
emit :: Time -> Word8 -> Word32 -> ByteString -> Tcb -> Tcb
emit now flags sq bytes t = t
    { tOut = segmentFor now flags sq bytes field t : tOut t
    , tSayAck = False, tAckAt = never, tUnacked = 0
    , tRcvAdv = rightEdge field t
    , tLastAck = tRcvNxt t
    , tLastSent = if B.null bytes then tLastSent t else now
    }
  where field = windowField t

-- Where a window that is told so ends, or where an earlier one did: what was
-- sent for that is still taken.
rightEdge :: Int -> Tcb -> Word32
{-# INLINE rightEdge #-}
rightEdge field t
  | before edge (tRcvAdv t) = tRcvAdv t
  | otherwise = edge
  where edge = tRcvNxt t + fromIntegral (field `unsafeShiftL` tRcvScale t)

segmentFor :: Time -> Word8 -> Word32 -> ByteString -> Int -> Tcb -> Segment
{-# NOINLINE segmentFor #-}
segmentFor now flags sq bytes field t = Segment
      { segSource = endPort (tLocal t)
      , segTarget = endPort (tRemote t)
      , segSeq = sq
      , segAck = tRcvNxt t
      , segFlags = flags .|. flagAck
      , segWindow = fromIntegral field
      , segOptions = if not (tStamps t) && null (tRcvLater t) then noOptions
          else noOptions { optStamp = stamp now t, optSack = blocks (B.length bytes) t }
      , segPayload = bytes
      }

{-# INLINE stamp #-}
stamp :: Time -> Tcb -> Stamp
stamp now t
  | tStamps t = Stamp (stampClock now t) (tRecent t)
  | otherwise = NoStamp

stampClock :: Time -> Tcb -> Word32
stampClock now t = fromIntegral (now `quot` 1000) + tStampOffset t

{-# NOINLINE sendPure #-}
sendPure :: Time -> Tcb -> Tcb
sendPure now t = emit now 0 (tNxt t) B.empty t

sendSyn :: Time -> Tcb -> Tcb
sendSyn now t = armed
    { tOut = s : tOut t, tSaySyn = False, tSayAck = False
    , tNxt = tIss t + 1, tLastSent = now
    , tLastAck = tRcvNxt t
    , tRcvAdv = tRcvNxt t + fromIntegral window }
  where
    passive = tState t == SynReceived
    -- Never scaled here, and never more than the buffer has.
    window = min (freeSpace t) (personaWindow (tPersona t))
    s = Segment
      { segSource = endPort (tLocal t)
      , segTarget = endPort (tRemote t)
      , segSeq = tIss t
      , segAck = if passive then tRcvNxt t else 0
      , segFlags = if passive then flagSyn .|. flagAck else flagSyn
      , segWindow = fromIntegral window
      , segOptions = case optStamp (tOffer t) of
          NoStamp -> tOffer t
          _ -> (tOffer t) { optStamp = Stamp (stampClock now t)
                                         (if passive then tRecent t else 0) }
      , segPayload = B.empty
      }
    armed | tRtoAt t /= never = t
          | otherwise = t
              { tRtoAt = now + tRto t `unsafeShiftL` min 16 (tBackoff t) }

-- | The window of the next segment, as its header has it. Its right edge moves
-- to the right only by a step worth telling (SWS avoidance, RFC 9293,
-- 3.8.6.2.2), and to the left only by less than the scale can say, where the
-- buffer has no room for that (RFC 7323, 2.4): were it always rounded up, each
-- small segment would move it on, and the buffer would never be full.
windowField :: Tcb -> Int
{-# NOINLINE windowField #-}
windowField t
  | free - old >= min (tRcvBuffer t `quot` 2) (segmentSize t)
  , new > told = min 65535 new
  | otherwise = min 65535 told
  where
    scale = tRcvScale t
    free = freeSpace t
    old = max 0 (minus (tRcvAdv t) (tRcvNxt t))
    new = free `unsafeShiftR` scale
    up = (old + (1 `unsafeShiftL` scale) - 1) `unsafeShiftR` scale
    told | up `unsafeShiftL` scale > free = old `unsafeShiftR` scale
         | otherwise = up

-- Up to three blocks, the one of the last segment first (RFC 2018, section 4),
-- and as many as fit beside so many bytes.
blocks :: Int -> Tcb -> [Block]
blocks size t
  | null (tRcvLater t) || not (tSack t) = []
  | otherwise = take (min 3 ((segmentSize t - size - 4) `quot` 8)) (filter fresh all' ++ filter (not . fresh) all')
  where
    all' = merged (tRcvLater t)
    fresh (Block a b) =
      minus (tRcvLast t) a >= 0 && minus (tRcvLast t) b < 0
    merged ((s, b) : rest) = go s (s + len b) rest
    merged [] = []
    go s e ((s', b) : rest)
      | s' == e = go s (e + len b) rest
      | otherwise = Block s e : go s' (s' + len b) rest
    go s e [] = [Block s e]
    len = fromIntegral . B.length

-- | What answers a segment that no connection wants (RFC 9293, 3.10.7.1).
resetSegment :: Segment -> Segment
resetSegment s
  | hasAck s = base { segSeq = segAck s, segFlags = flagRst }
  | otherwise = base
      { segAck = segSeq s + fromIntegral (segmentLength s)
      , segFlags = flagRst .|. flagAck }
  where
    base = Segment (segTarget s) (segSource s) 0 0 0 0 noOptions B.empty

-- -- New data

transmit :: Time -> Tcb -> Tcb
{-# NOINLINE transmit #-}
transmit now t0 = go (pipeSize t0) (afterIdle t0)
  where
    afterIdle t
      | S.null (tFlight t), tLastSent t /= 0, now - tLastSent t > tRto t =
          t { tCong = onIdle (segmentSize t) (tCong t) }
      | otherwise = t
    go !pipe t
      | size > 0 && maySend = sendOne
      | waiting == 0 = if tFin t == FinWanted then sendFin now t else t
      -- The peer's window is what holds it back, and nothing under way will
      -- make the peer speak: ask.
      | S.null (tFlight t) && tPersistAt t == never && not congested =
          t { tPersistAt = now + persistTime t, tPersists = 0 }
      | otherwise = t
      where
        mss = effectiveMss t
        -- As many whole segments as the first piece of data has.
        burst
          | tMarked t || not (null (tRcvLater t)) = mss
          | b :< _ <- viewl (tUnsent t) =
              max 1 (min burstMax (B.length b) `quot` mss) * mss
          | otherwise = mss
        waiting = tUnsentBytes t
        room = tWindow t - flightSize t
        allowance = congWindow (tCong t) + limited t - pipe
        congested = room >= min mss waiting && allowance < min mss waiting
        fits = max 0 (burst `min` waiting `min` room `min` allowance)
        size | fits >= mss = fits - fits `rem` mss
             | otherwise = fits
        maySend
          | size >= mss = True
          | size == waiting =
              tNoDelay t || S.null (tFlight t) || tFin t == FinWanted
          | size == allowance, allowance < room = False
          | otherwise = size >= tWindowMax t `quot` 2 && room < mss
        sendOne =
          let final = tFin t == FinWanted && size == waiting
          in go (pipe + size + fromEnum final) (sendData now size final t)

-- New data, of which there is as much; with the FIN or not. The same as 'emit'
-- and 'armSent', in one step.
sendData :: Time -> Int -> Bool -> Tcb -> Tcb
{-# NOINLINE sendData #-}
sendData now size final t = t
    { tOut = segmentFor now flags (tNxt t) bytes field t : tOut t
    , tSayAck = False, tAckAt = never, tUnacked = 0
    , tRcvAdv = rightEdge field t
    , tLastAck = tRcvNxt t
    , tLastSent = now
    , tUnsent = rest
    , tUnsentBytes = tUnsentBytes t - size
    , tFlight = flight
    , tNxt = tNxt t + fromIntegral (size + fromEnum final)
    , tFin = if final then FinSent else tFin t
    , tPersistAt = never
    , tRtoAt = rtoAt
    , tProbeAt = probeTime now flight (size + fromEnum final + flightSize t) rtoAt t
    }
  where
    (bytes, rest) = takeBytes size (tUnsent t)
    flags | final = flagPsh .|. flagFin
          | size == tUnsentBytes t = flagPsh
          | otherwise = 0
    field = windowField t
    flight = tFlight t |> Flying (tNxt t) bytes final now 0 InFlight
    rtoAt | tRtoAt t == never = now + rtoNow t
          | otherwise = tRtoAt t

-- Limited transmit (RFC 3042): the first two duplicates let a segment each
-- go, where SACK does not count them.
limited :: Tcb -> Int
limited t
  | tRecovery t == NoRecovery = min 2 (tDupAcks t) * segmentSize t
  | tSack t = 0
  | otherwise = tDupAcks t * segmentSize t
{-# INLINE limited #-}

sendFin :: Time -> Tcb -> Tcb
sendFin now t = armSent now $ emit now flagFin (tNxt t) B.empty t
  { tFlight = tFlight t |> Flying (tNxt t) B.empty True now 0 InFlight
  , tNxt = tNxt t + 1
  , tFin = FinSent
  , tPersistAt = never
  }

{-# INLINE armSent #-}
armSent :: Time -> Tcb -> Tcb
armSent now t
  | tRtoAt t == never = armProbe now (armRto now t)
  | otherwise = armProbe now t

-- | Starts the retransmission timer anew.
armRto :: Time -> Tcb -> Tcb
armRto now t = t { tRtoAt = now + rtoNow t }
{-# INLINE armRto #-}

{-# INLINE rtoNow #-}
rtoNow :: Tcb -> Time
rtoNow t = min (tcpRtoMax (tConfig t)) (tRto t `unsafeShiftL` min 16 (tBackoff t))

-- The tail loss probe (RFC 8985, 7.2). Here it is sent in a recovery, too,
-- and up to four times, each after twice the time: when the last segment that
-- was sent again is lost once more, nothing else would tell before the
-- retransmission timer.
armProbe :: Time -> Tcb -> Tcb
{-# NOINLINE armProbe #-}
armProbe now t =
  t { tProbeAt = probeTime now (tFlight t) (flightSize t) (tRtoAt t) t }

-- Of a block with this flight and timer; 200 ms more where the peer may wait
-- with its acknowledgement of a single segment.
probeTime :: Time -> Seq Flying -> Int -> Time -> Tcb -> Time
{-# NOINLINE probeTime #-}
probeTime now flight size rtoAt t
  | tSack t, tSrtt t > 0, tBackoff t == 0, tProbes t < 4, at < rtoAt = at
  | otherwise = never
  where
    at = now + max (millis 10) (2 * tSrtt t) `unsafeShiftL` tProbes t
      + (if S.length flight == 1 && size <= segmentSize t
             && tRecovery t == NoRecovery
           then millis 200 else 0)

-- Takes exactly so many bytes, of which there are enough. Without copying
-- where one piece has them.
takeBytes :: Int -> Seq ByteString -> (ByteString, Seq ByteString)
takeBytes size q = case viewl q of
  b :< rest
    | B.length b > size -> (B.take size b, B.drop size b <| rest)
    | B.length b == size -> (b, rest)
    | otherwise -> collect [b] (size - B.length b) rest
  EmptyL -> (B.empty, q)
  where
    collect got 0 rest = (B.concat (reverse got), rest)
    collect got n rest = case viewl rest of
      b :< more
        | B.length b > n -> collect (B.take n b : got) 0 (B.drop n b <| more)
        | otherwise -> collect (b : got) (n - B.length b) more
      EmptyL -> (B.concat (reverse got), rest)

-- -- Lost data

-- | Bytes that are thought to be in the network (RFC 6675).
pipeSize :: Tcb -> Int
pipeSize t
  | tMarked t = foldl' add 0 (tFlight t)
  | otherwise = flightSize t
  where
    add !n f = case flyFate f of
      InFlight -> n + flyLength f
      _ -> n

flyLength :: Flying -> Int
flyLength f = B.length (flyBytes f) + fromEnum (flyFin f)

retransmit :: Time -> Tcb -> Tcb
{-# NOINLINE retransmit #-}
retransmit now t0 = go (pipeSize t0) 0 t0
  where
    go !pipe from t = case S.findIndexL isLost (S.drop from (tFlight t)) of
      Just i | pipe == 0 || tSayLost t
               || pipe + flyLength f <= congWindow (tCong t) + limited t ->
                 go (pipe + flyLength f) (at + 1)
                   (sendAgain now at f t { tSayLost = False })
             | otherwise -> t
        where at = from + i
              f = S.index (tFlight t) at
      Nothing -> t
    isLost f = flyFate f == Lost

sendAgain :: Time -> Int -> Flying -> Tcb -> Tcb
sendAgain now at f t = arm $ emit now flags (flySeq f) (flyBytes f) t
    { tFlight = S.update at f { flySent = now, flyAgain = flyAgain f + 1
                              , flyFate = InFlight } (tFlight t) }
  where
    flags = if flyFin f then flagFin .|. flagPsh else 0
    arm x = armProbe now (if tRtoAt x == never then armRto now x else x)

-- | Marks what is lost: whatever was sent long enough before something that
-- has arrived (RACK, RFC 8985), and begins a recovery when something is.
detectLosses :: Time -> Tcb -> Tcb
detectLosses now t
  | not (tMarked t) || tRackSent t == 0 =
      if tReorderAt t == never then t else t { tReorderAt = never }
  | not found = t { tReorderAt = again }
  | otherwise = enter t { tFlight = marked, tReorderAt = again }
  where
    wait = tRackRtt t + max 1000 (min (tSrtt t) (tRttMinOr t `quot` 4))
    (found, again, marked) = S.foldlWithIndex look (False, never, tFlight t)
      (tFlight t)
    look (!hit, !next, fs) i f
      | flyFate f /= InFlight || not (earlier f) = (hit, next, fs)
      | flySent f + wait <= now = (True, next, S.update i f { flyFate = Lost } fs)
      | otherwise = (hit, min next (flySent f + wait), fs)
    earlier f = flySent f < tRackSent t
      || (flySent f == tRackSent t
          && before (flySeq f + fromIntegral (flyLength f)) (tRackEnd t))
    enter x
      | tRecovery x == NoRecovery = x
          { tRecovery = FastRecovery, tRecover = tNxt x, tSayLost = True
          , tCong = onLoss (segmentSize x) (flightSize x) (tCong x) }
      | otherwise = x

tRttMinOr :: Tcb -> Time
tRttMinOr t = if tRttMin t == never then 0 else tRttMin t

-- | The path takes no larger segments than this: what is under way is cut
-- anew and counts as lost.
setMss :: Int -> Tcb -> Tcb
setMss mss t
  | mss >= tMss t = t
  | otherwise = cutFlight lose t { tMss = max 64 mss, tMarked = True }
  where lose fate = if fate == Sacked then Sacked else Lost

-- | With a flight of single segments: before any of it is marked.
fine :: Tcb -> Tcb
fine t
  | tMarked t || all small (tFlight t) = t
  | otherwise = cutFlight id t
  where small f = B.length (flyBytes f) <= segmentSize t

-- Cuts what is too large, of which this becomes then.
cutFlight :: (Fate -> Fate) -> Tcb -> Tcb
cutFlight become t = t { tFlight = S.fromList (concatMap cut (toList (tFlight t))) }
  where
    size = segmentSize t
    cut f
      | B.length (flyBytes f) <= size = [f]
      | otherwise =
          f { flyBytes = B.take size (flyBytes f), flyFin = False
            , flyFate = fate }
          : cut f { flyBytes = B.drop size (flyBytes f), flyFate = fate
                  , flySeq = flySeq f + fromIntegral size }
      where fate = become (flyFate f)

-- -- Timers

-- | Does what is due, then 'output'.
expireTimers :: Time -> Tcb -> Tcb
expireTimers now t0
  | tState t0 == Closed || deadline t0 > now = t0
  | otherwise = output now (foldl' (\t f -> f t) t0 timers)
  where
    timers = [wait, delayed, reorder, probe, rto, persist, keep]
    alive t = tState t /= Closed
    due at t = alive t && at t <= now

    wait t
      | due tWaitAt t = closedWith Nothing t
      | otherwise = t
    delayed t
      | due tAckAt t = sayAck t { tAckAt = never }
      | otherwise = t
    reorder t
      | due tReorderAt t = detectLosses now t
      | otherwise = t
    probe t
      | due tProbeAt t = tailProbe now t { tProbeAt = never }
      | otherwise = t
    rto t
      | due tRtoAt t = timeout now t
      | otherwise = t
    persist t
      | due tPersistAt t = windowProbe now t
      | otherwise = t
    keep t
      | due tKeepAt t = keepAlive now t
      | otherwise = t

-- The last segment once more, or a new one, so that a loss at the tail is
-- found by SACK.
tailProbe :: Time -> Tcb -> Tcb
tailProbe now t
  | S.null (tFlight t) = t
  | tRecovery t == NoRecovery, tUnsentBytes t > 0
  , tWindow t - flightSize t >= size = fresh
  | otherwise = case S.findIndexR ((== InFlight) . flyFate) (tFlight counted) of
      Just i -> first (sendAgain now i (S.index (tFlight counted) i) counted)
      Nothing -> t
  where
    size = min (effectiveMss t) (tUnsentBytes t)
    counted = (fine t) { tMarked = True, tProbes = tProbes t + 1 }
    first x = if tProbes t == 0 then armRto now x else x
    fresh =
      let (bytes, rest) = takeBytes size (tUnsent t)
      in armProbe now $ armRto now $ emit now flagPsh (tNxt t) bytes t
           { tUnsent = rest, tUnsentBytes = tUnsentBytes t - size
           , tFlight = tFlight t |> Flying (tNxt t) bytes False now 0 InFlight
           , tNxt = tNxt t + fromIntegral size, tProbes = tProbes t + 1 }

timeout :: Time -> Tcb -> Tcb
timeout now t
  | (if shut then tUnanswered t else tBackoff t) >= retries =
      closedWith (Just TimedOut) t
  | opening = again { tSaySyn = True, tRtoAt = never }
  | S.null (tFlight t) = t { tRtoAt = never }
  | otherwise = armRto now again
      { tFlight = fmap lose (tFlight (fine t))
      , tMarked = True
      , tRecovery = LossRecovery
      , tRecover = tNxt t
      , tDupAcks = 0
      , tProbeAt = never, tReorderAt = never
      , tCong = if tBackoff t == 0 && tRecovery t /= LossRecovery
          then onTimeout (segmentSize t) (flightSize t) (tCong t)
          else (tCong t) { congWindow = segmentSize t }
      }
  where
    opening = tState t `elem` [SynSent, SynReceived]
    -- As with 'windowProbe': who answers may keep its window closed for ever
    -- (RFC 9293, 3.8.6.1).
    shut = tWindow t == 0 && not opening && not (tDetached t)
    retries | opening = tcpSynRetries (tConfig t)
            | otherwise = tcpRetries (tConfig t)
    -- Of a closed window not so many that there are none left once it opens.
    again | shut = t { tBackoff = min (retries `quot` 2) (tBackoff t + 1)
                     , tUnanswered = tUnanswered t + 1 }
          | otherwise = t { tBackoff = tBackoff t + 1 }
    lose f = case flyFate f of
      Sacked | tBackoff t == 0 -> f
      -- Twice in a row: the peer may have thrown away what it told of.
      _ -> f { flyFate = Lost }

persistTime :: Tcb -> Time
persistTime t = min (seconds 60)
  (max (millis 200) (tRto t) `unsafeShiftL` min 16 (tPersists t))

-- Whatever fits, or an old sequence number, which has to be answered with the
-- window.
windowProbe :: Time -> Tcb -> Tcb
windowProbe now t
  | not (S.null (tFlight t)) || tUnsentBytes t == 0 = t { tPersistAt = never }
  -- A peer that answers may keep its window closed for ever (RFC 1122,
  -- 4.2.2.17), unless nobody here waits any more.
  | tUnanswered t >= tcpRetries (tConfig t)
    || (tDetached t && tPersists t > 2 * tcpRetries (tConfig t)) =
      closedWith (Just TimedOut) t
  | size > 0 =
      let (bytes, rest) = takeBytes size (tUnsent t)
      in armSent now $ emit now flagPsh (tNxt t) bytes t
           { tUnsent = rest, tUnsentBytes = tUnsentBytes t - size
           , tFlight = S.singleton (Flying (tNxt t) bytes False now 0 InFlight)
           , tNxt = tNxt t + fromIntegral size
           , tPersistAt = never }
  | otherwise = emit now 0 (tUna t - 1) B.empty next
  where
    size = minimum [effectiveMss t, tUnsentBytes t, tWindow t]
    next = let t' = t { tPersists = tPersists t + 1
                      , tUnanswered = tUnanswered t + 1 }
           in t' { tPersistAt = now + persistTime t' }

keepAlive :: Time -> Tcb -> Tcb
keepAlive now t
  | not (tKeepAlive t) = t { tKeepAt = never }
  | tKeepProbes t >= tKeepCount t = closedWith (Just TimedOut) t
  | not (S.null (tFlight t)) = t { tKeepAt = now + tKeepIdle t }
  | otherwise = emit now 0 (tUna t - 1) B.empty t
      { tKeepProbes = tKeepProbes t + 1, tKeepAt = now + tKeepInterval t }
