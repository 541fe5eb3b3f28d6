-- SPDX-License-Identifier: BSD-3-Clause
-- Arguments, the environment, and options for the runtime.
--
-- ways: 2
-- args: one +RTS -A2m -M20m -RTS two --three=3
-- env: HALVM_TEST=a-value
-- env: EMPTY=
module Main (main) where

import GHC.RTS.Flags (GCFlags (..), getGCFlags)
import System.Environment
import System.Info (arch, os)

import Check

main :: IO ()
main = do
  arguments <- getArgs
  equal "arguments" arguments ["one", "two", "--three=3"]
  name <- getProgName
  check ("program name: " ++ name) (not (null name))
  lookupEnv "HALVM_TEST" >>= \v -> equal "HALVM_TEST" v (Just "a-value")
  lookupEnv "EMPTY" >>= \v -> check "EMPTY" (v `elem` [Just "", Nothing])
  lookupEnv "HALVM_NOT_SET" >>= \v -> equal "unset" v Nothing
  flags <- getGCFlags
  equal "-A2m" (minAllocAreaSize flags) (2 * 1024 * 1024 `div` 4096)
  equal "-M20m" (maxHeapSize flags) (20 * 1024 * 1024 `div` 4096)
  withArgs ["other"] getArgs >>= \a -> equal "withArgs" a ["other"]
  path <- getExecutablePath
  check ("executable path: " ++ path) (take 1 path == "/")
  equal "os and arch" (os, arch) ("linux", "x86_64")
