-- SPDX-License-Identifier: BSD-3-Clause
-- What the status page tells: where the program runs, for how long, and who
-- holds which memory. In the unikernel that is the text of /proc/halvm/status, on
-- Linux the kernel's own accounts of the process.
{-# LANGUAGE CPP #-}
module Status (Status, getStatus, statusHtml, statusJson) where

import Control.Exception (IOException, try)
import qualified Data.ByteString.Builder as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy as L
import Data.Char (isSpace, ord)
import Data.List (dropWhileEnd)
import GHC.Clock (getMonotonicTime)
import GHC.Conc (getNumProcessors)
import Numeric (showFFloat, showHex)
import System.Environment (getExecutablePath)
import System.IO (IOMode (ReadMode), withBinaryFile)
import System.Info (compilerVersion)
import Data.Version (showVersion)
import System.Posix.Files (fileSize, getFileStatus)

#ifndef GIT_HASH
#define GIT_HASH "unknown"
#endif

data Status = Status
  { base :: String -- ^ what the image runs on
  , uptime :: Double -- ^ seconds since main
  , image :: String -- ^ bytes of the file, if they can be known
  , accounts :: [(String, String)] -- ^ memory and the like, name and value
  , processors :: Int
  , disk :: Maybe (FilePath, String) -- ^ its first line, read just now
  }

getStatus :: Double -> Maybe FilePath -> IO Status
getStatus started diskPath = do
  now <- getMonotonicTime
  unikernel <- pairs "/proc/halvm/status"
  process <- pairs "/proc/self/status"
  machine <- pairs "/proc/meminfo"
  size <- orElse "" $
    show . fileSize <$> (getExecutablePath >>= getFileStatus)
  count <- getNumProcessors
  line <- traverse firstLine diskPath
  let named names = filter ((`elem` names) . fst)
      inVm = not (null unikernel)
      given key fallback = maybe fallback id (lookup key unikernel)
  pure Status
    { base = if inVm then given "base" "unikernel" else "linux"
    , uptime = now - started
    , image = if null size then given "image_size" "unknown" else size
    , accounts =
        if inVm
          then filter ((`notElem` ["base", "image_size"]) . fst) unikernel
          else named ["VmSize", "VmRSS", "VmData", "Threads"] process
            ++ named ["MemTotal", "MemFree", "MemAvailable"] machine
    , processors = count
    , disk = (,) <$> diskPath <*> line
    }

-- The first line of a disk, or of a file; of its first sector, at most.
firstLine :: FilePath -> IO String
firstLine path = do
  sector <- try (withBinaryFile path ReadMode (`C.hGet` 512))
  pure $ case sector of
    Left e -> show (e :: IOException)
    Right bytes -> C.unpack (C.takeWhile (`notElem` "\n\0") bytes)

orElse :: a -> IO a -> IO a
orElse fallback action =
  either (\e -> const fallback (e :: IOException)) id <$> try action

-- The lines "name: value" or "name value" of a file; none if it is not there.
pairs :: FilePath -> IO [(String, String)]
pairs path = orElse [] $ do
  text <- readFile path
  let found = [ (name, trim (dropWhile (== ':') value))
              | line <- lines text
              , let (name, value) = break (`elem` ": \t") line
              , not (null value) ]
  length text `seq` pure found

trim :: String -> String
trim = dropWhileEnd isSpace . dropWhile isSpace

seconds :: Double -> String
seconds s = showFFloat (Just 1) s ""

rows :: Status -> [(String, String)]
rows s =
  [ ("base", base s)
  , ("uptime", seconds (uptime s) ++ " s")
  , ("image", image s ++ " bytes")
  , ("git hash", GIT_HASH)
  , ("compiler", "GHC " ++ showVersion compilerVersion)
  , ("processors", show (processors s))
  ] ++ [ (path, line) | Just (path, line) <- [disk s] ]

statusHtml :: Status -> L.ByteString
statusHtml s = B.toLazyByteString . B.stringUtf8 . concat $
  [ "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
  , "<title>Status</title><link rel=\"stylesheet\" href=\"style.css\">"
  , "</head>\n<body><main><h1>Status</h1>\n"
  , table (rows s), "<h2>Memory</h2>\n", table (accounts s)
  , "<p><a href=\"/status.json\">as JSON</a></p></main></body></html>\n" ]
  where
    table lines' = concat
      [ "<table>\n"
      , concat [ "<tr><th>" ++ escape name ++ "</th><td>" ++ escape value
                   ++ "</td></tr>\n" | (name, value) <- lines' ]
      , "</table>\n" ]

escape :: String -> String
escape = concatMap one
  where
    one '<' = "&lt;"
    one '>' = "&gt;"
    one '&' = "&amp;"
    one '"' = "&quot;"
    one c = [c]

statusJson :: Status -> L.ByteString
statusJson s = B.toLazyByteString . B.stringUtf8 . concat $
  [ "{\"base\": ", string (base s)
  , ", \"uptime_seconds\": ", seconds (uptime s)
  , ", \"image_bytes\": "
  , if all (`elem` ['0' .. '9']) (image s) then image s else "null"
  , ", \"git_hash\": ", string GIT_HASH
  , ", \"processors\": ", show (processors s)
  , maybe "" (\(path, line) -> ", \"disk\": {" ++ string path ++ ": "
      ++ string line ++ "}") (disk s)
  , ", \"memory\": {"
  , comma [ string name ++ ": " ++ string value | (name, value) <- accounts s ]
  , "}}\n" ]
  where
    comma [] = ""
    comma parts = foldr1 (\a b -> a ++ ", " ++ b) parts

string :: String -> String
string text = '"' : concatMap one text ++ "\""
  where
    one '"' = "\\\""
    one '\\' = "\\\\"
    one c
      | c < ' ' = "\\u" ++ replicate (4 - length (hex c)) '0' ++ hex c
      | otherwise = [c]
    hex c = showHex (ord c) ""
