-- SPDX-License-Identifier: BSD-3-Clause
-- A thousand Haskell threads use sockets that Haskell serves: through the
-- network package (unsafe imports) and through safe ones, while memory is
-- collected all the time and the provider's threads are killed at random. Every
-- one comes to an end, with its bytes or an error, and the bytes are right.
-- args: 1
-- memory: 512M
-- timeout: 60
-- ways: 2
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Internal as I
import Data.IORef
import qualified Data.ByteString.Unsafe as U
import Foreign.C.Types
import Foreign.Ptr
import System.Posix.Types (CSsize (..))
import qualified Network.Socket as N
import qualified Network.Socket.ByteString as N
import System.Environment (getArgs)
import System.HaLVM.Network
import System.IO
import System.Mem (performGC, performMinorGC)
import System.Timeout (timeout)

import Check
import MemoryNetwork

foreign import ccall safe "recv"
  safeRecv :: CInt -> Ptr a -> CSize -> CInt -> IO CSsize
foreign import ccall safe "send"
  safeSend :: CInt -> Ptr a -> CSize -> CInt -> IO CSsize

host :: N.SockAddr
host = N.SockAddrInet 7 (N.tupleToHostAddress (10, 0, 0, 1))

threads :: Int
threads = 1000

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  args <- getArgs
  let runs = case args of
        n : _ -> read n
        [] -> 1
  forM_ [1 .. runs :: Int] $ \n -> within 900 ("run " ++ show n) (run n)

-- | A generator good enough to choose victims by.
next :: IORef Int -> IO Int
next seed = atomicModifyIORef' seed $ \x ->
  let y = (x * 1103515245 + 12345) `mod` 2147483648 in (y, y `div` 65536)

run :: Int -> IO ()
run n = do
  seed <- newIORef n
  killed <- newIORef (0 :: Int)
  victims <- newIORef []
  m <- newMemory $ \thread -> do
    r <- next seed
    when (r `mod` 20 == 0) $ atomicModifyIORef' victims (\v -> (thread : v, ()))
  p <- installProvider m [inet] [inetAddress (10, 0, 0, 1) 0]
  ready <- newEmptyMVar
  server <- forkIO (echo ready)
  takeMVar ready
  collector <- forkIO $ forM_ [0 :: Int ..] $ \k -> do
    if k `mod` 20 == 0 then performGC else performMinorGC
    threadDelay 3000
  killer <- forkIO $ forever $ do
    threadDelay 2000
    batch <- atomicModifyIORef' victims (\v -> ([], v))
    forM_ batch $ \v -> do
      killThread v
      atomicModifyIORef' killed (\k -> (k + 1, ()))
  -- so many at a time as there may be descriptors: two each at both ends
  slots <- newQSem 60
  done <- forM [1 .. threads] $ \k -> do
    box <- newEmptyMVar
    void $ forkIO $ do
      r <- bracket_ (waitQSem slots) (signalQSem slots) $
        -- what hangs does so for ever; a busy machine may take its time
        try (timeout 300000000 (exchange k))
      putMVar box (r :: Either SomeException (Maybe Bool))
    pure box
  results <- mapM takeMVar done
  killThread collector
  killThread killer
  killThread server
  uninstallProvider p
  gone <- readIORef killed
  let right = length [() | Right (Just True) <- results]
      wrong = length [() | Right (Just False) <- results]
      hung = length [() | Right Nothing <- results]
      failed = length [() | Left _ <- results]
  putStrLn ("run " ++ show n ++ ": " ++ show right ++ " came back, "
    ++ show failed ++ " failed, " ++ show gone ++ " threads killed")
  equal "wrong bytes" wrong 0
  equal "hung" hung 0
  check "most came back" (right > threads `div` 4)
  check "threads were killed" (gone > 0)

echo :: MVar () -> IO ()
echo ready = bracket (N.socket N.AF_INET N.Stream 0) N.close $ \s -> do
  N.bind s host
  N.listen s 1000
  putMVar ready ()
  forever $ do
    accepted <- try (N.accept s)
    case accepted of
      Left e -> let _ = e :: IOException in threadDelay 1000
      Right (c, _) -> void (forkFinally (loop c) (const (N.close c)))
  where
    loop c = do
      bytes <- N.recv c 4096
      unless (C.null bytes) $ N.sendAll c bytes >> loop c

-- | Whether what came back is what was sent; half of them by safe imports.
exchange :: Int -> IO Bool
exchange k = bracket (N.socket N.AF_INET N.Stream 0) N.close $ \s -> do
  N.connect s host
  let text = C.pack (take (100 + k * 7) (cycle (show k)))
  if even k then N.sendAll s text else sendSafe s text
  N.shutdown s N.ShutdownSend
  let collect parts = do
        part <- if even k then N.recv s 2048 else recvSafe s
        if C.null part then pure (C.concat (reverse parts))
          else collect (part : parts)
  got <- collect []
  -- it may have been cut, at the other end of the connection
  when (got `C.isPrefixOf` text && got /= text) $ ioError (userError "cut")
  pure (got == text)

sendSafe :: N.Socket -> C.ByteString -> IO ()
sendSafe s bytes = unless (C.null bytes) $ do
  fd <- N.unsafeFdSocket s
  n <- U.unsafeUseAsCStringLen bytes $ \(p, size) ->
    safeSend fd p (fromIntegral size) 0x4000
  if n > 0 then sendSafe s (C.drop (fromIntegral n) bytes)
    else do
      threadWaitWrite (fromIntegral fd)
      -- either there is room now, or this says why not
      sent <- N.send s bytes
      sendSafe s (C.drop sent bytes)

recvSafe :: N.Socket -> IO C.ByteString
recvSafe s = do
  fd <- N.unsafeFdSocket s
  got <- newIORef 0
  bytes <- I.createAndTrim 2048 $ \p -> do
    n <- safeRecv fd p 2048 0x40
    writeIORef got n
    pure (max 0 (fromIntegral n))
  n <- readIORef got
  if n > 0 then pure bytes else do
    threadWaitRead (fromIntegral fd)
    N.recv s 2048
