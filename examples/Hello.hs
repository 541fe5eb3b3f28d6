-- SPDX-License-Identifier: BSD-3-Clause
-- The smallest Haskell program. See hello.md.
module Main (main) where

main :: IO ()
main = putStrLn "Hello from Haskell"
