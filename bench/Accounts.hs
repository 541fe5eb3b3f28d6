-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- What bench/accounts draws: a program that takes memory in every way, and
-- prints the system's accounts as it goes: a line a sample, "at MILLISECONDS
-- NAME=kB ...", and "mark MILLISECONDS WORDS" where something happens.
module Main (main) where

import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import Foreign.Marshal.Alloc (free, mallocBytes)
import Foreign.Marshal.Utils (fillBytes)
import Foreign.Ptr (Ptr)
import GHC.Clock (getMonotonicTimeNSec)
import System.Directory (removeFile)
import System.IO
import System.Mem (performMajorGC)

now :: IO Integer
now = (`div` 1000000) . toInteger <$> getMonotonicTimeNSec

sample :: IO ()
sample = do
  text <- B.readFile "/proc/halvm/memory"
  t <- now
  C.putStrLn (C.pack ("at " ++ show t) <> C.concat (map field (C.lines text)))
  where
    field line = case C.words line of
      (name : kb : _) -> C.concat [C.pack " ", C.init name, C.pack "=", kb]
      _ -> C.empty

mark :: String -> IO ()
mark words' = do
  t <- now
  putStrLn ("mark " ++ show t ++ " " ++ words')

-- Keeps boxed numbers until HeapOverflow.
overflow :: IO ()
overflow = do
  r <- try (go (0 :: Int) [])
  case r of
    Left HeapOverflow -> mark "HeapOverflow"
    Left e -> throwIO e
    Right () -> return ()
  where
    go :: Int -> [Int] -> IO ()
    go !n l = do
      when (n `mod` 50000 == 0) sample
      if n < 0 then print (length l) else go (n + 1) (n : l)

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  sample
  overflow
  performMajorGC
  sample
  mark "C takes 24 MiB"
  pieces <- forM [1 .. 24 :: Int] $ \_ -> do
    piece <- mallocBytes 1048576 :: IO (Ptr ())
    fillBytes piece 1 1048576
    sample
    return piece
  mark "a file of 8 MiB"
  forM_ [1 .. 8 :: Int] $ \_ -> do
    B.appendFile "/tmp/accounts" (B.replicate 1048576 1)
    sample
  overflow
  performMajorGC
  sample
  mark "C and the file give back"
  removeFile "/tmp/accounts"
  forM_ pieces $ \piece -> free piece >> sample
  overflow
  performMajorGC
  sample
