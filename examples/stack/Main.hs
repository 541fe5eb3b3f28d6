-- SPDX-License-Identifier: BSD-3-Clause
-- A web server that does not know what its sockets are made of: the module
-- Stack of the folder haskell/ gives it halvm-net, the one of host/ leaves it
-- what is there, lwIP in a unikernel and the kernel's in a Linux process.
--
--   /N answers N bytes, PUT and POST say how many came; the names of the folder
--   WEB_ROOT answer with what is there; all else is greeted
module Main (main) where

import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy as L
import Data.String (fromString)
import qualified Data.Text as T
import Network.HTTP.Types
import Network.Wai
import Network.Wai.Handler.Warp
import System.Environment (lookupEnv)
import System.FilePath (takeExtension, (</>))
import System.IO

import qualified Stack

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  Stack.begin
  port <- maybe 8080 read <$> lookupEnv "PORT"
  host <- maybe "*" id <$> lookupEnv "WEB_HOST"
  root <- lookupEnv "WEB_ROOT"
  runSettings (setPort port (setHost (fromString host) (setBeforeMainLoop
    (putStrLn ("listening on port " ++ show port)) defaultSettings))) (application root)

application :: Maybe FilePath -> Application
application root request respond
  | requestMethod request `elem` [methodPut, methodPost] = counted 0
  | Just (n, rest) <- C.readInt (B.drop 1 (rawPathInfo request))
  , B.null rest, n >= 0 = respond (whole (L.take (fromIntegral n) endless))
  | Just folder <- root, Just name <- page (pathInfo request) =
      respond (responseFile ok200 (kind name) (folder </> name) Nothing)
  | otherwise = respond (whole (L.fromStrict (C.pack "hello\n")))
  where
    counted :: Int -> IO ResponseReceived
    counted n = do
      b <- getRequestBodyChunk request
      if B.null b then respond (whole (L.fromStrict (C.pack (show n ++ "\n"))))
        else let n' = n + B.length b in n' `seq` counted n'

-- The name in the folder: one of one part, that leads nowhere else.
page :: [T.Text] -> Maybe FilePath
page [] = Just "index.html"
page [name]
  | T.null name || T.all (== '.') name || T.any (`elem` "/\0") name = Nothing
  | otherwise = Just (T.unpack name)
page _ = Nothing

kind :: FilePath -> ResponseHeaders
kind name = [(hContentType, C.pack t) | Just t <- [lookup (takeExtension name) kinds]]
  where
    kinds = [ (".html", "text/html; charset=utf-8"), (".css", "text/css")
            , (".svg", "image/svg+xml"), (".txt", "text/plain") ]

endless :: L.ByteString
endless = L.cycle (L.fromStrict (B.replicate 32768 120))

-- Its length known, an answer needs neither chunks nor the connection's end.
whole :: L.ByteString -> Response
whole body = responseLBS ok200
  [(hContentLength, C.pack (show (L.length body)))] body
