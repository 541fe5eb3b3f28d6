-- SPDX-License-Identifier: BSD-3-Clause
-- Exceptions: thrown by code, by the system, by the runtime.
--
-- ways: 2
-- ghc: -with-rtsopts=-M64m
-- memory: 256M
-- timeout: 30
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.IORef
import Data.Maybe (isJust)
import System.IO
import System.IO.Error
import System.Mem (performGC)
import Foreign.C.Error (Errno (..), eNOENT, getErrno)

import Check

data Mine = Mine Int deriving (Show, Eq)
instance Exception Mine

main :: IO ()
main = do
  pureOnes
  systemOnes
  asynchronous
  masked
  blocked
  overflows

pureOnes :: IO ()
pureOnes = do
  Mine n <- throws "throwIO" (throwIO (Mine 7))
  equal "payload" n 7
  ErrorCall text <- throws "error" (evaluate (error "boom" :: Int))
  equal "message" text "boom"
  e <- throws "division" (evaluate (1 `div` (0 :: Int)))
  equal "arithmetic" e DivideByZero
  PatternMatchFail _ <- throws "pattern" (evaluate (partial 3))
  caught <- handle (\x -> pure (x == Mine 2)) (throw (Mine 2))
  check "throw in IO" caught
  order <- newIORef ""
  let note c = modifyIORef order (c :)
  _ <- try ((note 'a' >> throwIO (Mine 1) >> note 'b') `finally` note 'c'
              `onException` note 'd') :: IO (Either Mine ())
  readIORef order >>= equal "order" "dca"
  -- Laziness: nothing is thrown where nobody looks.
  length [undefined, undefined :: Int] `equal'` 2
  where
    equal' a b = equal "length" a (b :: Int)
    partial :: Int -> Int
    partial x = case x of 1 -> 2

systemOnes :: IO ()
systemOnes = do
  e <- throws "missing file" (readFile "/does/not/exist")
  check "isDoesNotExistError" (isDoesNotExistError e)
  equal "file name" (ioeGetFileName e) (Just "/does/not/exist")
  closed <- openFile "/dev/null" ReadMode
  hClose closed
  e2 <- throws "closed handle" (hGetLine closed)
  check "illegal operation" (isIllegalOperation e2)
  e3 <- throws "end of file" (withFile "/dev/null" ReadMode hGetLine)
  check "isEOFError" (isEOFError e3)
  Errno n <- getErrno
  n `seq` check "ENOENT is what it is" (let Errno x = eNOENT in x == 2)

asynchronous :: IO ()
asynchronous = do
  got <- newEmptyMVar
  ready <- newEmptyMVar
  thread <- forkIO $
    (putMVar ready () >> threadDelay 10000000)
      `catch` \(Mine n) -> putMVar got n
  takeMVar ready
  throwTo thread (Mine 42)
  n <- within 5 "throwTo" (takeMVar got)
  equal "asynchronous payload" n 42
  -- One that computes and allocates is reached too.
  busy <- forkIO $ (evaluate (sum [1 :: Integer ..]) >> pure ())
    `catch` \(Mine m) -> putMVar got m
  threadDelay 20000
  throwTo busy (Mine 43)
  within 5 "throwTo to a computation" (takeMVar got) >>= \m -> equal "m" m 43

masked :: IO ()
masked = do
  progress <- newMVar (0 :: Int)
  started <- newEmptyMVar
  finished <- newEmptyMVar
  thread <- mask_ . forkIO $ do
    putMVar started ()
    forM_ [1 .. 1000 :: Int] $ \_ -> modifyMVar_ progress (pure . (+ 1))
    putMVar finished ()
    allowInterrupt
    modifyMVar_ progress (pure . negate)
  takeMVar started
  killThread thread
  done <- tryTakeMVar finished
  check "masked until it allows it" (isJust done)
  readMVar progress >>= \n -> equal "progress" n 1000

blocked :: IO ()
blocked = do
  BlockedIndefinitelyOnMVar <- throws "dead MVar"
    (newEmptyMVar >>= \v -> takeMVar (v :: MVar ()))
  performGC
  e <- throws "assertion" (throwIO (AssertionFailed "x")) :: IO AssertionFailed
  equal "shown" (show e) "x"

-- The heap's limit (-M64m) is an exception like any other: work goes on.
overflows :: IO ()
overflows = do
  e <- throws "heap" . evaluate $ B.length (B.concat (map block [1 .. 500]))
  equal "heap overflow" e HeapOverflow
  performGC
  equal "and it goes on" (sum [1 .. 100000 :: Int]) 5000050000
  hFlush stdout
  where
    block :: Int -> B.ByteString
    block i = B.replicate 1000000 (fromIntegral i)
