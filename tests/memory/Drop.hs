-- SPDX-License-Identifier: BSD-3-Clause
-- Grows until HeapOverflow, lets go of all, and looks at what the heap still
-- has two major collections later; so many times: Drop COUNT | Drop SECONDS s.
-- The heap has to be under 8 MiB each time, and must not creep: the least of ten
-- times, since it is counted in whole megabytes, stays what it was at first.
module Main (main) where

import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.IORef
import Data.Time.Clock
import GHC.Stats
import System.Environment (getArgs)
import System.Exit
import System.IO
import System.Mem (performMajorGC)

grow :: IO ()
grow = do
  r <- try (go (0 :: Int) [])
  case r of
    Left HeapOverflow -> return ()
    Left e -> throwIO e
    Right () -> die "there was no end of memory"
  where
    go :: Int -> [B.ByteString] -> IO ()
    go n l = do
      b <- evaluate (B.replicate (500 + n * 7919 `mod` 100000) 1)
      if n < 0 then print (length l) else go (n + 1) (b : l)

main :: IO ()
main = do
  arguments <- getArgs
  hSetBuffering stdout LineBuffering
  start <- getCurrentTime
  seen <- newIORef (Nothing, [])
  let enough n = case arguments of
        [count] -> return (n >= (read count :: Int))
        [seconds, "s"] -> do
          now <- getCurrentTime
          return (diffUTCTime now start >= fromIntegral (read seconds :: Int))
        _ -> die "usage: Drop COUNT | Drop SECONDS s"
  cycles enough seen 0
  putStrLn "ok"

-- Until enough says so; seen has the least of the first ten, and those since.
cycles :: (Int -> IO Bool) -> IORef (Maybe Double, [Double]) -> Int -> IO ()
cycles enough seen n = do
  end <- enough n
  unless end $ do
    grow
    performMajorGC
    performMajorGC
    held <- gcdetails_mem_in_use_bytes . gc <$> getRTSStats
    let mib = fromIntegral held / 1048576 :: Double
    when (mib >= 8) $ die ("after the drop the heap has " ++ show mib ++ " MiB")
    (first, since) <- readIORef seen
    let ten = mib : since
    if length ten < 10
      then writeIORef seen (first, ten)
      else case first of
        Just was | minimum ten - was >= 1 ->
          die ("the heap crept from " ++ show was ++ " to " ++ show (minimum ten) ++ " MiB")
        Just _ -> writeIORef seen (first, [])
        Nothing -> writeIORef seen (Just (minimum ten), [])
    when (n `mod` 100 == 0) $ putStrLn (show n ++ ": " ++ show mib ++ " MiB")
    cycles enough seen (n + 1)
