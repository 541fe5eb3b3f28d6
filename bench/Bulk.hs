-- SPDX-License-Identifier: BSD-3-Clause
-- bench/bulk.c over the package network, for the stack that the module Stack of
-- examples/stack/haskell or examples/stack/host gives it: port 9000, one
-- connection after the other, each with a letter and eight bytes, a count.
-- bench/load.c is the other side.
module Main (main) where

import Control.Exception (bracket, finally)
import Control.Monad (forever, unless, void)
import qualified Data.ByteString as B
import Foreign.Marshal.Alloc (allocaBytes)
import Foreign.Marshal.Utils (fillBytes)
import Foreign.Ptr (Ptr)
import Data.Word (Word8)
import Network.Socket
import Network.Socket.ByteString (recv, sendAll)

import qualified Stack

main :: IO ()
main = do
  Stack.begin
  bracket (socket AF_INET Stream defaultProtocol) close $ \listening -> do
    bind listening (SockAddrInet 9000 0)
    listen listening 8
    allocaBytes blockSize $ \block -> do
      fillBytes block 0 blockSize
      forever $ do
        (s, _) <- accept listening
        serve s block `finally` close s

blockSize :: Int
blockSize = 65536

serve :: Socket -> Ptr Word8 -> IO ()
serve s block = do
  order <- exactly 9
  unless (B.length order < 9) $ do
    let left = B.foldr (\b n -> n * 256 + fromIntegral b) 0 (B.drop 1 order)
    if B.head order == 114 -- r
      then receiving left >> sendAll s (B.singleton 0)
      else sending left
    void (recv s 1) -- until the other side closes
  where
    exactly n = do
      b <- recv s n
      if B.null b || B.length b == n then pure b
        else (b <>) <$> exactly (n - B.length b)
    receiving :: Int -> IO ()
    receiving 0 = pure ()
    receiving left = do
      did <- recvBuf s block (min left blockSize)
      receiving (left - did)
    sending :: Int -> IO ()
    sending 0 = pure ()
    sending left = do
      did <- sendBuf s block (min left blockSize)
      sending (left - did)
