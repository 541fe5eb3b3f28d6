-- SPDX-License-Identifier: BSD-3-Clause
-- Numbers and containers: queens, maps, large integers, floating point, with
-- the collector hard at work.
--
-- ways: 2
-- memory: 256M
-- timeout: 30
module Main (main) where

import Data.Bits (popCount)
import Data.Char (toUpper)
import qualified Data.IntMap.Strict as IM
import Data.List (foldl', sort)
import qualified Data.Map.Strict as M
import qualified Data.Set as S
import qualified Data.Text as T
import GHC.Stats (getRTSStatsEnabled)
import Numeric (showFFloat, showHex)
import System.Mem (performGC, performMajorGC)

import Check

queens :: Int -> Int
queens n = length (go n)
  where
    go 0 = [[]]
    go k = [q : qs | qs <- go (k - 1), q <- [1 .. n], safe q qs]
    safe q qs = and [q /= c && abs (q - c) /= d | (d, c) <- zip [1 ..] qs]

main :: IO ()
main = do
  equal "8 queens" (queens 8) 92
  let m = foldl' (\acc i -> M.insertWith (+) (i * 7919 `mod` 50021) i acc)
            M.empty [1 .. 100000 :: Int]
  equal "map size" (M.size m) 50021
  equal "map sum" (M.foldl' (+) 0 m) 5000050000
  performGC
  let im = IM.fromListWith (+) [(i `mod` 1000, 1) | i <- [1 .. 50000 :: Int]]
  equal "intmap" (IM.elems im) (replicate 1000 (50 :: Int))
  let fib = go 2000 0 (1 :: Integer) where
        go :: Int -> Integer -> Integer -> Integer
        go 0 a _ = a
        go n a b = go (n - 1) b (a + b)
  equal "digits of fib 2000" (length (show fib)) 418
  equal "fib 2000 mod 10^9" (fib `mod` 1000000000) 516817125
  equal "2^4423-1" (popCount (2 ^ (4423 :: Int) - 1 :: Integer)) 4423
  equal "gcd" (gcd (2 ^ (200 :: Int) * 81) (3 ^ (100 :: Int) * 32))
    (81 * 32 :: Integer)
  equal "division" ((10 ^ (40 :: Int)) `divMod` (7 :: Integer))
    (1428571428571428571428571428571428571428, 4)
  equal "sqrt" (showFFloat (Just 12) (sqrt 2 :: Double) "") "1.414213562373"
  equal "sin" (showFFloat (Just 9) (sin 1 + exp 1 :: Double) "") "3.559752813"
  equal "rounding" (map round [0.5, 1.5, -2.5 :: Double]) [0, 2, -2 :: Int]
  equal "hex" (showHex (2 ^ (70 :: Int) :: Integer) "") "400000000000000000"
  equal "sort" (take 3 (sort [i * 7 `mod` 10007 | i <- [1 .. 10006 :: Int]]))
    [1, 2, 3]
  equal "set" (S.size (S.fromList (map (`mod` 97) [1 .. 10000 :: Int]))) 97
  equal "text" (T.unpack (T.map toUpper (T.replicate 3 (T.pack "ab-"))))
    "AB-AB-AB-"
  equal "deep" (foldr (+) 0 [1 .. 1000000 :: Int]) 500000500000
  performMajorGC
  _ <- getRTSStatsEnabled
  pure ()
