-- SPDX-License-Identifier: BSD-3-Clause
-- A threaded echo server and its clients in one image, for test.sh: memory
-- fails somewhere, from the boot on. What fails in one connection must not
-- reach another; in the end it says how many were served, and ends with 0 if
-- most were.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import Network.Socket
import Network.Socket.ByteString
import System.Exit
import System.IO
import System.Timeout (timeout)

clients, requests :: Int
clients = 8
requests = 4

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  result <- try serveAll
  case result of
    Left e -> do
      putStrLn ("server: " ++ show (e :: IOException))
      exitWith (ExitFailure 3)
    Right served -> do
      putStrLn ("served " ++ show served ++ " of " ++ show clients)
      when (served < clients - 2) (exitWith (ExitFailure 4))

serveAll :: IO Int
serveAll = bracket open (close . fst) $ \(listener, port) -> do
  server <- forkIO . forever $ do
    accepted <- try (accept listener)
    case accepted of
      Left e -> putStrLn ("accept: " ++ show (e :: IOException))
      Right (s, _) -> void (forkFinally (echo s) (const (close s)))
  results <- replicateM clients $ do
    done <- newEmptyMVar
    _ <- forkFinally (timeout 8000000 (client port)) (putMVar done)
    pure done
  answers <- mapM takeMVar results
  killThread server
  forM_ answers $ \answer -> case answer of
    Left e -> putStrLn ("client: " ++ show e)
    Right Nothing -> putStrLn "client: no answer in time"
    Right (Just ()) -> pure ()
  pure (length [() | Right (Just ()) <- answers])

open :: IO (Socket, PortNumber)
open = do
  s <- socket AF_INET Stream defaultProtocol
  bind s (SockAddrInet 0 (tupleToHostAddress (127, 0, 0, 1)))
  listen s 16
  port <- socketPort s
  pure (s, port)

echo :: Socket -> IO ()
echo s = do
  text <- recv s 4096
  unless (C.null text) (sendAll s text >> echo s)

client :: PortNumber -> IO ()
client port = bracket (socket AF_INET Stream defaultProtocol) close $ \s -> do
  connect s (SockAddrInet port (tupleToHostAddress (127, 0, 0, 1)))
  forM_ [1 .. requests] $ \i -> do
    let text = C.replicate 3000 (toEnum (64 + i))
    sendAll s text
    answer <- gather s (C.length text)
    unless (answer == text) (throwIO (userError "another answer"))

gather :: Socket -> Int -> IO C.ByteString
gather s size
  | size <= 0 = pure C.empty
  | otherwise = do
      part <- recv s size
      if C.null part
        then throwIO (userError "closed too early")
        else C.append part <$> gather s (size - C.length part)
