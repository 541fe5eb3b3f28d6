-- SPDX-License-Identifier: BSD-3-Clause
-- | An interface of "System.HaLVM.NIC" as a device of hans.
module Device (nicDevice) where

import Control.Concurrent (forkIO, killThread, modifyMVar_, newMVar)
import Control.Concurrent.BoundedChan
import Control.Exception (IOException, try)
import Control.Monad
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy as L
import Data.IORef (atomicModifyIORef')
import Hans.Device.Types
import Hans.Ethernet.Types (Mac (..))
import Hans.Types (InputPacket (..), NetworkStack (..))
import System.HaLVM.NIC

-- | Adds the interface to the stack. Frames flow from 'devStart' on; 'devCleanup'
-- closes it.
nicDevice :: NetworkStack -> NIC -> IO Device
nicDevice stack nic = do
  mac <- hansMAC (nicMAC nic)
  stats <- newDeviceStats
  let config = defaultDeviceConfig { dcMtu = nicMTU nic }
  queue <- newBoundedChan (dcSendQueueLen config)
  threads <- newMVar []
  let device = Device
        { devName = C.pack (nicName nic)
        , devMac = mac
        , devConfig = config
        , devSendQueue = queue
        , devStart = modifyMVar_ threads $ \running ->
            if null running
              then mapM forkIO [receiver stack device nic, sender stats queue nic]
              else pure running
        , devStop = modifyMVar_ threads (\running -> [] <$ mapM_ killThread running)
        , devCleanup = closeNIC nic
        , devStats = stats
        }
  atomicModifyIORef' (nsDevices stack) (\devices -> (device : devices, ()))
  pure device

hansMAC :: MAC -> IO Mac
hansMAC (MAC bytes) = case B.unpack bytes of
  [a, b, c, d, e, f] -> pure (Mac a b c d e f)
  _ -> ioError (userError "nicDevice: a MAC has six bytes")

-- Waits while the stack's queue is full: meanwhile frames wait in the interface,
-- whose queue is bounded, too.
receiver :: NetworkStack -> Device -> NIC -> IO ()
receiver stack device nic = forever $ do
  frames <- receiveFrames nic batch
  forM_ frames $ \frame -> do
    updateBytes statRX (devStats device) (B.length frame)
    updatePackets statRX (devStats device)
    writeChan (nsInput stack) $! FromDevice device frame

-- What is in the queue goes out at once.
sender :: DeviceStats -> BoundedChan L.ByteString -> NIC -> IO ()
sender stats queue nic = forever $ do
  first <- readChan queue
  frames <- map L.toStrict . (first :) <$> more (batch - 1)
  result <- try (sendFrames nic frames) :: IO (Either IOException ())
  forM_ frames $ \frame -> case result of
    Right () -> updateBytes statTX stats (B.length frame) >> updatePackets statTX stats
    Left _ -> updateError statTX stats
  where
    more :: Int -> IO [L.ByteString]
    more 0 = pure []
    more n = tryReadChan queue >>= maybe (pure []) (\f -> (f :) <$> more (n - 1))

batch :: Int
batch = 32
