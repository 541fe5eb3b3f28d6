-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Socket
--
-- Sockets for Haskell programs that use the stack directly. They wait as a
-- thread waits, and end with exceptions of type 'NetError'. Programs that use
-- the package network need nothing of this.
--
-- > l <- listenOn net (Endpoint anyV4 80) 128
-- > (c, peer) <- accept l
-- > request <- recv c 4096
-- > sendAll c (pack "HTTP/1.0 200 OK\r\n\r\n")
-- > close c
module HaLVM.Net.Socket
  ( Socket, NetError (..), socketNumber
    -- * Streams
  , listenOn, accept, connectTo, recv, sendAll, shutdown, close, abort
    -- * Datagrams
  , datagramOn, sendTo, recvFrom
    -- * Both
  , setOption, localName, peerName
    -- * Names
  , resolve
  ) where

import Control.Concurrent (threadDelay)
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.Word
import System.Timeout (timeout)

import HaLVM.Net.Dns
import HaLVM.Net.Run
import HaLVM.Net.Stack

data Socket = Socket Net SockId

-- | Why a call failed, and which one.
data NetError = NetError String Error deriving (Eq, Show)

instance Exception NetError

socketNumber :: Socket -> SockId
socketNumber (Socket _ i) = i

failed :: String -> Answer -> IO a
failed what answer = case answer of
  Failed e -> throwIO (NetError what e)
  other -> throwIO (NetError (what ++ ": " ++ takeWhile (/= ' ') (show other)) Invalid)

open :: Net -> Proto -> Addr -> IO Socket
open net proto a = request net (Open proto (not (isV4 a))) >>= \answer ->
  case answer of
    Opened i -> pure (Socket net i)
    other -> failed "open" other

-- | A listener; port 0 takes any. The last number is of connections that may
-- wait to be accepted.
listenOn :: Net -> Endpoint -> Int -> IO Socket
listenOn net at backlog = do
  s@(Socket _ i) <- open net Tcp (endAddr at)
  flip onException (close s) $ do
    done "bind" =<< request net (Bind i at)
    done "listen" =<< request net (Listen i backlog)
  pure s

done :: String -> Answer -> IO ()
done _ Done = pure ()
done what answer = failed what answer

-- | The next connection, and who it is from.
accept :: Socket -> IO (Socket, Endpoint)
accept (Socket net i) = waiting net i (Accept i) >>= \answer -> case answer of
  Accepted c _ peer -> pure (Socket net c, peer)
  other -> failed "accept" other

-- | A connection.
connectTo :: Net -> Endpoint -> IO Socket
connectTo net to = do
  s@(Socket _ i) <- open net Tcp (endAddr to)
  flip onException (close s) $ do
    request net (Connect i to) >>= \answer -> case answer of
      Failed InProgress -> pure ()
      other -> done "connect" other
    -- Sending nothing waits until the connection is there.
    waiting net i (Send i B.empty) >>= \answer -> case answer of
      Sent _ -> pure ()
      other -> failed "connect" other
  pure s

-- | At most so many bytes, at least one; none at the end.
recv :: Socket -> Int -> IO ByteString
recv (Socket net i) n = waiting net i (Receive i n) >>= \answer -> case answer of
  Received bs -> pure (B.concat bs)
  other -> failed "recv" other

sendAll :: Socket -> ByteString -> IO ()
sendAll s@(Socket net i) bytes = unless (B.null bytes) $
  waiting net i (Send i bytes) >>= \answer -> case answer of
    Sent n -> sendAll s (B.drop n bytes)
    other -> failed "send" other

shutdown :: Socket -> How -> IO ()
shutdown (Socket net i) how = done "shutdown" =<< request net (Shutdown i how)

-- | What was sent still goes its way.
close :: Socket -> IO ()
close (Socket net i) = void (request net (Close i))

-- | Close with a reset.
abort :: Socket -> IO ()
abort (Socket net i) = void (request net (Abort i))

datagramOn :: Net -> Endpoint -> IO Socket
datagramOn net at = do
  s@(Socket _ i) <- open net Udp (endAddr at)
  flip onException (close s) (done "bind" =<< request net (Bind i at))
  pure s

sendTo :: Socket -> Endpoint -> ByteString -> IO ()
sendTo (Socket net i) to bytes =
  waiting net i (SendTo i (Just to) bytes) >>= \answer -> case answer of
    Sent _ -> pure ()
    other -> failed "sendTo" other

-- | A datagram: who sent it, where it came to, what it says.
recvFrom :: Socket -> IO (Endpoint, Endpoint, ByteString)
recvFrom (Socket net i) = waiting net i (ReceiveFrom i) >>= \answer ->
  case answer of
    ReceivedFrom from to _ b -> pure (from, to, b)
    other -> failed "recvFrom" other

setOption :: Socket -> Option -> IO ()
setOption (Socket net i) o = done "setOption" =<< request net (SetOption i o)

localName, peerName :: Socket -> IO Endpoint
localName (Socket net i) = name "localName" =<< request net (LocalName i)
peerName (Socket net i) = name "peerName" =<< request net (PeerName i)

name :: String -> Answer -> IO Endpoint
name _ (Name e) = pure e
name what answer = failed what answer

-- | The addresses of a name, by DNS: an address stands for itself, each server
-- is asked twice, an alias is followed at most eight times.
resolve :: Net -> String -> IO [Addr]
resolve net host
  | Just a <- parseAddr host = pure [a]
  | otherwise = do
      answer <- request net NameServers
      case answer of
        Servers servers@(_ : _) -> go (servers ++ servers)
        _ -> throwIO (NetError "resolve: no name servers" NetUnreachable)
  where
    go [] = throwIO (NetError ("resolve " ++ host) TimedOut)
    go (server : rest) = do
      found <- try (ask server)
      case found of
        Right (Just as) -> pure as
        Right Nothing -> go rest
        Left (NetError _ _) -> threadDelay 10000 >> go rest
    ask server = bracket (datagramOn net (anyOf server)) close $ \s -> do
      seed <- randomNumber net
      let queries = [(fromIntegral seed, TypeA), (fromIntegral seed + 1, TypeAaaa)]
      forM_ queries $ \(ident, kind) ->
        sendTo s (Endpoint server 53) (encodeQuery ident host kind)
      answers <- timeout 3000000 (collect s server queries [])
      pure $ case answers of
        Just as -> Just (concat as)
        Nothing -> Nothing
    collect _ _ [] got = pure (reverse got)
    collect s server open' got = do
      (from, _, bytes) <- recvFrom s
      case decodeResponse bytes of
        Just r | from == Endpoint server 53
               , (ident, kind) : _ <- [q | q <- open', fst q == dnsId r]
               , matchesQuery host kind r ->
          collect s server (filter (/= (ident, kind)) open')
            (addressesOf host r : got)
        _ -> collect s server open' got
    anyOf a = Endpoint (if isV4 a then anyV4 else anyV6) (0 :: Word16)
