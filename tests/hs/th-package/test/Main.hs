-- SPDX-License-Identifier: BSD-3-Clause
module Main (main) where

import Control.Monad (unless)
import System.Exit (exitFailure)

import Table

main :: IO ()
main = do
  let ok = and [length primes == 25, cube 3 == 27, mix 0 == 0, mix 1 /= 1]
  putStrLn (if ok then "th-test: ok" else "th-test: failed")
  unless ok exitFailure
