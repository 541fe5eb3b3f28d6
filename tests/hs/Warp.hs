-- SPDX-License-Identifier: BSD-3-Clause
-- Warp under load: many connections at once, kept alive and new ones, against
-- a client in the same program.
--
-- ghc: -threaded
-- memory: 256M
-- timeout: 30
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy as L
import Data.String (fromString)
import Network.HTTP.Types
import Network.Socket
import Network.Socket.ByteString
import Network.Wai
import Network.Wai.Handler.Warp hiding (getPort)

import Check

application :: Application
application request respond = do
  body <- strictRequestBody request
  respond $ responseLBS ok200
    [(hContentLength, C.pack (show (L.length body + 6)))]
    (L.append (L.fromStrict (C.pack "hello\n")) body)

main :: IO ()
main = do
  ready <- newEmptyMVar
  (port, listener) <- openFreePort
  let settings = setHost (fromString "127.0.0.1")
        (setBeforeMainLoop (putMVar ready ()) defaultSettings)
  server <- forkIO (runSettingsSocket settings listener application)
  takeMVar ready
  keepAlive port
  newConnections port
  killThread server

connectTo :: PortNumber -> IO Socket
connectTo port = do
  s <- socket AF_INET Stream defaultProtocol
  connect s (SockAddrInet port (tupleToHostAddress (127, 0, 0, 1)))
  pure s

-- Sends a request and reads the answer up to this many bytes of body.
ask :: Socket -> String -> Int -> IO C.ByteString
ask s text size = do
  sendAll s (C.pack text)
  go C.empty
  where
    go have = case C.breakSubstring (C.pack "\r\n\r\n") have of
      (_, rest) | C.length rest >= size + 4 -> pure (C.drop 4 rest)
      _ -> do
        part <- recv s 8192
        if C.null part then pure have else go (C.append have part)

together :: Int -> (Int -> IO Bool) -> IO ()
together count action = do
  results <- forM [1 .. count] $ \i -> do
    result <- newEmptyMVar
    _ <- forkFinally (action i) $ putMVar result . either
      (\e -> Left (show (e :: SomeException))) Right
    pure result
  answers <- within 25 "clients" (mapM takeMVar results)
  forM_ answers $ \a -> equal "client" a (Right True)

keepAlive :: Int -> IO ()
keepAlive port = together 16 $ \_ ->
  bracket (connectTo (fromIntegral port)) close $ \s -> do
    oks <- forM [1 .. 60 :: Int] $ \_ -> do
      body <- ask s "GET / HTTP/1.1\r\nHost: x\r\n\r\n" 6
      pure (body == C.pack "hello\n")
    pure (and oks)

newConnections :: Int -> IO ()
newConnections port = together 8 $ \_ -> do
  oks <- forM [1 .. 25 :: Int] $ \i ->
    bracket (connectTo (fromIntegral port)) close $ \s -> do
      let text = show i
      body <- ask s ("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                     \Content-Length: " ++ show (length text) ++ "\r\n\r\n"
                     ++ text) (6 + length text)
      pure (body == C.pack ("hello\n" ++ text))
  pure (and oks)
