-- SPDX-License-Identifier: BSD-3-Clause
-- An exception that nobody catches ends the program with status 1.
--
-- ways: 2
-- status: 1
module Main (main) where

main :: IO ()
main = do
  putStrLn "before"
  _ <- pure $! length (show (head ([] :: [Int])))
  putStrLn "never"
