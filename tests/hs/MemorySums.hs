-- SPDX-License-Identifier: BSD-3-Clause
-- What GHC's runtime says of its heap is what the system's accounts say.
--
-- skip: linux keeps no such accounts
-- ways: 2
-- ghc: -with-rtsopts=-T
module Main (main) where

import Control.Exception (evaluate)
import Control.Monad (forM_)
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import Data.IORef
import GHC.Stats
import System.Mem (performMajorGC)

import Check

-- Bytes of one account.
account :: String -> IO Int
account name = do
  text <- B.readFile "/proc/halvm/memory"
  case [kb | [n, kb, _] <- map C.words (C.lines text), n == C.pack (name ++ ":")] of
    [kb] -> return (1024 * maybe 0 fst (C.readInt kb))
    _ -> fail ("no account " ++ name)

sums :: String -> IO ()
sums what = do
  performMajorGC
  heap <- gcdetails_mem_in_use_bytes . gc <$> getRTSStats
  held <- account "anonymous_discardable"
  equal (what ++ ": the heap") held (fromIntegral heap)
  parts <- mapM account ["image", "core", "anonymous", "file", "network", "cache", "free"]
  total <- account "total"
  equal (what ++ ": the sum") total (sum parts)

main :: IO ()
main = do
  sums "at first"
  kept <- newIORef []
  forM_ [1 .. 20 :: Int] $ \i -> do
    b <- evaluate (B.replicate 1000000 (fromIntegral i))
    modifyIORef kept (b :)
  sums "with 20 MB"
  n <- sum . map B.length <$> readIORef kept
  equal "all are there" 20000000 n
  writeIORef kept []
  sums "let go"
  putStrLn "ok"
