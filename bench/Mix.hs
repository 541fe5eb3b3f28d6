-- SPDX-License-Identifier: BSD-3-Clause
-- A mix of what Haskell programs do: queens (lists), Data.Map (trees), and a
-- live heap that the collector copies. A line each: name and ticks of the time
-- stamp counter, which are guest instructions under QEMU's -icount.
module Main (main) where

import Control.Exception (evaluate)
import Control.Monad (forM_, void)
import Data.List (foldl')
import qualified Data.Map.Strict as M
import Data.Word (Word64)
import System.IO (hFlush, stdout)
import System.Mem (performMajorGC)

foreign import ccall unsafe "bench_ticks" ticks :: IO Word64

queens :: Int -> Int
queens n = length (go n)
  where
    go 0 = [[]]
    go k = [q : qs | qs <- go (k - 1), q <- [1 .. n], safe q qs]
    safe :: Int -> [Int] -> Bool
    safe q qs = and [q /= c && abs (q - c) /= d | (d, c) <- zip [1 ..] qs]

build :: Int -> M.Map Int Int
build n =
  foldl' (\m i -> M.insertWith (+) (i * 7919 `mod` 50021) i m) M.empty [1 .. n]

-- A map kept alive through major collections.
collect :: Int -> IO ()
collect times = do
  m <- evaluate (build 60000)
  forM_ [1 .. times] (const performMajorGC)
  void (evaluate (M.size m))

measure :: String -> IO a -> IO ()
measure name action = do
  before <- ticks
  void action
  after <- ticks
  putStrLn (name ++ " " ++ show (after - before))

main :: IO ()
main = do
  start <- ticks
  measure "queens" (evaluate (queens 11))
  measure "map" (evaluate (M.foldl' (+) 0 (build 200000)))
  measure "gc" (collect 10)
  end <- ticks
  putStrLn ("mix " ++ show (end - start))
  hFlush stdout
