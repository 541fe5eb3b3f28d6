-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Neighbour
--
-- Who has which link address: one cache for ARP and for neighbour discovery
-- (RFC 4861, 7.3; RFC 826). It is bounded; packets that wait for an answer
-- are bounded, too. Asking is the caller's: the cache says when.
module HaLVM.Net.Neighbour
  ( Neighbours, noNeighbours, Ask (..), Waiting (..)
  , resolve, learn, confirm, tick, nextTick, size
    -- * Bounds
  , neighboursMax, queueMax
  ) where

import Data.ByteString (ByteString)
import Data.List (foldl')
import qualified Data.Map.Strict as M
import Data.Word

import HaLVM.Net.Types

-- | A packet that waits for a link address: its source, for the answer when
-- there is none, and its type.
data Waiting = Waiting
  { waitType :: Word16
  , waitSource :: Mac
  , waitPacket :: ByteString
  }

data Entry
  = Asking [Waiting] Int Time -- ^ latest first; questions asked; the next one
  | Known Mac Time Int Time   -- ^ confirmed when; questions since; the next one

data Neighbours = Neighbours
  { entries :: M.Map Addr Entry
  , askings :: Int -- ^ how many have a next question
  }

-- | Ask for this address; by unicast, if a link address is known.
data Ask = Ask Addr (Maybe Mac)

neighboursMax, queueMax, questionsMax :: Int
neighboursMax = 1024
queueMax = 8
questionsMax = 3

reachable, interval :: Time
reachable = seconds 30
interval = seconds 1

noNeighbours :: Neighbours
noNeighbours = Neighbours M.empty 0

size :: Neighbours -> Int
size = M.size . entries

-- | The link address, or Nothing, and the packet waits. Perhaps a question is
-- to be asked.
resolve :: Time -> Addr -> (() -> Waiting) -> Neighbours
        -> (Maybe Mac, Maybe Ask, Neighbours)
resolve now addr waiting n = case M.lookup addr (entries n) of
  Just (Known mac at 0 _)
    | now - at < reachable -> (Just mac, Nothing, n)
    | otherwise -> ( Just mac, Just (Ask addr (Just mac))
                   , put (askings n + 1) (Known mac at 1 (now + interval)) )
  Just (Known mac _ _ _) -> (Just mac, Nothing, n)
  Just (Asking q count next) ->
    ( Nothing, Nothing
    -- At once, or all that ever waited is kept for later.
    , let w = waiting ()
          q' = take queueMax (w : q)
      in w `seq` length q' `seq` put (askings n) (Asking q' count next) )
  Nothing ->
    ( Nothing, Just (Ask addr Nothing)
    , let room = makeRoom n
          w = waiting ()
      in w `seq` room
           { entries = M.insert addr (Asking [w] 1 (now + interval)) (entries room)
           , askings = askings room + 1 } )
  where
    put count e = n { entries = M.insert addr e (entries n), askings = count }

-- When the table is full, the entry that was confirmed longest ago goes.
makeRoom :: Neighbours -> Neighbours
makeRoom n
  | M.size (entries n) < neighboursMax = n
  | otherwise = remove oldest n
  where
    oldest = snd (minimum [(age e, a) | (a, e) <- M.toList (entries n)])
    age (Asking _ _ next) = next - seconds 60
    age (Known _ at _ _) = at

remove :: Addr -> Neighbours -> Neighbours
remove a n = case M.lookup a (entries n) of
  Nothing -> n
  Just e -> Neighbours (M.delete a (entries n)) (askings n - asks e)

asks :: Entry -> Int
asks (Asking {}) = 1
asks (Known _ _ count _) = if count > 0 then 1 else 0

-- | Somebody said its link address. Makes a new entry only if told to; gives
-- back what waited for it, oldest first.
learn :: Time -> Bool -> Addr -> Mac -> Neighbours -> ([Waiting], Neighbours)
learn now create addr mac n = case M.lookup addr (entries n) of
  Just e@(Asking q _ _) -> (reverse q, known (asks e) n)
  Just e -> ([], known (asks e) n)
  Nothing | create -> ([], known 0 (makeRoom n))
          | otherwise -> ([], n)
  where
    known gone x = Neighbours
      (M.insert addr (Known mac now 0 never) (entries x)) (askings x - gone)

-- | The address answers to this link address still; another one is not taken.
confirm :: Time -> Addr -> Mac -> Neighbours -> Neighbours
confirm now addr mac n = case M.lookup addr (entries n) of
  Just e@(Known m _ _ _) | m == mac -> Neighbours
    (M.insert addr (Known mac now 0 never) (entries n)) (askings n - asks e)
  _ -> n

-- | Questions that are due, and packets that wait in vain.
tick :: Time -> Neighbours -> ([Ask], [(Addr, Waiting)], Neighbours)
tick now n
  | askings n == 0 = ([], [], n)
  | otherwise = foldl' one ([], [], n) (M.toList (entries n))
  where
    one acc@(due, lost, x) (a, e) = case e of
      Asking q count next
        | next > now -> acc
        | count >= questionsMax ->
            (due, [(a, w) | w <- reverse q] ++ lost, remove a x)
        | otherwise -> (Ask a Nothing : due, lost
                       , put a (Asking q (count + 1) (now + interval)) x)
      Known mac at count next
        | count == 0 || next > now -> acc
        | count >= questionsMax -> (due, lost, remove a x)
        | otherwise -> (Ask a (Just mac) : due, lost
                       , put a (Known mac at (count + 1) (now + interval)) x)
    put a e x = x { entries = M.insert a e (entries x) }

-- | When 'tick' has something to do.
nextTick :: Neighbours -> Time
nextTick n
  | askings n == 0 = never
  | otherwise = foldl' first never (M.elems (entries n))
  where
    first t (Asking _ _ next) = min t next
    first t (Known _ _ count next) = if count > 0 then min t next else t
