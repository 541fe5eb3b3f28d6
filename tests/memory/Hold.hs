-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- Holds so many MiB live: Hold list|bytes|map MIB. A cell of a list of boxed
-- numbers is 40 bytes, a node of a map 80 (keys and values included).
module Main (main) where

import qualified Data.ByteString as B
import Data.List (foldl')
import qualified Data.Map.Strict as M
import System.Environment (getArgs)
import System.Exit
import System.Mem (performMajorGC)

list :: Int -> IO Bool
list n = do
  let l = build n []
  performMajorGC
  return (foldl' (+) 0 l == n * (n + 1) `div` 2)
  where
    build 0 l = l
    build !i l = let !x = i + length (take 0 l) in build (i - 1) (x : l)

bytes :: Int -> IO Bool
bytes n = do
  let l = [B.replicate 10000 (fromIntegral i) | i <- [1 .. n]]
  mapM_ (\b -> b `seq` return ()) l
  performMajorGC
  return (sum (map B.length l) == n * 10000)

tree :: Int -> IO Bool
tree n = do
  let t = foldl' (\m i -> M.insert (i * 7919 `mod` 16777213) i m) M.empty [1 .. n]
  t `seq` performMajorGC
  return (M.size t == n && M.foldl' (+) 0 t == n * (n + 1) `div` 2)

main :: IO ()
main = do
  [what, size] <- getArgs
  let total = read size * 1048576 :: Int
  ok <- case what of
    "list" -> list (total `div` 40)
    "bytes" -> bytes (total `div` 10000)
    "map" -> tree (total `div` 80)
    _ -> die "usage: Hold list|bytes|map MIB"
  if ok then putStrLn ("held " ++ size ++ " MiB as " ++ what) else die "not what was put in"
