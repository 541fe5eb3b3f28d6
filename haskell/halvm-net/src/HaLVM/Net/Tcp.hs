-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Tcp
--
-- TCP as a pure machine: a block, an event with its time, the block after it.
-- What is to be sent gathers in the block; 'takeOut' fetches it.
--
-- An event is a segment ('segmentArrives'), a timer ('timePasses'), or a call
-- of the user. 'batchArrives' leaves the answer to a later 'flush', so that
-- segments that came together are acknowledged together.
module HaLVM.Net.Tcp
  ( module HaLVM.Net.Tcp.Block
    -- * Opening
  , openActive, openPassive, openFromCookie
    -- * Events
  , segmentArrives, batchArrives, flush, timePasses, pathTooSmall
    -- * The user's calls
  , sendBytes, receiveBytes, shutdownSend, closeBlock, abortBlock
  , setNoDelay, setKeepAlive, setReceiveBuffer
    -- * What follows
  , takeOut, resetSegment, isReadable, isWritable
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.Sequence as S
import Data.Sequence (ViewL (..), viewl, (<|), (|>))
import Data.Word

import HaLVM.Net.Persona
import HaLVM.Net.Tcp.Block
import HaLVM.Net.Tcp.Input
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Output
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Types

-- | Sends a SYN.
openActive :: Time -> Tcb -> Tcb
openActive now t = output now t { tState = SynSent, tSaySyn = True }

-- | A connection whose SYN was answered by a cookie: the segment
-- acknowledges it, and all that is known of the peer's SYN is its segment
-- size.
openFromCookie :: Time -> Segment -> Int -> Tcb -> Tcb
openFromCookie now s mss t = establish now opened
    { tState = SynReceived
    , tPassive = True
    , tUna = segAck s
    , tNxt = segAck s
    , tIrs = segSeq s - 1
    , tRcvNxt = segSeq s
    , tRcvAdv = segSeq s
        + fromIntegral (min (freeSpace opened) (personaWindow (tPersona t)))
    , tLastAck = segSeq s
    , tWindow = fromIntegral (segWindow s)
    , tWindowMax = fromIntegral (segWindow s)
    , tWl1 = segSeq s - 1
    , tWl2 = segAck s
    }
  where
    opened = setPeerOptions now noOptions { optMss = mss } t

-- | A segment; answers at once.
segmentArrives :: Time -> Segment -> Tcb -> Tcb
segmentArrives now s t = output now (arrive now s t)

-- | A segment, others of which may follow before 'flush'. What comes out of
-- order is answered one by one, since the peer counts those answers.
batchArrives :: Time -> Segment -> Tcb -> Tcb
batchArrives now s t
  | null (tRcvLater t') && null (tRcvLater t) && tSayAck t' = t'
  | tSayAck t' = output now t'
  | otherwise = t'
  where t' = arrive now s t

-- | What segments that came together lead to.
flush :: Time -> Tcb -> Tcb
flush = output

-- | Whatever is due at this time.
timePasses :: Time -> Tcb -> Tcb
timePasses = expireTimers

-- | A router says that packets of this segment size (options included) are too
-- large; the number is of the segment that it quotes.
pathTooSmall :: Time -> Word32 -> Int -> Tcb -> Tcb
pathTooSmall now sq mss t
  | not (isSynchronized (tState t)) || tState t == TimeWait = t
  | minus sq (tUna t) < 0 || not (before sq (tNxt t)) = t
  | otherwise = output now (setMss mss t)

-- | Takes as much as the send buffer has room for; says how much that was.
sendBytes :: Time -> ByteString -> Tcb -> (Int, Tcb)
sendBytes now bytes t
  | size == 0 = (0, t)
  | otherwise = (size, output now (queued (B.take size bytes) t))
  where size = min (B.length bytes) (sendSpace t)

queued :: ByteString -> Tcb -> Tcb
{-# NOINLINE queued #-}
queued bytes t = t { tUnsent = tUnsent t |> bytes
                   , tUnsentBytes = tUnsentBytes t + B.length bytes }

-- | At most so many bytes of what has arrived, in its pieces. Opens the
-- window; the peer is told when that is worth a segment.
receiveBytes :: Time -> Int -> Tcb -> ([ByteString], Tcb)
receiveBytes now limit t
  | tRcvBytes t == 0 || limit <= 0 = ([], t)
  | tell = (got, output now taken)
  | otherwise = (got, taken)
  where
    (got, queue) = go limit [] (tRcvQueue t)
    size = sum (map B.length got)
    taken = afterReceive queue size tell t
    go n acc q = case viewl q of
      b :< rest
        | n > 0 && B.length b <= n -> go (n - B.length b) (b : acc) rest
        | n > 0 -> (reverse (B.take n b : acc), B.drop n b <| rest)
      _ -> (reverse acc, q)
    tell = tState t `elem` [Established, FinWait1, FinWait2]
      && opened >= min (tRcvBuffer t `quot` 2) (2 * segmentSize t)
      && (opened >= tRcvBuffer t `quot` 4 || offered < 4 * segmentSize t)
    offered = minus (tRcvAdv t) (tRcvNxt t)
    opened = max 0 (tRcvBuffer t - tRcvBytes t + size) - offered

afterReceive :: S.Seq ByteString -> Int -> Bool -> Tcb -> Tcb
{-# NOINLINE afterReceive #-}
afterReceive queue size tell t = t
  { tRcvQueue = queue, tRcvBytes = tRcvBytes t - size
  , tSayAck = tell || tSayAck t }

-- | No more data: a FIN after what is still to be sent.
shutdownSend :: Time -> Tcb -> Tcb
shutdownSend now t = case tState t of
  SynSent -> closedWith Nothing t
  SynReceived -> output now t { tFin = FinWanted }
  Established -> output now t { tFin = FinWanted, tState = FinWait1 }
  CloseWait -> output now t { tFin = FinWanted, tState = LastAck }
  _ -> t

-- | The user is gone. What was sent still arrives; what was not read makes it
-- a reset (RFC 2525, 2.17).
closeBlock :: Time -> Tcb -> Tcb
closeBlock now t
  | tRcvBytes t > 0, tState t `notElem` [Closed, TimeWait, SynSent] =
      (abortBlock t) { tDetached = True }
  | tState t == FinWait2 =
      gone { tWaitAt = now + tcpFinWait2 (tConfig t) }
  | otherwise = shutdownSend now gone
  where gone = t { tDetached = True, tRcvQueue = S.empty, tRcvBytes = 0 }

-- | Ends at once, with a reset where the peer knows of us.
abortBlock :: Tcb -> Tcb
abortBlock t
  | tState t `elem` [Closed, SynSent, TimeWait] = ended
  | otherwise = ended { tOut = reset : tOut t }
  where
    ended = (closedWith (Just Aborted) t)
      { tRcvQueue = S.empty, tRcvBytes = 0 }
    reset = (resetSegment blank)
      { segSource = endPort (tLocal t), segTarget = endPort (tRemote t)
      , segSeq = tNxt t, segAck = tRcvNxt t, segFlags = flagRst + flagAck }
    blank = Segment 0 0 0 0 0 0 noOptions B.empty

setNoDelay :: Time -> Bool -> Tcb -> Tcb
setNoDelay now on t = output now t { tNoDelay = on }

-- | On or off, seconds of idleness, seconds between probes, their number.
setKeepAlive :: Time -> Bool -> Int -> Int -> Int -> Tcb -> Tcb
setKeepAlive now on idle interval count t = t
  { tKeepAlive = on, tKeepIdle = seconds (max 1 idle)
  , tKeepInterval = seconds (max 1 interval), tKeepCount = max 1 count
  , tKeepProbes = 0
  , tKeepAt = if on && isSynchronized (tState t) && tState t /= TimeWait
      then now + seconds (max 1 idle) else never }

-- | Never below what the peer was already offered.
setReceiveBuffer :: Int -> Tcb -> Tcb
setReceiveBuffer size t = t { tRcvBuffer = max least (min most size) }
  where
    least = max 2048 (tRcvBytes t + max 0 (minus (tRcvAdv t) (tRcvNxt t)))
    most = 65535 * 2 ^ max 0 (tRcvScale t)

-- | The segments to send, in their order, and the block without them.
takeOut :: Tcb -> ([Segment], Tcb)
takeOut t = case tOut t of
  [] -> ([], t)
  [s] -> ([s], emptied t)
  out -> (reverse out, emptied t)

emptied :: Tcb -> Tcb
{-# NOINLINE emptied #-}
emptied t = t { tOut = [] }

-- | A read would not wait: there is data, its end, or an error.
isReadable :: Tcb -> Bool
{-# NOINLINE isReadable #-}
isReadable t = tRcvBytes t > 0 || tRcvFin t || tState t == Closed

-- | A write would not wait: there is room worth it, or an error.
isWritable :: Tcb -> Bool
{-# NOINLINE isWritable #-}
isWritable t = case tState t of
  SynSent -> False
  SynReceived -> False
  _ -> tFin t /= FinNone || tState t == Closed
    || 3 * sendSpace t >= tSendBuffer t
