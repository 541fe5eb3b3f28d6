-- SPDX-License-Identifier: BSD-3-Clause
-- Files served from Haskell (System.HaLVM.FileSystem), used through Haskell's
-- own libraries in the same program, by many threads, with collections.
-- memory: 192M
-- ways: 2
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import Data.IORef
import Data.List (sort)
import System.Directory
import System.HaLVM.FileSystem
import System.IO
import System.IO.Error
import System.Mem (performGC)

import Check

main :: IO ()
main = within 100 "the test" $ do
  served
  tree
  unmounted

served :: IO ()
served = do
  counter <- newIORef (0 :: Int)
  sunk <- newMVar []
  m <- mount "/proc/app"
    [ ("version", Contents (C.pack "1.2\n"))
    , ("requests", Generated $ do
        n <- atomicModifyIORef' counter (\n -> (n + 1, n))
        threadDelay 1000
        pure (C.pack (show n)))
    , ("large", Generated (pure (C.replicate 300000 'x')))
    , ("broken", Generated (ioError (userError "no")))
    , ("masked", Generated (C.pack . show <$> getMaskingState))
    , ("control", Sink (\b -> modifyMVar_ sunk (pure . (b :))))
    , ("assets/logo", Contents (C.pack "<svg/>"))
    , ("empty", Directory) ]
  readFile "/proc/app/version" >>= \t -> equal "contents" t "1.2\n"
  replicateM_ 3 $ do
    text <- C.readFile "/proc/app/requests"
    check "a number" (all (`elem` "0123456789") (C.unpack text))
  readIORef counter >>= \n -> equal "opened" n 3
  C.readFile "/proc/app/large" >>= \t -> equal "large" (C.length t) 300000
  e <- throws "broken" (C.readFile "/proc/app/broken") :: IO IOException
  check "is an I/O error" (not (isDoesNotExistError e))
  readFile "/proc/app/masked" >>= \t -> equal "can be killed" t "Unmasked"
  names <- listDirectory "/proc/app"
  equal "names" (sort names)
    ["assets", "broken", "control", "empty", "large", "masked", "requests"
    , "version"]
  doesDirectoryExist "/proc/app/assets" >>= check "a directory"
  getFileSize "/proc/app/assets/logo" >>= \n -> equal "size" n 6
  missing <- try (readFile "/proc/app/none")
  case missing of
    Left err -> check "is missing" (isDoesNotExistError err)
    Right _ -> check "there is none" False
  h <- openFile "/proc/app/control" WriteMode
  hSetBuffering h NoBuffering
  forM_ [1 .. 5 :: Int] $ \n -> hPutStr h (show n)
  hClose h
  let wait n = do
        got <- readMVar sunk
        unless (length got >= 5 || n > (500 :: Int)) $
          threadDelay 5000 >> wait (n + 1)
  wait 0
  readMVar sunk >>= \got -> equal "written" (C.concat (reverse got))
    (C.pack "12345")
  both <- openFile "/proc/app/control" ReadWriteMode
  within 10 "a read" (C.hGet both 10) >>= \b -> equal "nothing" b C.empty
  hClose both
  setEntry m "version" (Contents (C.pack "1.3\n"))
  readFile "/proc/app/version" >>= \t -> equal "new contents" t "1.3\n"
  -- a name that is not ASCII, in the encoding that paths have
  setEntry m "stra\223e" (Generated (pure (C.pack "long")))
  readFile "/proc/app/stra\223e" >>= \t -> equal "its contents" t "long"
  removeEntry m "stra\223e"
  -- one that cannot be mounted leaves nothing behind
  void (throws "mount" (mount "/proc/bad"
    [("a", Contents (C.pack "x")), ("a/b", Contents (C.pack "y"))])
    :: IO IOException)
  doesDirectoryExist "/proc/bad" >>= check "is not there" . not
  removeEntry m "version"
  doesFileExist "/proc/app/version" >>= check "removed" . not
  crowd
  unmount m

-- | Many threads read what Haskell makes, while memory is collected.
crowd :: IO ()
crowd = do
  done <- forM [1 .. 30 :: Int] $ \n -> do
    box <- newEmptyMVar
    void $ forkIO $ do
      sizes <- forM [1 .. 5 :: Int] $ \k -> do
        when ((n + k) `mod` 10 == 0) performGC
        C.length <$> C.readFile "/proc/app/large"
      putMVar box (sum sizes)
    pure box
  sizes <- mapM takeMVar done
  equal "what they read" (sum sizes) (30 * 5 * 300000)

tree :: IO ()
tree = do
  changes <- newMVar []
  t <- mountTree "/data" (\c -> modifyMVar_ changes (pure . (c :)))
  createDirectoryIfMissing True "/data/a/b"
  writeFile "/data/a/b/log" "one\n"
  appendFile "/data/a/b/log" "two\n"
  readTree t "a/b/log" >>= \b -> equal "log" b (Just (C.pack "one\ntwo\n"))
  readTree t "none" >>= \b -> equal "none" b Nothing
  writeTree t "x/y" (C.pack (replicate 100000 'y'))
  readFile "/data/x/y" >>= \s -> equal "y" (length s) 100000
  readTree t "x/y" >>= \b -> equal "y again" (C.length <$> b) (Just 100000)
  renameFile "/data/a/b/log" "/data/log"
  removeFile "/data/log"
  removeDirectoryRecursive "/data/a"
  removeTree t "x/y"
  doesFileExist "/data/x/y" >>= check "removed" . not
  let wait n = do
        got <- readMVar changes
        unless (length got >= 8 || n > (500 :: Int)) $
          threadDelay 5000 >> wait (n + 1)
  wait 0
  got <- reverse <$> readMVar changes
  equal "changes" got
    [ Made "a", Made "a/b", Written "a/b/log", Written "a/b/log"
    , Moved "a/b/log" "log", Removed "log", Removed "a/b", Removed "a" ]
  unmountTree t

unmounted :: IO ()
unmounted = do
  doesDirectoryExist "/proc/app" >>= check "given back" . not
  doesDirectoryExist "/data/x" >>= check "given back, too" . not
