-- SPDX-License-Identifier: BSD-3-Clause
-- A web server that does not know what its sockets are made of: the module
-- Stack of the folder haskell/ gives it halvm-net, the one of host/ leaves it
-- what is there, lwIP in a unikernel and the kernel's in a Linux process.
--
--   /N answers N bytes, PUT says how many came, all else is greeted
module Main (main) where

import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy as L
import Data.String (fromString)
import Network.HTTP.Types
import Network.Wai
import Network.Wai.Handler.Warp
import System.Environment (lookupEnv)
import System.IO

import qualified Stack

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  Stack.begin
  port <- maybe 8080 read <$> lookupEnv "PORT"
  runSettings (setPort port (setHost (fromString "*") (setBeforeMainLoop
    (putStrLn ("listening on port " ++ show port)) defaultSettings))) application

application :: Application
application request respond
  | requestMethod request == methodPut = counted 0
  | Just (n, rest) <- C.readInt (B.drop 1 (rawPathInfo request))
  , B.null rest, n >= 0 = respond (whole (L.take (fromIntegral n) endless))
  | otherwise = respond (whole (L.fromStrict (C.pack "hello\n")))
  where
    counted :: Int -> IO ResponseReceived
    counted n = do
      b <- getRequestBodyChunk request
      if B.null b then respond (whole (L.fromStrict (C.pack (show n ++ "\n"))))
        else let n' = n + B.length b in n' `seq` counted n'

endless :: L.ByteString
endless = L.cycle (L.fromStrict (B.replicate 32768 120))

-- Its length known, an answer needs neither chunks nor the connection's end.
whole :: L.ByteString -> Response
whole body = responseLBS ok200
  [(hContentLength, C.pack (show (L.length body)))] body
