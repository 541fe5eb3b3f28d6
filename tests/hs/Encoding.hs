-- SPDX-License-Identifier: BSD-3-Clause
-- Text in and out, whatever the locale says.
--
-- ways: 2
-- args: naïve λ→∀ 日本
module Main (main) where

import qualified Data.ByteString as B
import qualified Data.Text as T
import qualified Data.Text.Encoding as T
import qualified Data.Text.IO as T
import GHC.IO.Encoding (getFileSystemEncoding, getLocaleEncoding)
import System.Directory
import System.Environment
import System.IO

import Check

main :: IO ()
main = do
  encoding <- getLocaleEncoding
  equal "locale encoding" (show encoding) "UTF-8"
  names <- getFileSystemEncoding
  equal "file names" (take 5 (show names)) "UTF-8"
  arguments <- getArgs
  equal "arguments" arguments ["na\239ve", "\955\8594\8704", "\26085\26412"]
  let file = "/tmp/halvm-\955-test.txt"
      text = "\955x. \8704 \128512\n"
  writeFile file text
  bytes <- B.readFile file
  equal "bytes on disk" (B.unpack bytes)
    [0xce, 0xbb, 0x78, 0x2e, 0x20, 0xe2, 0x88, 0x80, 0x20, 0xf0, 0x9f, 0x98
    , 0x80, 0x0a]
  back <- readFile file
  equal "read back" back text
  listing <- listDirectory "/tmp"
  check "the name in a listing" ("halvm-\955-test.txt" `elem` listing)
  strict <- T.readFile file
  equal "text" strict (T.pack text)
  equal "decoded" (T.decodeUtf8 bytes) strict
  -- Other encodings work without a locale.
  h <- openFile file WriteMode
  hSetEncoding h latin1
  hPutStr h "\233"
  hClose h
  B.readFile file >>= \b -> equal "latin1" (B.unpack b) [0xe9]
  h16 <- openFile file WriteMode
  hSetEncoding h16 utf16le
  hPutStr h16 "\955"
  hClose h16
  B.readFile file >>= \b -> equal "utf16" (B.unpack b) [0xbb, 0x03]
  removeFile file
  setEnv "HALVM_\955" "w\246rd"
  value <- lookupEnv "HALVM_\955"
  equal "environment" value (Just "w\246rd")
  putStrLn text
