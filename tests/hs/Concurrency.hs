-- SPDX-License-Identifier: BSD-3-Clause
-- Threads of Haskell: forkIO, MVar, STM, timeouts, delays.
--
-- ways: 2
-- memory: 128M
-- timeout: 20
module Main (main) where

import Control.Concurrent
import Control.Concurrent.STM hiding (check)
import Control.Exception
import Control.Monad
import Data.IORef
import GHC.Clock (getMonotonicTimeNSec)
import System.Timeout (timeout)

import Check

main :: IO ()
main = do
  manyThreads
  pingPong
  stm
  delays
  timeouts
  killing
  compute

manyThreads :: IO ()
manyThreads = do
  done <- forM [1 .. 5000 :: Int] $ \i -> do
    var <- newEmptyMVar
    _ <- forkIO (threadDelay (i `mod` 7 * 1000) >> putMVar var i)
    pure var
  total <- sum <$> mapM takeMVar done
  equal "sum of 5000 threads" total (sum [1 .. 5000])

pingPong :: IO ()
pingPong = do
  ping <- newEmptyMVar
  pong <- newEmptyMVar
  _ <- forkIO . forM_ [1 .. 20000 :: Int] $ \_ ->
    takeMVar ping >>= putMVar pong . (+ 1)
  forM_ [1 .. 20000] $ \i -> do
    putMVar ping i
    got <- takeMVar pong
    when (got /= i + 1) $ check "ping-pong in step" False

-- Money moves about; none is made or lost.
stm :: IO ()
stm = do
  accounts <- mapM newTVarIO (replicate 10 (100 :: Int))
  finished <- newTVarIO (0 :: Int)
  forM_ [0 .. 9] $ \me -> forkIO $ do
    forM_ [1 .. 300] $ \i -> atomically $ do
      let from = accounts !! me
          to = accounts !! ((me + i) `mod` 10)
      amount <- min 7 <$> readTVar from
      modifyTVar' from (subtract amount)
      modifyTVar' to (+ amount)
    atomically (modifyTVar' finished (+ 1))
  atomically $ readTVar finished >>= check' . (== 10)
  total <- sum <$> mapM readTVarIO accounts
  equal "money" total 1000
  -- orElse and retry.
  box <- newTVarIO Nothing
  _ <- forkIO $ threadDelay 10000 >> atomically (writeTVar box (Just 'x'))
  first <- atomically $
    (Left <$> (readTVar box >>= maybe retry pure)) `orElse` pure (Right ())
  equal "orElse" first (Right ())
  waited <- within 5 "retry" . atomically $ readTVar box >>= maybe retry pure
  equal "retry" waited 'x'
  where check' ok = if ok then pure () else retry

delays :: IO ()
delays = do
  start <- getMonotonicTimeNSec
  threadDelay 30000
  end <- getMonotonicTimeNSec
  check "a delay is not too short" (end - start >= 30000000)
  order <- newIORef []
  vars <- forM [5, 3, 1, 4, 2 :: Int] $ \i -> do
    var <- newEmptyMVar
    _ <- forkIO $ do
      threadDelay (i * 40000)
      atomicModifyIORef' order (\l -> (i : l, ()))
      putMVar var ()
    pure var
  mapM_ takeMVar vars
  woken <- readIORef order
  equal "order of waking" (reverse woken) [1 .. 5]

timeouts :: IO ()
timeouts = do
  nothing <- timeout 20000 (threadDelay 5000000)
  equal "timeout of a delay" nothing Nothing
  blocked <- timeout 20000 (newEmptyMVar >>= \v -> takeMVar (v :: MVar ()))
  equal "timeout of an MVar" blocked Nothing
  busy <- timeout 50000 (evaluate (loop 1))
  equal "timeout of a computation" busy Nothing
  just <- timeout 5000000 (pure 'j')
  equal "in time" just (Just 'j')

-- Allocates, so that it can be interrupted.
loop :: Integer -> Integer
loop n = if n < 0 then n else loop (n + 1)

killing :: IO ()
killing = do
  cleaned <- newEmptyMVar
  started <- newEmptyMVar
  thread <- forkIO $
    (putMVar started () >> forever (threadDelay 1000000))
      `finally` putMVar cleaned ()
  takeMVar started
  killThread thread
  within 5 "finally" (takeMVar cleaned)

-- Four that compute while one is asleep: it wakes all the same.
compute :: IO ()
compute = do
  stop <- newIORef False
  dones <- forM [1 .. 4 :: Integer] $ \i -> do
    done <- newEmptyMVar
    _ <- forkIO $ do
      let go n = do
            s <- readIORef stop
            if s then putMVar done n else go $! n + i
      go 0
    pure done
  threadDelay 60000
  writeIORef stop True
  results <- mapM takeMVar dones
  check "all four got a turn" (all (> 0) results)
