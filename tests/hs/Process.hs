-- SPDX-License-Identifier: BSD-3-Clause
-- Other programs: run on Linux, refused cleanly in a unikernel.
--
-- ways: 2
module Main (main) where

import Control.Exception (IOException, try)
import System.Exit (ExitCode (..))
import System.Process

import Check

main :: IO ()
main = do
  unikernel <- inUnikernel
  result <- try (readProcessWithExitCode "/bin/echo" ["hello"] "")
  case result :: Either IOException (ExitCode, String, String) of
    Right (code, out, _) | not unikernel -> do
      equal "exit code" code ExitSuccess
      equal "output" out "hello\n"
    Left e | unikernel -> check ("refused: " ++ show e) (not (null (show e)))
    other -> check ("not expected: " ++ show other) False
  -- And all goes on.
  missing <- try (readProcess "/does/not/exist" [] "")
  check "a missing program"
    (either (const True :: IOException -> Bool) (const False) missing)
