-- SPDX-License-Identifier: BSD-3-Clause
-- A provider of sockets for tests: a network within memory.
{-# LANGUAGE TypeFamilies #-}
module MemoryNetwork (Memory (..), newMemory) where

import Control.Concurrent
import Control.Monad
import qualified Data.ByteString.Char8 as C
import Data.IORef
import qualified Data.Map.Strict as Map
import Foreign.C.Error
import System.HaLVM.Network

-- | A network of one host: what listens, and who gets datagrams.
data Memory = Memory
  { listeners :: MVar (Map.Map Address (Chan (End, Address, Address)))
  , boxes :: MVar (Map.Map Address (Chan (Address, C.ByteString)))
  , openCount :: IORef Int
  , entered :: ThreadId -> IO () -- called by every function, in its thread
  }

newMemory :: (ThreadId -> IO ()) -> IO Memory
newMemory note =
  Memory <$> newMVar Map.empty <*> newMVar Map.empty <*> newIORef 0 <*> pure note

enter :: Memory -> IO ()
enter m = myThreadId >>= entered m

-- | One end of a pair of queues.
data End = End
  { sendTo' :: MVar (Maybe (Chan C.ByteString))
  , receiveFrom :: MVar (Maybe (Chan C.ByteString))
  , local :: MVar Address
  , queue :: MVar (Chan (End, Address, Address))
  , box :: Chan (Address, C.ByteString)
  }

newEnd :: IO End
newEnd = End <$> newMVar Nothing <*> newMVar Nothing <*> newEmptyMVar
  <*> newEmptyMVar <*> newChan

refuse :: IO a
refuse = ioError (errnoToIOError "connect" eCONNREFUSED Nothing Nothing)

instance Provider Memory where
  type Socket Memory = End
  openSocket m _ _ _ = do
    enter m
    atomicModifyIORef' (openCount m) (\n -> (n + 1, ()))
    newEnd
  bindSocket m s a = do
    void (tryPutMVar (local s) a)
    modifyMVar_ (boxes m) (pure . Map.insert a (box s))
  listenSocket m s a _ = do
    q <- newChan
    void (tryPutMVar (queue s) q)
    modifyMVar_ (listeners m) (pure . Map.insert a q)
  connectSocket m s remote mine = do
    enter m
    known <- Map.lookup remote <$> readMVar (listeners m)
    case known of
      Nothing -> refuse
      Just q -> do
        there <- newChan
        back <- newChan
        other <- newEnd
        void (swapMVar (sendTo' s) (Just there))
        void (swapMVar (receiveFrom s) (Just back))
        void (swapMVar (sendTo' other) (Just back))
        void (swapMVar (receiveFrom other) (Just there))
        atomicModifyIORef' (openCount m) (\n -> (n + 1, ()))
        writeChan q (other, mine, remote)
  acceptSocket m s = enter m >> readMVar (queue s) >>= readChan
  sendStream m s bytes =
    enter m >> readMVar (sendTo' s) >>= mapM_ (`writeChan` bytes)
  receiveStream m s =
    enter m >> readMVar (receiveFrom s) >>= maybe (pure C.empty) readChan
  finishStream _ s = readMVar (sendTo' s) >>= mapM_ (`writeChan` C.empty)
  sendDatagram m s to bytes = do
    known <- Map.lookup to <$> readMVar (boxes m)
    mine <- readMVar (local s)
    mapM_ (`writeChan` (mine, bytes)) known
  receiveDatagram _ s = readChan (box s)
  closeSocket m s = do
    readMVar (sendTo' s) >>= mapM_ (`writeChan` C.empty)
    atomicModifyIORef' (openCount m) (\n -> (n - 1, ()))
