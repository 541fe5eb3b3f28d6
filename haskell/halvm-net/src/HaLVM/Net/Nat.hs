-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Nat
--
-- Port forwarding for IPv4: what is sent to a port of ours goes on to another
-- machine, with our address as its source, and the answers go back. Bounded
-- in sessions and in time.
module HaLVM.Net.Nat
  ( Forward (..), Nat, newNat, translate, Translated (..), expireNat, natNext
  , sessions, sessionsMax, rewrite, natOwns
  ) where

import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import Data.Bits
import Data.List (find, minimumBy)
import qualified Data.Map.Strict as M
import Data.Ord (comparing)
import Data.Word

import HaLVM.Net.Bytes
import HaLVM.Net.Checksum
import HaLVM.Net.Tcp.Segment (flagAck, flagFin, flagRst, flagSyn)
import HaLVM.Net.Types

-- | A port of ours that belongs to another machine.
data Forward = Forward
  { fwdProto :: Proto
  , fwdPort :: Word16
  , fwdTo :: Endpoint
  } deriving (Eq, Show)

data Session = Session
  { seRemote :: Endpoint -- who began
  , seOuter :: Endpoint  -- what it speaks to
  , seOurs :: Endpoint   -- what the inner machine speaks to
  , seInner :: Endpoint
  , seStage :: Stage
  , seUntil :: Time
  }

data Stage
  = Opening  -- ^ the inner machine has not answered
  | Answered -- ^ it has, but not to somebody who really is there
  | Talking
  | Ending   -- ^ of TCP: one side has finished, or reset it

data Nat = Nat
  { natForwards :: [Forward]
  , natOut :: M.Map (Proto, Endpoint, Endpoint) Session -- remote, outer
  , natBack :: M.Map (Proto, Endpoint, Endpoint) (Endpoint, Endpoint)
    -- inner, ours -> remote, outer
  , natPort :: Word16
  }

sessionsMax :: Int
sessionsMax = 4096

newNat :: [Forward] -> Nat
newNat forwards = Nat forwards M.empty M.empty firstPort

firstPort, lastPort :: Word16
firstPort = 61000
lastPort = 65499

sessions :: Nat -> Int
sessions = M.size . natOut

-- | The new source and target.
data Translated = Translated Endpoint Endpoint deriving (Eq, Show)

-- | A packet for an address of ours: protocol, source, target, TCP's flags. The
-- function gives the address of ours that the other machine is to see.
translate :: Time -> (Addr -> Maybe Addr) -> Proto -> Endpoint -> Endpoint
          -> Word8 -> Nat -> Maybe (Translated, Nat)
translate now source proto from to flags n
  | null (natForwards n) = Nothing
  | Just s <- M.lookup (proto, from, to) (natOut n) =
      Just (Translated (seOurs s) (seInner s), keep (fromOuter (seStage s)) s)
  | Just (remote, outer) <- M.lookup (proto, from, to) (natBack n)
  , Just s <- M.lookup (proto, remote, outer) (natOut n) =
      Just (Translated outer remote, keep (fromInner (seStage s)) s)
  | Just f <- find (matches to) (natForwards n)
  , Just ours <- source (endAddr (fwdTo f))
  , Just port <- freePort ours (fwdTo f) =
      let s = Session from to (Endpoint ours port) (fwdTo f)
                Opening (until' Opening)
      in Just ( Translated (seOurs s) (seInner s)
              , fresh { natOut = M.insert (proto, from, to) s (natOut fresh)
                      , natBack = M.insert (proto, seInner s, seOurs s)
                          (from, to) (natBack fresh)
                      , natPort = next port } )
  | otherwise = Nothing
  where
    fresh = makeRoom now n
    matches t f = fwdProto f == proto && fwdPort f == endPort t
    keep stage s = n { natOut = M.insert (proto, seRemote s, seOuter s)
      s { seStage = stage, seUntil = until' stage } (natOut n) }
    has flag = proto == Tcp && flags .&. flag /= 0
    fromOuter stage = case stage of
      _ | has flagSyn && not (has flagAck) -> Opening
      Opening -> Opening
      Answered -> ended Talking
      _ -> ended stage
    fromInner stage = case stage of
      Opening -> ended Answered
      _ -> ended stage
    ended stage = if has (flagFin .|. flagRst) then Ending else stage
    -- RFC 5382, 5, but for what is not open yet: many of those may be nobody's.
    until' stage = now + case stage of
      _ | proto == Udp -> seconds 120
      Talking -> seconds 7200
      Ending -> seconds 240
      _ -> seconds 60
    next p = if p >= lastPort then firstPort else p + 1
    freePort ours inner = find free (take 64 (iterate next (natPort fresh)))
      where free p = M.notMember (proto, inner, Endpoint ours p) (natBack fresh)

-- | Whether it concerns a forwarded port or the answer of one.
natOwns :: Proto -> Endpoint -> Endpoint -> Nat -> Bool
natOwns proto from to n = not (null (natForwards n)) &&
  (any (\f -> fwdProto f == proto && fwdPort f == endPort to) (natForwards n)
   || M.member (proto, from, to) (natBack n))

-- | Forgets sessions that were not used for long.
expireNat :: Time -> Nat -> Nat
expireNat now n
  | M.null old = n
  | otherwise = forget (M.toList old) n
  where old = M.filter ((<= now) . seUntil) (natOut n)

forget :: [((Proto, Endpoint, Endpoint), Session)] -> Nat -> Nat
forget gone n = n
  { natOut = foldr (M.delete . fst) (natOut n) gone
  , natBack = foldr drop' (natBack n) gone }
  where drop' ((proto, _, _), s) = M.delete (proto, seInner s, seOurs s)

-- When the table is full, and nothing in it is old, what would end first goes.
makeRoom :: Time -> Nat -> Nat
makeRoom now n
  | M.size (natOut n) < sessionsMax = n
  | M.size (natOut young) < sessionsMax = young
  | otherwise = forget [first] young
  where
    young = expireNat now n
    first = minimumBy (comparing (seUntil . snd)) (M.toList (natOut young))

-- | When to look again, if there is anything.
natNext :: Time -> Nat -> Time
natNext now n
  | M.null (natOut n) = never
  | otherwise = now + seconds 30

-- | A TCP segment or UDP datagram with other addresses and ports, its checksum
-- adjusted (RFC 1624). Nothing when it is too short.
rewrite :: Proto -> (Endpoint, Endpoint) -> Translated -> ByteString -> Maybe Put
rewrite proto (from, to) (Translated from' to') b
  | B.length b < least = Nothing
  | otherwise = Just $ Put (B.length b) $ \p -> do
      copy p
      poke16 p 0 (endPort from')
      poke16 p 2 (endPort to')
      if proto == Udp && check == 0 then pure () else poke16 p at new
  where
    Put _ copy = putBytes b
    (least, at) = case proto of { Tcp -> (20, 16); Udp -> (8, 6) }
    check = u16 b at
    adjusted = addr (endAddr from) (endAddr from')
      . addr (endAddr to) (endAddr to')
      . adjust16 (endPort from) (endPort from')
      . adjust16 (endPort to) (endPort to') $ check
    new | proto == Udp && adjusted == 0 = complement 0
        | otherwise = adjusted
    addr (V4 x) (V4 y) = adjust32 x y
    addr _ _ = id
