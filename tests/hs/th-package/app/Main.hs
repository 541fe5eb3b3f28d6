-- SPDX-License-Identifier: BSD-3-Clause
module Main (main) where

import Table

main :: IO ()
main = do
  print (length primes, last primes)
  print (third ('a', 'b', 'c', 'd'), cube 5)
  print (mix 1)
