-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Stack
--
-- The whole stack as a value. 'step' takes what happened and gives back what
-- is to be done; nothing here does IO, reads a clock or makes a random number
-- that the key does not determine, so a run can be repeated to the bit.
--
-- >>> let config = defaultConfig [interface (Mac 0x020000000001)]
-- >>> let (stack, actions) = newStack 0 (Key 1 2) config
-- >>> length [() | Transmit 1 _ <- actions] > 0  -- DHCP asks, IPv6 looks
-- True
-- >>> let (answer, _, _) = call 0 (Open Tcp False) stack
-- >>> answer
-- Opened 1
module HaLVM.Net.Stack
  ( -- * A stack
    Stack, Config (..), IfConfig (..), defaultConfig, interface, newStack
  , TcpConfig (..), defaultTcpConfig, Algorithm (..), Key (..)
    -- * What happens
  , Event (..), step, Action (..), Ready (..), Touch (..), TouchKind (..)
  , nextDeadline, readyNow
    -- * Calls
  , call, Call (..), Answer (..), Way (..), How (..), Option (..)
    -- * Looking at it
  , addresses, settling, Census (..), census, mapped, unmapped, routeList, sRoutes
  , module HaLVM.Net.Types
  ) where

import Data.ByteString (ByteString)
import Data.Foldable (foldl')
import qualified Data.IntMap.Strict as I
import qualified Data.IntPSQ as Q
import qualified Data.Map.Strict as M
import qualified Data.Sequence as S

import HaLVM.Net.Ipv4.Reassembly
import HaLVM.Net.Nat
import HaLVM.Net.Neighbour (size)
import HaLVM.Net.Route
import HaLVM.Net.SipHash
import HaLVM.Net.Stack.Addresses
import HaLVM.Net.Stack.Connections
import HaLVM.Net.Stack.Input
import HaLVM.Net.Stack.Link
import HaLVM.Net.Stack.Sockets
import HaLVM.Net.Stack.State
import HaLVM.Net.Tcp
import HaLVM.Net.Tcp.Congestion
import HaLVM.Net.Types

data Event
  = Frames Int [ByteString] -- ^ arrived together at an interface
  | TimePasses              -- ^ 'nextDeadline' was reached
  deriving (Show)

-- | A stack that begins at this time. The key is its only randomness and must
-- be a secret. The actions are to be done, as those of 'step'.
newStack :: Time -> Key -> Config -> (Stack, [Action])
newStack now key config =
  finish now (startInterfaces now (emptyStack key config))

-- | What an event leads to. Times never go back.
step :: Time -> Event -> Stack -> (Stack, [Action])
step now event s = case event of
  Frames i frames -> finish now (foldl' (flip (frameArrives now i)) s frames)
  TimePasses -> finish now (timers now s)

-- | A user's call, and its answer.
call :: Time -> Call -> Stack -> (Answer, Stack, [Action])
call now c s = case userCall now c s of
  (answer, s1) -> let (s2, actions) = finish now s1 in (answer, s2, actions)

-- | What is expected of a socket now; nothing of one that is not there.
readyNow :: SockId -> Stack -> Ready
readyNow i s = maybe (Ready False False False) skReady (I.lookup i (sSockets s))

-- | When 'TimePasses' is due, or 'never'. May be early, never late.
nextDeadline :: Stack -> Time
nextDeadline s = case Q.findMin (sTimers s) of
  Just (_, at, _) -> at
  Nothing -> never

-- Output of connections, packets to ourselves; a bounded number of rounds of
-- those, the rest at once but in another step.
finish :: Time -> Stack -> (Stack, [Action])
finish now s0 = (s2 { sActions = [] }, reverse (sActions s2))
  where
    s1 = rounds (32 :: Int) (flushDirty now s0)
    s2 | S.null (sLoop s1) = s1
       | otherwise = setTimer timerLoop now s1
    rounds n s
      | n == 0 || S.null (sLoop s) = s
      | otherwise = rounds (n - 1) (flushDirty now (drainLoop now s))

timers :: Time -> Stack -> Stack
timers now s = case Q.minView (sTimers s) of
  Just (key, at, _, rest) | at <= now ->
    timers now (timer now key s { sTimers = rest })
  _ -> s

timer :: Time -> TimerKey -> Stack -> Stack
timer now key s
  | key > 0 = case I.lookup key (sSockets s) of
      Just sk | Stream t <- skBody sk ->
        if deadline t > now then socketTimer key t s
          else storeBlock now key sk (timePasses now t) s
      _ -> s
  | key == timerNeighbours = neighbourTick now s
  | key == timerFragments =
      let r = expire now (sFragments s)
      in (if pending r > 0 then setTimer timerFragments (now + seconds 5) else id)
           s { sFragments = r }
  | key == timerDhcp = dhcpTicks now s
  | key == timerNdp = ndpTicks now s
  | key == timerNat =
      let n = expireNat now (sNat s) in setTimer timerNat (natNext now n) s { sNat = n }
  | otherwise = s -- timerLoop: the step itself does it

-- | Addresses of all interfaces that may be used now, without loopback's.
addresses :: Stack -> [(Int, Addr, Int)]
addresses s = [ (iaIface a, iaAddr a, iaPrefix a) | a <- M.elems (sLocal s)
              , iaIface a /= 0, iaTentative a == 0 ]

-- | Whether addresses of IPv6 may still come soon: some are looked for on the
-- link, or the first question to routers is not answered yet.
settling :: Time -> Stack -> Bool
settling now s = any soon (I.elems (sIfaces s))
  where
    soon i = any ((/= 0) . iaTentative) (ifAddrs i) || ifSolicits i == 3
      || (ifSolicits i == 2 && ifSolicitAt i > now + millis 3500)

-- | How much of everything there is: what tests compare before and after.
data Census = Census
  { cenSockets :: Int
  , cenConnections :: Int
  , cenTimeWaits :: Int
  , cenTimers :: Int
  , cenBound :: Int
  , cenFragments :: Int
  , cenNeighbours :: Int
  , cenSessions :: Int
  , cenStates :: [TcpState]
  } deriving (Eq, Show)

census :: Stack -> Census
census s = Census
  { cenSockets = I.size (sSockets s)
  , cenConnections = M.size (sConns s)
  , cenTimeWaits = length (filter (== TimeWait) states)
  , cenTimers = Q.size (sTimers s)
  , cenBound = sum (map length (M.elems (sBound s)))
  , cenFragments = pending (sFragments s)
  , cenNeighbours = sum (map (size . ifNeighbours) (I.elems (sIfaces s)))
  , cenSessions = sessions (sNat s)
  , cenStates = states
  }
  where
    states = [tState t | sk <- I.elems (sSockets s), Stream t <- [skBody sk]]
