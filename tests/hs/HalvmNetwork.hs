-- SPDX-License-Identifier: BSD-3-Clause
-- Sockets served from Haskell (System.HaLVM.Network), used through the network
-- package in the same program: a network within memory, streams and datagrams,
-- many connections at once, with collections.
-- memory: 192M
-- ways: 2
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import Data.IORef
import qualified Network.Socket as N
import qualified Network.Socket.ByteString as N
import System.HaLVM.Network
import System.IO.Error
import System.Mem (performGC)

import Check
import MemoryNetwork

host :: N.PortNumber -> N.SockAddr
host port = N.SockAddrInet port (N.tupleToHostAddress (10, 0, 0, 1))

main :: IO ()
main = within 100 "the test" $ do
  m <- newMemory (const (pure ()))
  p <- installProvider m [inet] [inetAddress (10, 0, 0, 1) 0]
  server <- newEmptyMVar
  void (forkIO (echo server))
  takeMVar server
  one
  refused
  crowd
  datagrams
  -- every socket is told of its end, but the one that still listens
  let wait n = do
        left <- readIORef (openCount m)
        unless (left <= 1 || n > (500 :: Int)) $
          threadDelay 5000 >> wait (n + 1)
  wait 0
  readIORef (openCount m) >>= \n -> equal "open sockets" n 1
  uninstallProvider p
  s <- N.socket N.AF_INET N.Stream N.defaultProtocol
  e <- throws "what was there before" (N.bind s (host 80)) :: IO IOException
  check "is not ours" (e `seq` True)
  N.close s

-- | Whatever comes, goes back.
echo :: MVar () -> IO ()
echo ready = do
  s <- N.socket N.AF_INET N.Stream N.defaultProtocol
  N.setSocketOption s N.ReuseAddr 1
  N.bind s (host 7)
  N.listen s 100
  putMVar ready ()
  forever $ do
    (c, _) <- N.accept s
    forkFinally (loop c) (const (N.close c))
  where
    loop c = do
      bytes <- N.recv c 4096
      unless (C.null bytes) $ N.sendAll c bytes >> loop c

exchange :: Int -> IO Bool
exchange size = bracket (N.socket N.AF_INET N.Stream 0) N.close $ \s -> do
  N.connect s (host 7)
  let text = C.pack (take size (cycle "abcdefghij"))
  void (forkIO (N.sendAll s text >> N.shutdown s N.ShutdownSend))
  let collect parts = do
        part <- N.recv s 8192
        if C.null part then pure (C.concat (reverse parts))
          else collect (part : parts)
  got <- collect []
  pure (got == text)

one :: IO ()
one = do
  bracket (N.socket N.AF_INET N.Stream 0) N.close $ \s -> do
    N.connect s (host 7)
    N.getPeerName s >>= \a -> equal "peer" a (host 7)
    mine <- N.getSocketName s
    case mine of
      N.SockAddrInet port address -> do
        equal "address" address (N.tupleToHostAddress (10, 0, 0, 1))
        check "port" (port >= 49152)
      _ -> check "family" False
    N.sendAll s (C.pack "hello")
    N.recv s 10 >>= \b -> equal "echo" b (C.pack "hello")
  exchange 500000 >>= check "a large one"

refused :: IO ()
refused = bracket (N.socket N.AF_INET N.Stream 0) N.close $ \s -> do
  e <- throws "connect" (N.connect s (host 9)) :: IO IOException
  check "refused" (isDoesNotExistError e)

crowd :: IO ()
crowd = do
  done <- forM [1 .. 50 :: Int] $ \n -> do
    result <- newEmptyMVar
    void $ forkIO $ do
      when (n `mod` 5 == 0) performGC
      r <- try (exchange (n * 100))
      putMVar result (either (\e -> const False (e :: SomeException)) id r)
    pure result
  results <- mapM takeMVar done
  check "all came back" (and results)

datagrams :: IO ()
datagrams = do
  a <- N.socket N.AF_INET N.Datagram N.defaultProtocol
  b <- N.socket N.AF_INET N.Datagram N.defaultProtocol
  N.bind a (host 1000)
  N.bind b (host 2000)
  -- that b is bound comes to the provider by another way than a's datagrams,
  -- of which some may be lost
  sender <- forkIO $ forM_ [0 :: Int ..] $ \n -> do
    N.sendAllTo a (C.pack (show n)) (host 2000)
    threadDelay 10000
  (x, from) <- N.recvFrom b 100
  equal "its sender" from (host 1000)
  y <- N.recv b 100
  let number t = read (C.unpack t) :: Int
  check "the next" (number y > number x)
  killThread sender
  N.close a
  N.close b
