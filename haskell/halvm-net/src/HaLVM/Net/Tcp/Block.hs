-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Tcp.Block
--
-- The transmission control block: all that is known of one connection. It is
-- changed by "HaLVM.Net.Tcp.Input" (segments), "HaLVM.Net.Tcp.Output" (what is
-- sent, timers) and "HaLVM.Net.Tcp" (the user's calls); none of them does IO.
module HaLVM.Net.Tcp.Block
  ( Tcb (..), TcpState (..), Flying (..), Fate (..), FinState (..), Recovery (..)
  , TcpConfig (..), defaultTcpConfig
  , newBlock, flightSize, isSynchronized, freeSpace, deadline, closedWith
  , stopTimers, sayAck, enterTimeWait, segmentSize, sendSpace, effectiveMss, burstMax
  , setPeerOptions, chunksMax
  ) where

import Data.ByteString (ByteString)
import qualified Data.Sequence as S
import Data.Sequence (Seq)
import Data.Word

import HaLVM.Net.Persona
import HaLVM.Net.Tcp.Congestion
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Types

-- | The states of RFC 9293, 3.3.2, without LISTEN: a listener has no block.
data TcpState
  = SynSent | SynReceived | Established | FinWait1 | FinWait2 | CloseWait
  | Closing | LastAck | TimeWait | Closed
  deriving (Eq, Ord, Show, Enum, Bounded)

data Fate
  = InFlight
  | Sacked  -- ^ has arrived, but what is before it has not
  | Lost    -- ^ to be sent again
  deriving (Eq, Show)

-- | A segment that was sent and is not acknowledged.
data Flying = Flying
  { flySeq :: Word32
  , flyBytes :: ByteString
  , flyFin :: Bool
  , flySent :: Time    -- ^ the last time
  , flyAgain :: Int    -- ^ how often it was sent again
  , flyFate :: Fate
  } deriving (Eq, Show)

data FinState = FinNone | FinWanted | FinSent deriving (Eq, Show)

data Recovery
  = NoRecovery
  | FastRecovery -- ^ until what was sent when the loss was found is there
  | LossRecovery -- ^ the same, after the retransmission timer
  deriving (Eq, Show)

-- | What is the same for all connections of a stack.
data TcpConfig = TcpConfig
  { tcpSendBuffer :: Int      -- ^ bytes
  , tcpReceiveBuffer :: Int   -- ^ bytes; the window is at most this
  , tcpAlgorithm :: Algorithm
  , tcpRtoMin :: Time         -- ^ RFC 6298 says 1 s, everybody takes less
  , tcpRtoMax :: Time
  , tcpDelayedAck :: Time     -- ^ at most 500 ms
  , tcpRetries :: Int         -- ^ of data
  , tcpSynRetries :: Int
  , tcpTimeWait :: Time       -- ^ twice the maximum segment lifetime
  , tcpFinWait2 :: Time       -- ^ after close; the peer may never close
  , tcpTimeWaits :: Int       -- ^ connections in TIME-WAIT, at most
  } deriving (Show)

defaultTcpConfig :: TcpConfig
defaultTcpConfig = TcpConfig
  { tcpSendBuffer = 256 * 1024
  , tcpReceiveBuffer = 256 * 1024
  , tcpAlgorithm = Cubic
  , tcpRtoMin = millis 200
  , tcpRtoMax = seconds 60
  , tcpDelayedAck = millis 40
  , tcpRetries = 15
  , tcpSynRetries = 6
  , tcpTimeWait = seconds 60
  , tcpFinWait2 = seconds 60
  , tcpTimeWaits = 4096
  }

-- | Sequence numbers and windows have the names of RFC 9293.
--
-- It has many fields, and where a function that uses some of them is inlined
-- into one that makes a new block, GHC loads all of them and keeps them on the
-- stack over every call in between, which costs more than what is done with
-- them. So what looks at a block, or makes one from another, on the way of every
-- segment is not inlined.
data Tcb = Tcb
  { tState :: TcpState
  , tLocal :: Endpoint
  , tRemote :: Endpoint
  , tConfig :: TcpConfig
  , tPersona :: Persona
  , tError :: Maybe Error      -- ^ why it is closed, until it is told
  -- Sending
  , tIss :: Word32
  , tUna :: Word32
  , tNxt :: Word32
  , tWindow :: Int             -- ^ what the peer takes, from una on
  , tWindowMax :: Int          -- ^ the largest it ever offered
  , tWl1 :: Word32
  , tWl2 :: Word32
  , tSendScale :: Int
  , tMss :: Int                -- ^ what peer and path take, options included
  , tUnsent :: Seq ByteString
  , tUnsentBytes :: Int
  , tFlight :: Seq Flying      -- ^ by sequence number, without gaps
  , tMarked :: Bool            -- ^ something in it is not plainly InFlight
  , tFin :: FinState
  , tSendBuffer :: Int
  , tNoDelay :: Bool
  -- Receiving
  , tIrs :: Word32
  , tRcvNxt :: Word32
  , tRcvAdv :: Word32          -- ^ the window's right edge, as it was told
  , tRcvScale :: Int
  , tRcvBuffer :: Int
  , tRcvQueue :: Seq ByteString
  , tRcvBytes :: Int
  , tRcvLater :: [(Word32, ByteString)] -- ^ out of order; sorted, disjoint
  , tRcvLast :: Word32         -- ^ where the last of those came
  , tRcvFinAt :: Maybe Word32  -- ^ where the peer's FIN is, once seen
  , tRcvFin :: Bool            -- ^ it was reached: no more data
  , tLastAck :: Word32
  , tUnacked :: Int            -- ^ bytes since then
  -- Options
  , tOffer :: Options          -- ^ what our SYN says
  , tStamps :: Bool
  , tSack :: Bool
  , tStampOffset :: Word32
  , tRecent :: Word32
  , tRecentAt :: Time
  -- Round trips and losses
  , tSrtt :: Time              -- ^ 0: none measured
  , tRttVar :: Time
  , tRttMin :: Time
  , tRto :: Time
  , tBackoff :: Int            -- ^ retransmission timeouts in a row
  , tCong :: Congestion
  , tRecovery :: Recovery
  , tRecover :: Word32
  , tDupAcks :: Int
  , tRackSent :: Time          -- ^ when the latest segment to arrive was sent
  , tRackEnd :: Word32
  , tRackRtt :: Time
  , tLastSent :: Time
  , tDelivered :: Int          -- ^ bytes that arrived, by ACK or SACK, modulo 2^64
  , tSample :: Time            -- ^ a round trip that this segment measured, or 0
  -- What output is to do
  , tSayAck :: Bool
  , tSaySyn :: Bool
  , tSayLost :: Bool           -- ^ one lost segment, whatever the window says
  , tOut :: [Segment]          -- ^ the latest first
  , tChallenges :: Int         -- ^ sent since tChallengeAt
  , tChallengeAt :: Time
  -- Timers: when, or never
  , tRtoAt :: Time
  , tProbeAt :: Time           -- ^ tail loss probe (RFC 8985)
  , tProbes :: Int             -- ^ of those since something arrived
  , tReorderAt :: Time         -- ^ when what is late counts as lost
  , tAckAt :: Time
  , tPersistAt :: Time
  , tPersists :: Int           -- ^ probes of the window, one after the other
  , tUnanswered :: Int         -- ^ of those since the peer spoke last
  , tKeepAt :: Time
  , tKeepProbes :: Int
  , tWaitAt :: Time            -- ^ TIME-WAIT, orphaned FIN-WAIT-2
  , tKeepAlive :: Bool
  , tKeepIdle :: Time
  , tKeepInterval :: Time
  , tKeepCount :: Int
  , tDetached :: Bool          -- ^ the user has closed it
  , tPassive :: Bool           -- ^ came from a listener
  }

-- | A closed connection with our initial sequence number, an offset for its
-- timestamps, and the MTU's segment size.
newBlock :: TcpConfig -> Persona -> Endpoint -> Endpoint -> Word32 -> Word32
         -> Int -> Tcb
newBlock config persona local remote iss offset mtuMss = Tcb
  { tState = Closed, tLocal = local, tRemote = remote, tConfig = config
  , tPersona = persona, tError = Nothing
  , tIss = iss, tUna = iss, tNxt = iss, tWindow = 0, tWindowMax = 0
  , tWl1 = 0, tWl2 = 0, tSendScale = 0, tMss = mss
  , tUnsent = S.empty, tUnsentBytes = 0, tFlight = S.empty, tMarked = False
  , tFin = FinNone, tSendBuffer = tcpSendBuffer config, tNoDelay = False
  , tIrs = 0, tRcvNxt = 0, tRcvAdv = 0, tRcvScale = 0
  , tRcvBuffer = buffer, tRcvQueue = S.empty, tRcvBytes = 0, tRcvLater = []
  , tRcvLast = 0, tRcvFinAt = Nothing, tRcvFin = False, tLastAck = 0
  , tUnacked = 0
  , tOffer = Options
      { optMss = mss
      , optScale = maybe (-1) (max (scaleFor buffer)) (personaScale persona)
      , optSackOk = personaSack persona
      , optStamp = if personaTimestamps persona then Stamp 0 0 else NoStamp
      , optSack = [] }
  , tStamps = False, tSack = False, tStampOffset = offset
  , tRecent = 0, tRecentAt = 0
  , tSrtt = 0, tRttVar = 0, tRttMin = never, tRto = seconds 1, tBackoff = 0
  , tCong = newCongestion (tcpAlgorithm config) mss
  , tRecovery = NoRecovery, tRecover = iss, tDupAcks = 0
  , tRackSent = 0, tRackEnd = iss, tRackRtt = 0, tLastSent = 0
  , tDelivered = 0, tSample = 0
  , tSayAck = False, tSaySyn = False, tSayLost = False, tOut = []
  , tChallenges = 0, tChallengeAt = 0
  , tRtoAt = never, tProbeAt = never, tProbes = 0, tReorderAt = never
  , tAckAt = never, tPersistAt = never, tPersists = 0, tUnanswered = 0, tKeepAt = never, tKeepProbes = 0
  , tWaitAt = never
  , tKeepAlive = False, tKeepIdle = seconds 7200, tKeepInterval = seconds 75
  , tKeepCount = 9, tDetached = False, tPassive = False
  }
  where
    mss = max 64 (maybe mtuMss (min mtuMss) (personaMss persona))
    -- Without a scale, no window can say more than sixteen bits.
    buffer = maybe (min 65535) (const id) (personaScale persona)
      (tcpReceiveBuffer config)

-- The smallest scale with which the whole buffer can be offered.
scaleFor :: Int -> Int
scaleFor size = length (takeWhile (> 65535) (iterate (`quot` 2) size)) `min` 14

-- | What the peer's SYN says; options count only if both sides offer them.
setPeerOptions :: Time -> Options -> Tcb -> Tcb
setPeerOptions now o t = t
    { tMss = min (tMss t) (if optMss o == 0 then defaultMss else max 64 (optMss o))
    , tSendScale = if scaled then optScale o else 0
    , tRcvScale = if scaled then optScale (tOffer t) else 0
    , tRcvBuffer = if scaled then tRcvBuffer t else min 65535 (tRcvBuffer t)
    , tSack = optSackOk o && optSackOk (tOffer t)
    , tStamps = stamps
    , tRecent = case optStamp o of { Stamp v _ | stamps -> v; _ -> 0 }
    , tRecentAt = now
    , tOffer = (tOffer t)
        { optScale = if scaled then optScale (tOffer t) else -1
        , optSackOk = optSackOk o && optSackOk (tOffer t)
        , optStamp = if stamps then optStamp (tOffer t) else NoStamp }
    }
  where
    scaled = optScale o >= 0 && optScale (tOffer t) >= 0
    stamps = optStamp o /= NoStamp && optStamp (tOffer t) /= NoStamp
    defaultMss = case endAddr (tLocal t) of { V4 _ -> 536; _ -> 1220 }

-- | Payload bytes of a full segment.
segmentSize :: Tcb -> Int
segmentSize t = if tStamps t then tMss t - stampSize else tMss t
{-# INLINE segmentSize #-}

-- | The same, with room for the blocks of SACK that have to be told.
effectiveMss :: Tcb -> Int
effectiveMss t
  | null (tRcvLater t) || not (tSack t) = segmentSize t
  | otherwise = segmentSize t - sackSize 3

-- | Payload bytes that one segment may have that is cut later, by the interface
-- or on its way there: with all headers it is a packet, and a frame, of less
-- than 64 KiB. A flight has such ones only while nothing in it is marked
-- ('fine'), and none is sent beside blocks of SACK.
burstMax :: Int
burstMax = 65535 - 14 - 40 - 60

-- | Sequence numbers sent and not acknowledged.
flightSize :: Tcb -> Int
flightSize t = minus (tNxt t) (tUna t)
{-# INLINE flightSize #-}

-- | Bytes that a send would take.
sendSpace :: Tcb -> Int
sendSpace t = max 0 (tSendBuffer t - tUnsentBytes t - flightSize t)

-- | Bytes that the receive buffer still takes.
freeSpace :: Tcb -> Int
freeSpace t = max 0 (tRcvBuffer t - tRcvBytes t)

-- | Both sides know each other's sequence numbers.
isSynchronized :: TcpState -> Bool
isSynchronized s = s `notElem` [SynSent, SynReceived, Closed]

-- | Pieces that a receive queue may have: many small ones are put together,
-- since each holds its whole frame.
chunksMax :: Tcb -> Int
chunksMax t = 64 + tRcvBuffer t `quot` 1024

-- | The first of the timers.
deadline :: Tcb -> Time
{-# NOINLINE deadline #-}
deadline t = tRtoAt t `min` tProbeAt t `min` tReorderAt t `min` tAckAt t
  `min` tPersistAt t `min` tKeepAt t `min` tWaitAt t

stopTimers :: Tcb -> Tcb
stopTimers t = t { tRtoAt = never, tProbeAt = never, tReorderAt = never
                 , tAckAt = never, tPersistAt = never, tKeepAt = never
                 , tWaitAt = never }

-- | It is over; what was not sent never will be. What was received stays.
closedWith :: Maybe Error -> Tcb -> Tcb
closedWith why t = (stopTimers t)
  { tState = Closed, tError = why, tUnsent = S.empty, tUnsentBytes = 0
  , tFlight = S.empty, tMarked = False, tUna = tNxt t, tRcvLater = []
  , tSayAck = False, tSaySyn = False }

-- | Acknowledge with the next output.
sayAck :: Tcb -> Tcb
sayAck t = t { tSayAck = True }
{-# INLINE sayAck #-}

-- | Waits for old duplicates to die, and for a FIN that comes again.
enterTimeWait :: Time -> Tcb -> Tcb
enterTimeWait now t = (stopTimers t)
  { tState = TimeWait, tWaitAt = now + tcpTimeWait (tConfig t)
  , tUnsent = S.empty, tUnsentBytes = 0, tFlight = S.empty, tMarked = False
  , tRcvLater = [] }
