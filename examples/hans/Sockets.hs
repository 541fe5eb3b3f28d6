-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE PatternSynonyms #-}
{-# LANGUAGE TypeFamilies #-}
{-# OPTIONS_GHC -Wno-orphans #-}
-- | hans' sockets under the program's: an instance of 'Provider'. IPv4; streams
-- and datagrams.
--
-- Where hans has no call to wait with, this polls; where it tells of something
-- to nobody, this looks.
module Sockets (Sockets (..), toAddress) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import Data.Bits (shiftL, (.|.))
import qualified Data.ByteString as B
import qualified Data.ByteString.Lazy as L
import Data.IORef
import Data.Maybe (isJust)
import Data.Word (Word16)
import Foreign.C.Error
import Hans (IP4, NetworkAddr (toAddr), NetworkStack, packIP4, unpackIP4)
import Hans.IP4.Packet (pattern WildcardIP4)
import Hans.Lens (view)
import Hans.Socket
  ( ConnectionException, ListenException, RoutingException, SocketConfig (..)
  , TcpListenSocket, TcpSocket, UdpSocket, defaultSocketConfig, newUdpSocket
  , recvfrom, sAccept, sCanWrite, sClose, sConnect, sListen, sRead, sTryRead
  , sWrite, sendto, tcpLocalAddr, tcpLocalPort, tcpRemoteAddr, tcpRemotePort )
import Hans.Tcp.State (lookupActive)
import System.HaLVM.Network
import System.Timeout (timeout)

-- | A stack, and the address of its interface.
data Sockets = Sockets { socketsStack :: NetworkStack, socketsAddress :: IP4 }

data Sock
  = StreamSock (MVar End)         -- empty until it listens or is connected
  | DatagramSock (MVar (UdpSocket IP4)) -- empty until it has a port

data End
  = Listener (TcpListenSocket IP4) (Chan (TcpSocket IP4)) [ThreadId]
  | Connection (TcpSocket IP4) (IORef Bool) -- True: this side has finished

instance Provider Sockets where
  type Socket Sockets = Sock

  openSocket _ _ kind _ = case kind of
    Stream -> StreamSock <$> newEmptyMVar
    Datagram -> DatagramSock <$> newEmptyMVar
    Raw -> failing "socket" eSOCKTNOSUPPORT

  -- The C side has seen to it that the port is free.
  bindSocket net (DatagramSock var) local = do
    (host, port) <- fromAddress local
    unbound <- isEmptyMVar var
    when unbound $ translated "bind"
      (newUdpSocket (socketsStack net) config Nothing (anyOf net host) (Just port))
      >>= putMVar var
  bindSocket _ _ _ = pure ()

  connectSocket net (StreamSock var) remote local = do
    (host, port) <- fromAddress remote
    (_, own) <- fromAddress local
    done <- timeout connectPatience $ translated "connect" $
      sConnect (socketsStack net) config Nothing WildcardIP4
        (if own == 0 then Nothing else Just own) host port
    maybe (failing "connect" eTIMEDOUT) (connection >=> putMVar var) done
  connectSocket _ _ _ _ = pure () -- the C side knows where to

  -- hans wakes one who waits in accept, however many connections came; so as
  -- many threads wait as there can be connections.
  listenSocket net (StreamSock var) local backlog = do
    (host, port) <- fromAddress local
    let most = max 1 (min backlog backlogMax)
    socket <- translated "listen" (sListen (socketsStack net) config host port most)
    queue <- newChan
    threads <- replicateM most $ forkIO $ forever $
      sAccept socket >>= writeChan queue
    putMVar var (Listener socket queue threads)
  listenSocket _ _ _ _ = failing "listen" eOPNOTSUPP

  acceptSocket _ sock = ending "accept" sock >>= \end -> case end of
    Listener _ queue _ -> do
      new <- readChan queue
      var <- connection new >>= newMVar
      pure ( StreamSock var
           , toAddress (view tcpRemoteAddr new) (view tcpRemotePort new)
           , toAddress (view tcpLocalAddr new) (view tcpLocalPort new) )
    _ -> failing "accept" eINVAL

  sendStream net sock bytes = connected "send" sock $ \socket _ -> do
    let go rest | L.null rest = pure ()
                | otherwise = do
          sent <- translated "send" (sWrite socket rest)
          when (sent == 0) (awaitRoom net socket)
          go (L.drop (fromIntegral sent) rest)
    go (L.fromStrict bytes)

  -- An empty result is the end of the stream or of the connection; what state
  -- it is in, the next read tells.
  receiveStream _ sock = connected "recv" sock $ \socket finished -> do
    result <- try (sRead socket 65536)
    over <- readIORef finished
    case result of
      Right bytes
        | L.null bytes, not over -> do
            after <- try (sTryRead socket 1)
            either (ended over) (const (pure B.empty)) after
        | otherwise -> pure (L.toStrict bytes)
      Left e -> ended over e
    where
      ended over e
        | named "ConnectionClosing" e || over = pure B.empty
        | otherwise = failing "recv" eCONNRESET

  finishStream net sock = connected "shutdown" sock $ \socket finished -> do
    before <- atomicModifyIORef' finished (\b -> (True, b))
    unless before (finish net socket)

  sendDatagram _ (DatagramSock var) to bytes = do
    (host, port) <- fromAddress to
    socket <- readMVar var
    translated "sendto" (sendto socket host port (L.fromStrict bytes))
  sendDatagram _ _ _ _ = pure ()

  receiveDatagram _ (DatagramSock var) = do
    socket <- readMVar var
    (_, host, port, bytes) <- recvfrom socket
    pure (toAddress host port, L.toStrict bytes)
  receiveDatagram _ _ = newEmptyMVar >>= takeMVar

  closeSocket _ (DatagramSock var) = tryTakeMVar var >>= mapM_ sClose
  closeSocket net (StreamSock var) = tryTakeMVar var >>= mapM_ close
    where
      close (Listener socket queue threads) = do
        sClose socket
        mapM_ killThread threads
        waiting queue >>= mapM_ sClose
      close (Connection socket finished) = do
        before <- readIORef finished
        void (timeout closePatience (unless before (finish net socket) >> drain socket))
        where
          -- What still comes is nobody's; the other side's end is behind it.
          drain s = do
            result <- try (sRead s 65536) :: IO (Either ConnectionException L.ByteString)
            either (const (pure ())) (\b -> unless (L.null b) (drain s)) result

-- | Microseconds.
connectPatience, closePatience :: Int
connectPatience = 75 * 1000000
closePatience = 60 * 1000000

backlogMax :: Int
backlogMax = 128

config :: SocketConfig
config = defaultSocketConfig { scRecvBufferSize = 65536 }

-- | What was bound to the interface's address, perhaps by nobody's wish, is to
-- reach the loopback address, too.
anyOf :: Sockets -> IP4 -> IP4
anyOf net host = if host == socketsAddress net then WildcardIP4 else host

connection :: TcpSocket IP4 -> IO End
connection socket = Connection socket <$> newIORef False

ending :: String -> Sock -> IO End
ending _ (StreamSock var) = readMVar var
ending what _ = failing what eOPNOTSUPP

connected :: String -> Sock -> (TcpSocket IP4 -> IORef Bool -> IO a) -> IO a
connected what sock f = ending what sock >>= \end -> case end of
  Connection socket finished -> f socket finished
  Listener {} -> failing what eNOTCONN

-- | The connections that wait in a queue that nobody reads or fills any more.
waiting :: Chan a -> IO [a]
waiting queue = timeout 1000 (readChan queue)
  >>= maybe (pure []) (\one -> (one :) <$> waiting queue)

-- | hans forgets an end that finds the window full.
finish :: Sockets -> TcpSocket IP4 -> IO ()
finish net socket = do
  room <- sCanWrite socket
  unless room (awaitRoom net socket)
  sClose socket

-- | Until there is room in the window. hans has no call that waits for it, and
-- takes a connection whose other side is silent off its table without a word.
awaitRoom :: Sockets -> TcpSocket IP4 -> IO ()
awaitRoom net socket = go 500
  where
    go delay = do
      void (translated "send" (sWrite socket L.empty)) -- throws when it is closed
      room <- sCanWrite socket
      unless room $ do
        known <- lookupActive (socketsStack net)
          (toAddr (view tcpRemoteAddr socket)) (view tcpRemotePort socket)
          (toAddr (view tcpLocalAddr socket)) (view tcpLocalPort socket)
        unless (isJust known) (failing "send" eTIMEDOUT)
        threadDelay delay
        go (min 10000 (2 * delay))

-- -- Errors: hans exports the types of its exceptions, but not their values

translated :: String -> IO a -> IO a
translated what action = action `catches`
  [ Handler $ \e -> failing what (errnoOfConnection e)
  , Handler $ \e -> failing what (const eADDRINUSE (e :: ListenException))
  , Handler $ \e -> failing what (const eHOSTUNREACH (e :: RoutingException)) ]

errnoOfConnection :: ConnectionException -> Errno
errnoOfConnection e
  | named "ConnectionRefused" e = eCONNREFUSED
  | named "AlreadyConnected" e || named "NoPortAvailable" e = eADDRINUSE
  | named "ConnectionClosing" e = ePIPE
  | otherwise = eCONNRESET

named :: String -> ConnectionException -> Bool
named name e = show e == name

failing :: String -> Errno -> IO a
failing what e = ioError (errnoToIOError what e Nothing Nothing)

-- -- struct sockaddr_in

toAddress :: IP4 -> Word16 -> Address
toAddress = inetAddress . unpackIP4

fromAddress :: Address -> IO (IP4, Word16)
fromAddress (Address bytes) = case B.unpack (B.take 8 bytes) of
  [2, 0, high, low, a, b, c, d] ->
    pure (packIP4 a b c d, fromIntegral high `shiftL` 8 .|. fromIntegral low)
  _ -> failing "address" eAFNOSUPPORT
