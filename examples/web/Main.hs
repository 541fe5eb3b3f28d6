-- SPDX-License-Identifier: BSD-3-Clause
-- A web server: serves a folder, and says how it is doing. See README.md.
{-# LANGUAGE OverloadedStrings #-}
module Main (main) where

import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy as L
import qualified Data.CaseInsensitive as CI
import Data.Maybe (fromMaybe)
import Data.String (fromString)
import qualified Data.Text as T
import GHC.Clock (getMonotonicTime)
import Network.HTTP.Types hiding (Status)
import qualified Network.HTTP.Types as Http
import Network.Wai
import Network.Wai.Handler.Warp
import System.Directory (doesDirectoryExist, doesFileExist)
import System.Environment (getArgs, lookupEnv)
import System.Exit (exitFailure)
import System.FilePath (takeExtension, (</>))
import System.IO
import System.Posix.Signals
  (Handler (Catch), Signal, installHandler, sigINT, sigTERM)
import Text.Read (readMaybe)

import Status (getStatus, statusHtml, statusJson)

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  arguments <- getArgs
  folder <- lookupEnv "WEB_ROOT"
  port <- lookupEnv "PORT"
  disk <- lookupEnv "WEB_DISK"
  let given = Options (fromMaybe 8080 (port >>= readMaybe)) folder disk
  case parse given arguments of
    Nothing -> do
      hPutStrLn stderr "usage: web [-v FOLDER] [-p PORT] [-d DISK]"
      exitFailure
    Just options -> serve options

data Options = Options
  { optPort :: Int
  , optFolder :: Maybe FilePath
  , optDisk :: Maybe FilePath -- ^ read for the status page
  }

parse :: Options -> [String] -> Maybe Options
parse o ("-v" : folder : rest) = parse o { optFolder = Just folder } rest
parse o ("-p" : port : rest)
  | Just n <- readMaybe port, n > 0, n < 65536 = parse o { optPort = n } rest
parse o ("-d" : disk : rest) = parse o { optDisk = Just disk } rest
parse o [] = Just o
parse _ _ = Nothing

serve :: Options -> IO ()
serve options = do
  started <- getMonotonicTime
  let settings =
        setPort (optPort options)
          . setHost (fromString "*")
          . setServerName "halvm-web"
          . setGracefulShutdownTimeout (Just 2)
          . setInstallShutdownHandler (endBy [sigTERM, sigINT])
          . setBeforeMainLoop
              (putStrLn ("web: listening on port " ++ show (optPort options)))
          $ defaultSettings
  runSettings settings (keepAlive10 (application started options))

-- The listening socket closes, open requests finish, and main returns: exit
-- status 0.
endBy :: [Signal] -> IO () -> IO ()
endBy signals close =
  mapM_ (\s -> installHandler s (Catch close) Nothing) signals

-- Warp keeps the connection of an HTTP/1.0 client that asks for it, but does
-- not say so, and such a client (ab -k) then waits for the end of it.
keepAlive10 :: Middleware
keepAlive10 app request respond = app request (respond . tell)
  where
    tell
      | httpVersion request == http10
      , fmap CI.mk (lookup hConnection (requestHeaders request))
          == Just "keep-alive"
      = mapResponseHeaders ((hConnection, "keep-alive") :)
      | otherwise = id

application :: Double -> Options -> Application
application started options request respond =
  case (requestMethod request, pathInfo request) of
    (method, _) | method `notElem` ["GET", "HEAD"] ->
      respond (plain methodNotAllowed405 "GET or HEAD, please\n")
    (_, ["healthz"]) -> respond (plain ok200 "ok\n")
    (_, ["status"])
      | wantsJson request -> statusOf "application/json" statusJson
      | otherwise -> statusOf "text/html; charset=utf-8" statusHtml
    (_, ["status.json"]) -> statusOf "application/json" statusJson
    (_, path) -> case optFolder options of
      Nothing | null path -> respond (plain ok200 "Hello, world\n")
      Just root | safe path -> file root path >>= respond
      _ -> respond (plain notFound404 "not found\n")
  where
    statusOf kind render = do
      status <- getStatus started (optDisk options)
      respond (whole ok200 [(hContentType, kind), noStore] (render status))
    noStore = (hCacheControl, "no-store")

wantsJson :: Request -> Bool
wantsJson request =
  maybe False ("application/json" `B.isPrefixOf`)
    (lookup hAccept (requestHeaders request))

plain :: Http.Status -> L.ByteString -> Response
plain status =
  whole status [(hContentType, "text/plain; charset=utf-8")]

-- Its length known, an answer needs neither chunks nor the connection's end.
whole :: Http.Status -> ResponseHeaders -> L.ByteString -> Response
whole status headers body = responseLBS status (size : headers) body
  where
    size = (hContentLength, C.pack (show (L.length body)))

-- pathInfo is decoded already, so each component must be a name: not empty
-- (but for a final slash), not "." or "..", and with no slash or NUL of its
-- own.
safe :: [T.Text] -> Bool
safe path = all name (dropFinalEmpty path)
  where
    name part = not (T.null part) && part `notElem` [".", ".."]
      && not (T.any (`elem` ['/', '\0', '\\']) part)

dropFinalEmpty :: [T.Text] -> [T.Text]
dropFinalEmpty path
  | not (null path), T.null (last path) = init path
  | otherwise = path

-- Warp itself answers HEAD, If-Modified-Since and Range for a file.
file :: FilePath -> [T.Text] -> IO Response
file root path = do
  let target = foldl (</>) root (map T.unpack (dropFinalEmpty path))
  isFolder <- doesDirectoryExist target
  let wanted = if isFolder then target </> "index.html" else target
  exists <- doesFileExist wanted
  pure $ if exists
    then responseFile ok200 [(hContentType, contentType wanted)] wanted Nothing
    else plain notFound404 "not found\n"

contentType :: FilePath -> B.ByteString
contentType path =
  fromMaybe "application/octet-stream" $ lookup (takeExtension path)
    [ (".html", "text/html; charset=utf-8")
    , (".css", "text/css; charset=utf-8")
    , (".js", "text/javascript; charset=utf-8")
    , (".txt", "text/plain; charset=utf-8")
    , (".md", "text/markdown; charset=utf-8")
    , (".json", "application/json")
    , (".svg", "image/svg+xml")
    , (".png", "image/png")
    , (".jpg", "image/jpeg")
    , (".gif", "image/gif")
    , (".ico", "image/x-icon")
    , (".woff2", "font/woff2")
    , (".wasm", "application/wasm")
    , (".pdf", "application/pdf")
    ]
