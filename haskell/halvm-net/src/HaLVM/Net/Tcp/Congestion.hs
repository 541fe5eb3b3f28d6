-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Tcp.Congestion
--
-- How much may be under way: NewReno (RFC 5681, 6582) and CUBIC (RFC 9438).
-- Which segments are lost is not decided here.
module HaLVM.Net.Tcp.Congestion
  ( Congestion (..), Algorithm (..), newCongestion, initialWindow
  , onAck, onLoss, onTimeout, onIdle
  ) where

import HaLVM.Net.Types

data Algorithm = NewReno | Cubic deriving (Eq, Show, Enum, Bounded)

-- | Windows are in bytes.
data Congestion = Congestion
  { congAlgorithm :: Algorithm
  , congWindow :: Int
  , congThreshold :: Int
  , congAcked :: Int     -- ^ bytes since the window grew last (RFC 3465)
  , congMax :: Double    -- ^ CUBIC: the window before the last loss, segments
  , congEpoch :: Time    -- ^ CUBIC: since when it grows; 'never': not yet
  , congK :: Double      -- ^ CUBIC: seconds until it is there again
  , congReno :: Double   -- ^ CUBIC: what Reno would have, segments
  } deriving (Eq, Show)

-- | Ten segments (RFC 6928).
initialWindow :: Int -> Int
initialWindow mss = min (10 * mss) (max (2 * mss) 14600)

-- | For a segment size in bytes.
newCongestion :: Algorithm -> Int -> Congestion
newCongestion algorithm mss =
  Congestion algorithm (initialWindow mss) maxBound 0 0 never 0 0

-- | So many bytes were acknowledged, outside of a recovery, with the window in
-- use. Time, smoothed round trip, segment size, bytes, window's bound.
onAck :: Time -> Time -> Int -> Int -> Int -> Congestion -> Congestion
onAck now rtt mss bytes bound c
  | congWindow c >= bound = c
  | congWindow c < congThreshold c =
      c { congWindow = min bound (congWindow c + min bytes (2 * mss)) }
  | otherwise = case congAlgorithm c of
      NewReno
        | acked >= congWindow c ->
            c { congWindow = min bound (congWindow c + mss)
              , congAcked = acked - congWindow c }
        | otherwise -> c { congAcked = acked }
        where acked = congAcked c + bytes
      Cubic -> cubic now rtt mss bytes bound c

cubicC, cubicBeta :: Double
cubicC = 0.4
cubicBeta = 0.7

cubic :: Time -> Time -> Int -> Int -> Int -> Congestion -> Congestion
cubic now rtt mss bytes bound c0 = c
    { congWindow = min bound (max mss (round (next * fromIntegral mss)))
    , congReno = reno }
  where
    c | congEpoch c0 == never = startEpoch now mss c0
      | otherwise = c0
    size = fromIntegral mss :: Double
    window = fromIntegral (congWindow c) / size
    acked = fromIntegral bytes / size
    t = fromIntegral (now - congEpoch c + rtt) / 1e6 :: Double
    d = t - congK c
    target = max window (min (1.5 * window) (cubicC * d * d * d + congMax c))
    alpha | congReno c >= congMax c = 1
          | otherwise = 3 * (1 - cubicBeta) / (1 + cubicBeta)
    reno = congReno c + alpha * acked / window
    grown = window + (target - window) / window * acked
    next = max grown (min reno (window + acked))

startEpoch :: Time -> Int -> Congestion -> Congestion
startEpoch now mss c = c
    { congEpoch = now
    , congK = if window < top then ((top - window) / cubicC) ** (1 / 3) else 0
    , congMax = top
    , congReno = window
    }
  where
    window = fromIntegral (congWindow c) / fromIntegral mss
    top = max window (congMax c)

-- | A loss was found: once for a window. Segment size, bytes under way.
onLoss :: Int -> Int -> Congestion -> Congestion
onLoss mss flight c = c
    { congThreshold = threshold
    , congWindow = threshold
    , congAcked = 0
    , congEpoch = never
    , congMax = top
    }
  where
    window = min (congWindow c) (max flight mss)
    segments = fromIntegral window / fromIntegral mss :: Double
    threshold = max (2 * mss) $ case congAlgorithm c of
      NewReno -> window `quot` 2
      Cubic -> round (cubicBeta * fromIntegral window)
    -- Fast convergence: give way to newcomers.
    top | segments < congMax c = segments * (1 + cubicBeta) / 2
        | otherwise = segments

-- | The retransmission timer fired.
onTimeout :: Int -> Int -> Congestion -> Congestion
onTimeout mss flight c = (onLoss mss flight c) { congWindow = mss }

-- | Nothing was sent for long: start again from the initial window.
onIdle :: Int -> Congestion -> Congestion
onIdle mss c = c { congWindow = min (congWindow c) (initialWindow mss)
                 , congEpoch = never }
