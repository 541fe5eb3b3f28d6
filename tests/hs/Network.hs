-- SPDX-License-Identifier: BSD-3-Clause
-- Sockets through the network library: echo over the loopback interface.
--
-- ways: 2
-- memory: 256M
-- timeout: 20
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import Network.Socket
import Network.Socket.ByteString

import Check

main :: IO ()
main = do
  tcp "127.0.0.1"
  tcp "::1"
  udp
  refused
  large

open :: HostName -> SocketType -> IO (Socket, PortNumber)
open host kind = do
  let hints = defaultHints
        { addrSocketType = kind, addrFlags = [AI_NUMERICHOST] }
  address : _ <- getAddrInfo (Just hints) (Just host) (Just "0")
  s <- openSocket address
  bind s (addrAddress address)
  when (kind == Stream) (listen s 64)
  port <- socketPort s
  pure (s, port)

client :: HostName -> SocketType -> PortNumber -> IO Socket
client host kind port = do
  let hints = defaultHints
        { addrSocketType = kind, addrFlags = [AI_NUMERICHOST] }
  address : _ <- getAddrInfo (Just hints) (Just host) (Just (show port))
  s <- openSocket address
  connect s (addrAddress address)
  pure s

echo :: Socket -> IO ()
echo s = do
  text <- recv s 4096
  unless (C.null text) (sendAll s text >> echo s)

tcp :: HostName -> IO ()
tcp host = bracket (open host Stream) (close . fst) $ \(listener, port) -> do
  server <- forkIO . forever $ do
    (s, _) <- accept listener
    forkFinally (echo s) (const (close s))
  results <- forM [1 .. 50 :: Int] $ \i -> do
    result <- newEmptyMVar
    _ <- forkIO $ bracket (client host Stream port) close $ \s -> do
      answers <- forM [1 .. 10 :: Int] $ \j -> do
        let text = C.pack (show i ++ "/" ++ show j)
        sendAll s text
        back <- recvExactly s (C.length text)
        pure (back == text)
      putMVar result (and answers)
    pure result
  oks <- within 15 "echo" (mapM takeMVar results)
  check ("echo on " ++ host) (and oks)
  killThread server

recvExactly :: Socket -> Int -> IO C.ByteString
recvExactly s n = go n []
  where
    go 0 parts = pure (C.concat (reverse parts))
    go left parts = do
      part <- recv s left
      if C.null part then pure (C.concat (reverse parts))
        else go (left - C.length part) (part : parts)

udp :: IO ()
udp = bracket (open "127.0.0.1" Datagram) (close . fst) $ \(server, port) ->
  bracket (client "127.0.0.1" Datagram port) close $ \s -> do
    _ <- send s (C.pack "datagram")
    (text, from) <- recvFrom server 100
    equal "datagram" text (C.pack "datagram")
    _ <- sendTo server (C.pack "back") from
    recv s 100 >>= \b -> equal "answer" b (C.pack "back")

refused :: IO ()
refused = do
  (s, port) <- open "127.0.0.1" Stream
  close s
  result <- try (client "127.0.0.1" Stream port)
  check "connection refused"
    (either (const True :: IOException -> Bool) (const False) result)

large :: IO ()
large = bracket (open "127.0.0.1" Stream) (close . fst) $
  \(listener, port) -> do
    received <- newEmptyMVar
    _ <- forkIO $ do
      (s, _) <- accept listener
      text <- recvExactly s 3000000
      putMVar received (C.length text, C.foldl' step 0 text)
      close s
    let text = C.pack (take 3000000 (cycle ['a' .. 'z']))
    bracket (client "127.0.0.1" Stream port) close (`sendAll` text)
    got <- within 15 "large" (takeMVar received)
    equal "large transfer" got (3000000, C.foldl' step 0 text)
  where
    step :: Int -> Char -> Int
    step h c = (h * 31 + fromEnum c) `mod` 1000003
