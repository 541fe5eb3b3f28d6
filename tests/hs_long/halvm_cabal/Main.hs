-- SPDX-License-Identifier: BSD-3-Clause
-- Uses the package halvm, built by cabal: test.sh.
{-# LANGUAGE OverloadedStrings #-}
module Main (main) where

import Control.Exception (IOException, try)
import System.HaLVM
import System.HaLVM.FileSystem

main :: IO ()
main = do
  unikernel <- isUnikernel
  print unikernel
  mounted <- try (mount "/proc/app" [("x", Contents "served")])
  case mounted of
    Right _ -> readFile "/proc/app/x" >>= putStrLn
    Left e -> print (e :: IOException)
