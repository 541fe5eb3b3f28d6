-- SPDX-License-Identifier: BSD-3-Clause
-- Echo over the package network, which knows nothing of hans:
--
--   echo PORT                what comes to the port goes back, TCP and UDP
--   echo ADDRESS PORT BYTES  sends so many over TCP while it receives them back
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Network.Socket
import Network.Socket.ByteString
import System.Environment (getArgs)
import System.Exit
import System.IO

import qualified Stack

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  Stack.begin
  args <- getArgs
  case args of
    [port] -> serve (read port)
    [host, port, size] -> call host port (read size)
    _ -> die "echo PORT or echo ADDRESS PORT BYTES"

serve :: PortNumber -> IO ()
serve port = do
  datagrams <- socket AF_INET Datagram defaultProtocol
  bind datagrams (SockAddrInet port 0)
  _ <- forkIO $ forever $ recvFrom datagrams 65536 >>= \(bytes, from) ->
    void (sendTo datagrams bytes from)
  streams <- socket AF_INET Stream defaultProtocol
  bind streams (SockAddrInet port 0)
  listen streams 64
  putStrLn ("echo on port " ++ show port)
  forever $ do
    (s, _) <- accept streams
    forkFinally (back s) (const (close s))
  where
    back s = do
      bytes <- recv s 65536
      unless (B.null bytes) (sendAll s bytes >> back s)

call :: HostName -> ServiceName -> Int -> IO ()
call host port size = do
  address : _ <- getAddrInfo (Just defaultHints { addrSocketType = Stream })
    (Just host) (Just port)
  bracket (socket AF_INET Stream defaultProtocol) close $ \s -> do
    connect s (addrAddress address)
    _ <- forkIO $ sendAll s sent >> shutdown s ShutdownSend
    received <- B.concat <$> rest s
    unless (received == sent) $
      die (show (B.length received) ++ " of " ++ show size ++ " bytes came back, \
        \or others")
  putStrLn (show size ++ " bytes came back")
  where
    sent = fst (B.unfoldrN size (\n -> Just (fromIntegral (n * n `div` 7), n + 1))
      (1 :: Int))
    rest s = recv s 65536 >>= \b ->
      if B.null b then pure [] else (b :) <$> rest s
