-- SPDX-License-Identifier: BSD-3-Clause
-- What needs a world: the lock, the clock and the wires of "HaLVM.Net.Run",
-- and what is kept in memory.
module Running (theRuns) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Internal as BI
import Data.IORef
import Data.List (foldl')
import qualified Foreign.Concurrent as F
import Foreign.ForeignPtr
import System.Mem

import HaLVM.Net.Neighbour hiding (size)
import HaLVM.Net.Run
import HaLVM.Net.SipHash
import HaLVM.Net.Stack
import HaLVM.Net.Wire

theRuns :: [(String, IO (Maybe String))]
theRuns =
  [ ("wire-errors", wireErrors), ("interrupted-call", interruptedCall)
  , ("neighbour-queue", neighbourQueue) ]

-- A stack on a wire that sends so, and from which nothing comes.
onWire :: ([B.ByteString] -> IO ()) -> (Net -> IO a) -> IO a
onWire send = bracket begin stop
  where
    mac = Mac 0x020000000001
    begin = do
      nothing <- newEmptyMVar
      startWith (Key 1 2)
        (defaultConfig [(interface mac) { ifcAddrs = [(V4 0x0a000001, 24)]
                                        , ifcDhcp = False, ifcIpv6 = False }])
        [Wire { wireReceive = takeMVar nothing, wireSend = send, wireMac = mac
              , wireMtu = 1500, wireLarge = 0 }]

peer :: Endpoint
peer = Endpoint (V4 0x0a000002) 80

-- A wire that fails loses frames, and that is all: the call is answered, and
-- the clock's thread asks for the neighbour again, twice.
wireErrors :: IO (Maybe String)
wireErrors = do
  count <- newIORef (0 :: Int)
  let send _ = modifyIORef' count (+ 1) >> ioError (userError "the wire is down")
  onWire send $ \net -> do
    Opened i <- request net (Open Udp False)
    answer <- request net (SendTo i (Just peer) (C.pack "x"))
    tries <- waitFor (300 :: Int) ((>= 3) <$> readIORef count)
    pure (if answer == Sent 1 && tries then Nothing else Just (show (answer, tries)))

-- Whoever is killed while its frames leave has done what it did.
interruptedCall :: IO (Maybe String)
interruptedCall = do
  entered <- newEmptyMVar
  gate <- newEmptyMVar
  slow <- newIORef False
  let send _ = readIORef slow >>= \s -> when s (tryPutMVar entered () >> readMVar gate)
  onWire send $ \net -> do
    Opened i <- request net (Open Tcp False)
    writeIORef slow True
    caller <- forkIO (void (request net (Connect i peer)))
    takeMVar entered
    killer <- newEmptyMVar
    _ <- forkIO (killThread caller >> putMVar killer ())
    threadDelay 50000
    putMVar gate ()
    takeMVar killer
    answer <- request net (PeerName i)
    pure (if answer == Name peer then Nothing else Just (show answer))

-- Of the packets that wait for a neighbour, the last few are kept, and no
-- others for their sake.
neighbourQueue :: IO (Maybe String)
neighbourQueue = do
  gone <- newIORef (0 :: Int)
  packets <- forM [1 .. many] $ \_ -> do
    p <- mallocForeignPtrBytes 64
    q <- withForeignPtr p $ \at ->
      F.newForeignPtr at (touchForeignPtr p >> atomicModifyIORef' gone (\n -> (n + 1, ())))
    pure (BI.fromForeignPtr q 0 64)
  n <- evaluate (foldl' queue noNeighbours packets)
  good <- waitFor 100 (performMajorGC >> (>= many - queueMax) <$> readIORef gone)
  left <- readIORef gone
  -- The queue is there still.
  let (kept, _) = learn 1 False (V4 9) (Mac 7) n
  pure (if good && length kept == queueMax then Nothing
    else Just (show (left, length kept)))
  where
    many = 100
    queue n b = let (_, _, n') = resolve 0 (V4 9) (\_ -> Waiting 0x0800 (Mac 1) b) n
                in n'

waitFor :: Int -> IO Bool -> IO Bool
waitFor 0 _ = pure False
waitFor n ask = do
  done <- ask
  if done then pure True else threadDelay 10000 >> waitFor (n - 1) ask
