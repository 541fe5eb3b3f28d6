-- SPDX-License-Identifier: BSD-3-Clause
-- exitWith reaches who started the program, after finalizers and flushing.
--
-- ways: 2
-- status: 47
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad (forever)
import System.Exit
import System.IO

main :: IO ()
main = do
  hSetBuffering stdout (BlockBuffering (Just 100000))
  _ <- forkIO (forever (threadDelay 1000)) -- does not hold up the end
  caught <- try (exitWith (ExitFailure 3)) -- an exception like any other
  case caught of
    Left (ExitFailure 3) -> pure ()
    _ -> exitWith (ExitFailure 1)
  putStr "this is buffered"
  (exitWith (ExitFailure 47)) `finally` hPutStrLn stderr "finalizers run"
