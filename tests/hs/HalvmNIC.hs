-- SPDX-License-Identifier: BSD-3-Clause
-- Whole frames from Haskell (System.HaLVM.NIC): between two ends of a wire as a
-- Linux process, with QEMU's user network, which answers ARP, as a unikernel.
-- ways: 2
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import qualified Network.Socket as N
import System.Environment (setEnv)
import System.Exit
import System.HaLVM.NIC
import System.IO

import Check

main :: IO ()
main = within 60 "the test" $ do
  unikernel <- inUnikernel
  if unikernel then machine else wire

wire :: IO ()
wire = do
  (a, b) <- N.socketPair N.AF_UNIX N.Datagram N.defaultProtocol
  fa <- N.unsafeFdSocket a
  fb <- N.unsafeFdSocket b
  setEnv "HALVM_NIC" ("fd:" ++ show fa ++ ",mac=02:00:00:00:00:0a fd:"
    ++ show fb ++ ",mtu=1400")
  names <- listNICs
  equal "how many" (length names) 2
  nics <- mapM openNIC names
  case nics of
    [x, y] -> do
      equal "MAC" (show (nicMAC x)) "02:00:00:00:00:0a"
      check "another MAC" (nicMAC x /= nicMAC y)
      equal "MTU" (map nicMTU nics) [1500, 1400]
      tryReceiveFrames y 10 >>= \f -> equal "nothing" f []
      let frames = [ B.pack (replicate 14 (fromIntegral n)
                      ++ map fromIntegral [1 .. n * 10]) | n <- [1 .. 100 :: Int] ]
      void (forkIO (sendFrames x frames))
      got <- collect y 100 (repeat 100)
      equal "frames" got frames
      -- whatever number is asked for
      void (forkIO (sendFrames x frames))
      again <- collect y 100 (cycle [1, 32, 3, 2, 17, 5])
      equal "frames by ones and twos" again frames
      -- some that are kept do not change when buffers are used again
      sendFrames y [B.replicate 60 7]
      receiveFrames x 5 >>= \f -> equal "back" f [B.replicate 60 7]
      equal "kept" (got, again) (frames, frames)
      -- who waits is told of the end
      ended <- newEmptyMVar
      void (forkIO (try (receiveFrames x 1) >>= putMVar ended))
      threadDelay 20000
      closeNIC x
      closeNIC x
      end <- takeMVar ended
      case end of
        Left e -> let _ = e :: SomeException in pure ()
        Right _ -> check "an error" False
      void (throws "sending" (sendFrames x frames) :: IO IOException)
    _ -> check "two" False
  void (throws "none" (openNIC "eth0") :: IO IOException)
  void (throws "mac" (openNIC ("fd:" ++ show fb ++ ",mac=1")) :: IO IOException)
  where
    collect nic n (most : others) | n > 0 = do
      frames <- receiveFrames nic most
      check "not more than asked for" (length frames <= most)
      (frames ++) <$> collect nic (n - length frames) others
    collect _ _ _ = pure []

machine :: IO ()
machine = do
  names <- listNICs
  when (null names) $ do
    hPutStrLn stderr "skip: there is no network here"
    exitWith (ExitFailure 77)
  nic <- openNIC (head names)
  let MAC mac = nicMAC nic
      ask = B.concat
        [ B.replicate 6 255, mac, B.pack [8, 6, 0, 1, 8, 0, 6, 4, 0, 1], mac
        , B.pack [10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2]
        , B.replicate 18 0 ]
      wait = do
        frames <- receiveFrames nic 32
        unless (any isAnswer frames) wait
      isAnswer f = B.take 6 f == mac && B.take 2 (B.drop 12 f) == B.pack [8, 6]
        && B.take 4 (B.drop 28 f) == B.pack [10, 0, 2, 2]
  equal "MTU" (nicMTU nic) 1500
  replicateM_ 3 (sendFrames nic [ask] >> wait)
  void (throws "twice" (openNIC (head names)) :: IO IOException)
  closeNIC nic
  withNIC (head names) (\n -> sendFrames n [ask])
