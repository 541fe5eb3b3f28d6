-- SPDX-License-Identifier: BSD-3-Clause
-- /proc/app, served from Haskell: what the program knows of itself, for
-- everybody in it to read as files, and a file to tell it something.
module Main (main) where

import Control.Concurrent.MVar
import Control.Monad (forM_)
import qualified Data.ByteString.Char8 as C
import Data.IORef
import Data.List (sort)
import System.Directory (listDirectory)
import System.HaLVM
import System.HaLVM.FileSystem

main :: IO ()
main = do
  reads_ <- newIORef (0 :: Int)
  told <- newEmptyMVar
  app <- mount "/proc/app"
    [ ("version", Contents (C.pack "1.2\n"))
    , ("reads", Generated $ do
        n <- atomicModifyIORef' reads_ (\n -> (n + 1, n + 1))
        pure (C.pack (show n ++ "\n")))
    , ("memory", Generated $ do
        m <- getMemory
        pure (C.pack (show (memoryFree m > 0) ++ "\n")))
    , ("control", Sink (putMVar told))
    ]
  names <- listDirectory "/proc/app"
  putStrLn (unwords (sort names))
  forM_ ["version", "reads", "reads", "memory"] $ \name ->
    readFile ("/proc/app/" ++ name) >>= putStr
  writeFile "/proc/app/control" "go on"
  takeMVar told >>= C.putStrLn
  unmount app
