-- SPDX-License-Identifier: BSD-3-Clause
-- Sockets served from Haskell (System.HaLVM.Network) whose provider is slow, or
-- throws, or is uninstalled: each is closed once and after all else, nobody
-- waits for one that is gone, and errors come to whom they concern.
-- ways: 2
{-# LANGUAGE TypeFamilies #-}
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import Data.IORef
import Foreign.C
import GHC.IO.Exception (ioe_errno)
import qualified Network.Socket as N
import qualified Network.Socket.ByteString as N
import System.HaLVM.Network

import Check

-- | What is opened waits for the gate; ports say what goes wrong.
data Odd = Odd
  { gate :: MVar ()
  , opened, closed, late :: IORef Int
  }

-- | Whether it is closed.
newtype End = End (IORef Bool)

count :: IORef Int -> IO ()
count n = atomicModifyIORef' n (\k -> (k + 1, ()))

-- | No call comes after that of closeSocket.
used :: Odd -> End -> IO ()
used o (End over) = readIORef over >>= \yes -> when yes (count (late o))

failing :: Errno -> IO a
failing e = ioError (errnoToIOError "odd" e Nothing Nothing)

-- | Until the thread is told to end.
forEver :: Odd -> End -> IO a
forEver o s = forever (threadDelay 1000000) `finally` used o s

instance Provider Odd where
  type Socket Odd = End
  openSocket o _ _ _ = do
    readMVar (gate o)
    count (opened o)
    End <$> newIORef False
  bindSocket o s a = do
    used o s
    when (addressPort a == 81) $ failing eADDRNOTAVAIL
  listenSocket o s a _ = do
    used o s
    when (addressPort a == 82) $ failing eADDRINUSE
  connectSocket o s remote _ = do
    used o s
    when (addressPort remote == 9) $ failing eCONNREFUSED
  acceptSocket o s = do
    used o s
    threadDelay 20000
    failing eNFILE
  sendStream o s _ = used o s
  receiveStream = forEver
  finishStream = used
  sendDatagram o s _ _ = used o s
  receiveDatagram o s = do
    used o s
    threadDelay 20000
    failing eNETUNREACH
  setOption o s _ _ _ = used o s
  closeSocket o s@(End over) = do
    used o s
    writeIORef over True
    count (closed o)

host :: N.PortNumber -> N.SockAddr
host port = N.SockAddrInet port (N.tupleToHostAddress (10, 0, 0, 1))

-- | The error number that it throws.
errorOf :: String -> IO a -> IO Errno
errorOf what action = do
  result <- try (within 20 what action)
  case result of
    Left e -> pure (maybe (Errno 0) Errno (ioe_errno e))
    Right _ -> check (what ++ " throws") False >> pure (Errno 0)

expect :: String -> Errno -> IO a -> IO ()
expect what (Errno wanted) action = do
  Errno e <- errorOf what action
  equal what e wanted

withSocket :: N.SocketType -> (N.Socket -> IO a) -> IO a
withSocket kind = bracket (N.socket N.AF_INET kind N.defaultProtocol) N.close

allClosed :: Odd -> IO ()
allClosed o = wait (0 :: Int)
  where
    wait n = do
      a <- readIORef (opened o)
      b <- readIORef (closed o)
      if a == b || n > 1000
        then equal "closed, of those opened" b a
        else threadDelay 5000 >> wait (n + 1)

main :: IO ()
main = within 100 "the test" $ do
  o <- Odd <$> newEmptyMVar <*> newIORef 0 <*> newIORef 0 <*> newIORef 0
  p <- installProvider o [inet] [inetAddress (10, 0, 0, 1) 0]
  -- Gone before it is open: what was still to be done must not be waited for.
  withSocket N.Stream $ \s -> N.bind s (host 80) >> N.listen s 5
  void $ forkIO $ threadDelay 20000 >> putMVar (gate o) ()
  withSocket N.Stream $ \s ->
    expect "connect" eCONNREFUSED (N.connect s (host 9))
  allClosed o
  -- What the provider throws.
  forM_ [(81, eADDRNOTAVAIL), (82, eADDRINUSE), (83, eNFILE)] $ \(port, e) ->
    withSocket N.Stream $ \s -> do
      N.bind s (host port)
      expect ("port " ++ show port) e (N.listen s 5 >> N.accept s)
  withSocket N.Datagram $ \s ->
    expect "a datagram" eNETUNREACH (N.recv s 100)
  allClosed o
  -- Much that comes and goes.
  boxes <- forM [1 .. 200 :: Int] $ \n -> do
    box <- newEmptyMVar
    void $ forkIO $ do
      _ <- try (withSocket (if even n then N.Stream else N.Datagram) $ \s -> do
        N.connect s (host 7)
        when (n `mod` 3 == 0) $ N.setSocketOption s N.KeepAlive 1
        N.sendAll s (C.pack "hello")) :: IO (Either IOException ())
      putMVar box ()
    pure box
  mapM_ takeMVar boxes
  allClosed o
  -- Uninstalled while it is in use.
  s <- N.socket N.AF_INET N.Stream N.defaultProtocol
  N.connect s (host 7)
  void $ forkIO $ threadDelay 20000 >> uninstallProvider p
  expect "the end" (Errno 100) (N.recv s 10) -- ENETDOWN
  allClosed o
  N.close s
  readIORef (late o) >>= \n -> equal "calls after closeSocket" n 0
