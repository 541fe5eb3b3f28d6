-- SPDX-License-Identifier: BSD-3-Clause
-- What the Haskell tests share: checks that name where they stand.
module Check (check, equal, throws, inUnikernel, within) where

import Control.Exception (Exception, try)
import Control.Monad (unless)
import GHC.Stack (HasCallStack, callStack, getCallStack, SrcLoc (..))
import System.Directory (doesFileExist)
import System.Exit (ExitCode (..), exitWith)
import System.IO (hPutStrLn, stderr)
import System.Timeout (timeout)

-- | Fails the test, naming the line, unless it holds.
check :: HasCallStack => String -> Bool -> IO ()
check what ok = unless ok $ do
  let place = case getCallStack callStack of
        (_, l) : _ -> srcLocFile l ++ ":" ++ show (srcLocStartLine l) ++ ": "
        [] -> ""
  hPutStrLn stderr (place ++ "failed: " ++ what)
  exitWith (ExitFailure 1)

equal :: (HasCallStack, Eq a, Show a) => String -> a -> a -> IO ()
equal what got wanted =
  check (what ++ " is " ++ show got ++ ", expected " ++ show wanted)
    (got == wanted)

-- | Runs an action that must throw this kind of exception; gives it back.
throws :: (HasCallStack, Exception e) => String -> IO a -> IO e
throws what action = do
  result <- try action
  case result of
    Left e -> pure e
    Right _ -> do
      check (what ++ " threw nothing") False
      error "unreachable"

-- | The unikernel has this file, Linux has not.
inUnikernel :: IO Bool
inUnikernel = doesFileExist "/proc/halvm/status"

-- | Runs an action that must end within so many seconds.
within :: HasCallStack => Int -> String -> IO a -> IO a
within seconds what action = do
  result <- timeout (seconds * 1000000) action
  case result of
    Just value -> pure value
    Nothing -> do
      check (what ++ " took more than " ++ show seconds ++ " s") False
      error "unreachable"
