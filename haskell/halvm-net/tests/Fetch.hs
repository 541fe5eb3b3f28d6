-- SPDX-License-Identifier: BSD-3-Clause
-- Fetches pages with http-client, which does not know what its sockets are made
-- of, nor who knows the names: a line for each URL, its status and size, or the
-- exception, and whether it took long; then the file that has the name servers.
module Main (main) where

import Control.Exception
import Control.Monad
import qualified Data.ByteString.Lazy as L
import GHC.Clock (getMonotonicTime)
import Network.HTTP.Client
import Network.HTTP.Types (statusCode)
import System.Environment (getArgs)
import System.IO

import qualified Stack

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  Stack.begin
  manager <- newManager defaultManagerSettings
  urls <- getArgs
  forM_ urls $ \url -> do
    begun <- getMonotonicTime
    result <- try (parseRequest url >>= (`httpLbs` manager))
    ended <- getMonotonicTime
    putStrLn (url ++ ": " ++ tell result ++ pace (ended - begun))
  readFile "/etc/resolv.conf" >>= mapM_ putStrLn . filter (not . null) . lines
  where
    tell (Right r) = show (statusCode (responseStatus r)) ++ ", "
      ++ show (L.length (responseBody r)) ++ " bytes"
    tell (Left (HttpExceptionRequest _ (ConnectionFailure e))) =
      "cannot connect: " ++ takeWhile (/= '\n') (show e)
    tell (Left e) = takeWhile (/= '\n') (show e)
    -- whatever does not answer, the end comes
    pace t = if t < 30 then "" else ", too late" :: String
