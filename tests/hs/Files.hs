-- SPDX-License-Identifier: BSD-3-Clause
-- Files and folders.
--
-- ways: 2
module Main (main) where

import Control.Exception (bracket)
import Control.Monad
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy.Char8 as L
import Data.List (sort)
import System.Directory
import System.FilePath ((</>))
import System.IO
import System.Posix.Files (createSymbolicLink, fileSize, getFileStatus)

import Check

main :: IO ()
main = bracket make removePathForcibly $ \top -> do
  let file = top </> "file"
  writeFile file "one\ntwo\n"
  appendFile file "three\n"
  text <- readFile file
  equal "lines" (lines text) ["one", "two", "three"]
  size <- fileSize <$> getFileStatus file
  equal "size" size 14
  handles file
  large (top </> "large")
  createDirectoryIfMissing True (top </> "a" </> "b" </> "c")
  forM_ [1 .. 50 :: Int] $ \i -> writeFile (top </> "a" </> show i) (show i)
  entries <- listDirectory (top </> "a")
  equal "entries" (sort entries) (sort ("b" : map show [1 .. 50 :: Int]))
  renameFile (top </> "a" </> "7") (top </> "seven")
  readFile (top </> "seven") >>= \t -> equal "renamed" t "7"
  copyFile (top </> "seven") (top </> "copy")
  doesFileExist (top </> "copy") >>= check "copied"
  createSymbolicLink "copy" (top </> "link")
  readFile (top </> "link") >>= \t -> equal "through a link" t "7"
  removeDirectoryRecursive (top </> "a")
  doesDirectoryExist (top </> "a") >>= check "removed" . not
  withCurrentDirectory top $ readFile "seven" >>= \t -> equal "relative" t "7"
  old <- getModificationTime file
  check "a time after 2020" (show old > "2020")
  canonical <- canonicalizePath (top </> "." </> "file")
  equal "canonical" canonical file
  where
    make = do
      temporary <- getTemporaryDirectory
      path <- canonicalizePath temporary
      let top = path </> "halvm-test-files"
      removePathForcibly top
      createDirectory top
      pure top

handles :: FilePath -> IO ()
handles file = withFile file ReadWriteMode $ \h -> do
  hSetBuffering h NoBuffering
  hSeek h AbsoluteSeek 4
  hGetLine h >>= \l -> equal "from 4" l "two"
  hSeek h AbsoluteSeek 4
  hPutStr h "TWO"
  hSeek h SeekFromEnd 0
  hPutStrLn h "four"
  hSetFileSize h 18
  hSeek h AbsoluteSeek 0
  hGetContents h >>= \t -> equal "changed" t "one\nTWO\nthree\nfour"

large :: FilePath -> IO ()
large file = do
  let line i = C.pack ("line " ++ show (i :: Int) ++ "\n")
  C.writeFile file (C.concat (map line [1 .. 50000]))
  lazy <- L.readFile file
  equal "lazy lines" (length (L.lines lazy)) 50000
  strict <- C.readFile file
  equal "last line" (last (C.lines strict)) (C.pack "line 50000")
