-- SPDX-License-Identifier: BSD-3-Clause
-- A thread that goes on allocating while the main thread does not heed
-- HeapOverflow: the program has to end with status 251 and one line that says
-- who holds what.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.IORef
import System.Environment (getArgs)

main :: IO ()
main = do
  [how] <- getArgs
  kept <- newIORef []
  sized <- newIORef []
  _ <- forkIO $ forM_ [1 :: Integer ..] $ \i -> do
    modifyIORef' kept (i :)
    when (how == "bytes" && i `mod` 50 == 0) $ do
      -- Small ones, for which nobody is refused.
      b <- evaluate (B.replicate 1000 1)
      modifyIORef' sized (b :)
  forever (threadDelay 1000 `catch` \e -> (e :: AsyncException) `seq` return ())
