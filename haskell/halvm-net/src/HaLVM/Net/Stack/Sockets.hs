-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Stack.Sockets
--
-- The calls of a user. Each is answered at once; what would wait fails with
-- 'Again', and a 'Woken' action says when to try anew.
module HaLVM.Net.Stack.Sockets
  ( Call (..), Answer (..), How (..), Option (..), userCall, mapped, unmapped
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.Bits
import qualified Data.IntMap.Strict as I
import qualified Data.IntSet as IS
import qualified Data.Map.Strict as M
import Data.Foldable (toList)
import Data.Maybe (isJust)
import Data.Sequence (ViewL (..), viewl)
import qualified Data.Sequence as S

import HaLVM.Net.Stack.Addresses (dnsServers)
import HaLVM.Net.Stack.Connections
import HaLVM.Net.Stack.Link
import HaLVM.Net.Stack.State
import HaLVM.Net.Tcp
import HaLVM.Net.Types
import HaLVM.Net.Udp

data How = HowReceive | HowSend | HowBoth deriving (Eq, Show)

data Option
  = NoDelay Bool
  | KeepAlive Bool Int Int Int -- ^ idle and interval in seconds, probes
  | OnlyV6 Bool
  | ReceiveBuffer Int
  | SendBuffer Int
  | Broadcast Bool
  deriving (Eq, Show)

data Call
  = Open Proto Bool              -- ^ for IPv6 or not
  | Bind SockId Endpoint
  | Listen SockId Int
  | Accept SockId
  | Connect SockId Endpoint
  | Send SockId ByteString
  | SendTo SockId (Maybe Endpoint) ByteString
  | Receive SockId Int           -- ^ at most so many bytes
  | ReceiveFrom SockId
  | Shutdown SockId How
  | Close SockId
  | Abort SockId                 -- ^ close with a reset
  | LocalName SockId
  | PeerName SockId
  | SetOption SockId Option
  | TakeError SockId             -- ^ as SO_ERROR: told once
  | Poll SockId
  | NameServers
  deriving (Eq, Show)

data Answer
  = Done
  | Opened SockId
  | Accepted SockId Endpoint Endpoint -- ^ ours, the peer's
  | Sent Int
  | Received [ByteString]        -- ^ nothing: the end
  | ReceivedFrom Endpoint Endpoint Way ByteString -- ^ from, to
  | Name Endpoint
  | State Ready
  | Servers [Addr]
  | Failed Error
  deriving (Eq, Show)

-- | An IPv4 address as an IPv6 socket sees it, and back.
mapped, unmapped :: Addr -> Addr
mapped (V4 a) = V6 0 (0x0000ffff00000000 .|. fromIntegral a)
mapped a = a
unmapped (V6 0 b) | b `shiftR` 32 == 0xffff = V4 (fromIntegral b)
unmapped a = a

userCall :: Time -> Call -> Stack -> (Answer, Stack)
userCall now c s = case c of
  Open proto v6 -> openSocket proto v6 s
  Bind i e -> with i (bindSocket now i (plain e))
  Listen i n -> with i (listenSocket now i n)
  Accept i -> with i (acceptSocket i)
  Connect i e -> with i (connectSocket now i (plain e))
  Send i b -> with i (sendSocket now i Nothing b)
  SendTo i e b -> with i (sendSocket now i (fmap plain e) b)
  Receive i n -> with i (receiveSocket now i n)
  ReceiveFrom i -> with i (receiveFrom i)
  Shutdown i how -> with i (shutdownSocket now i how)
  Close i -> with i (closeSocket now i)
  Abort i -> with i (abortSocket now i)
  LocalName i -> with i $ \sk _ -> (Name (localOf sk), s)
  PeerName i -> with i $ \sk _ -> case skBody sk of
    Stream t | tState t /= Closed -> (Name (tRemote t), s)
    Datagram d | Just r <- dgRemote d -> (Name r, s)
    _ -> (Failed NotConnected, s)
  SetOption i o -> with i (setOption now i o)
  TakeError i -> with i $ \sk _ -> case skBody sk of
    Stream t | Just e <- tError t ->
      (Failed e, refresh i sk { skBody = Stream t { tError = Nothing } } s)
    Datagram d | Just e <- dgError d ->
      (Failed e, refresh i sk { skBody = Datagram d { dgError = Nothing } } s)
    _ -> (Done, s)
  Poll i -> with i $ \sk _ -> (State (readiness sk), s)
  NameServers -> (Servers (dnsServers now s), s)
  where
    plain (Endpoint a p) = Endpoint (unmapped a) p
    with i f = case I.lookup i (sSockets s) of
      Just sk | skUser sk -> f sk s
      _ -> (Failed BadSocket, s)

localOf :: Socket -> Endpoint
localOf sk = case skBody sk of
  Stream t -> tLocal t
  _ -> skLocal sk

openSocket :: Proto -> Bool -> Stack -> (Answer, Stack)
openSocket proto v6 s
  | I.size (sSockets s) >= cfgSocketsMax (sConfig s) = (Failed NoBuffers, s)
  | otherwise = let (i, s') = newSocket sk s in (Opened i, s')
  where
    sk = Socket
      { skProto = proto, skIpv6 = v6, skOnlyV6 = False
      , skLocal = Endpoint (if v6 then anyV6 else anyV4) 0
      , skBody = case proto of
          Tcp -> Fresh
          Udp -> Datagram (Datagrams Nothing S.empty 0 (256 * 1024) Nothing False 0)
      , skReady = Ready False False False, skUser = True
      , skKeepAlive = Nothing, skNoDelay = False }

bindSocket :: Time -> SockId -> Endpoint -> Socket -> Stack -> (Answer, Stack)
bindSocket _ i e@(Endpoint a p) sk s
  | endPort (skLocal sk) /= 0 = (Failed Invalid, s)
  | isV4 a && skIpv6 sk && skOnlyV6 sk = (Failed Invalid, s)
  | not (isV4 a) && not (skIpv6 sk) = (Failed Invalid, s)
  | not mayHave = (Failed AddrNotAvail, s)
  | p == 0 = case choosePort (skProto sk) a Nothing s of
      Just (q, s') -> taken q s'
      Nothing -> (Failed AddrInUse, s)
  | inUse e sk s = (Failed AddrInUse, s)
  | otherwise = taken p s
  where
    mayHave = isAny a || M.member a (sLocal s) || isLoopback a
      || (skProto sk == Udp && (isMulticast a || isBroadcastV4 a))
    taken q x = (Done, addBound i (skProto sk) q x
      { sSockets = I.insert i sk { skLocal = Endpoint a q } (sSockets x) })

-- Whether another socket has the port at this address.
inUse :: Endpoint -> Socket -> Stack -> Bool
inUse (Endpoint a p) sk s = any clashes (M.findWithDefault [] (skProto sk, p) (sBound s))
  where
    clashes o = case I.lookup o (sSockets s) of
      Nothing -> False
      Just other ->
        let b = endAddr (skLocal other)
            sameFamily = isV4 a == isV4 b
            wide x k = isAny x && (not (isV4 x) && not (skOnlyV6 k))
        in (sameFamily && (a == b || isAny a || isAny b))
           || (not sameFamily && (wide a sk || wide b other))

listenSocket :: Time -> SockId -> Int -> Socket -> Stack -> (Answer, Stack)
listenSocket now i n sk s = case skBody sk of
  Fresh
    | endPort (skLocal sk) == 0 -> case bindSocket now i (skLocal sk) sk s of
        (Done, s') | Just sk' <- I.lookup i (sSockets s') -> begin sk' s'
        other -> other
    | otherwise -> begin sk s
  Listening ls -> (Done, s { sSockets = I.insert i
    sk { skBody = Listening ls { lsBacklog = backlog } } (sSockets s) })
  _ -> (Failed Invalid, s)
  where
    backlog = max 1 (min 4096 n)
    begin k x = (Done, x { sSockets = I.insert i
      k { skBody = Listening (Listener backlog IS.empty S.empty) } (sSockets x) })

acceptSocket :: SockId -> Socket -> Stack -> (Answer, Stack)
acceptSocket i sk s = case skBody sk of
  Listening ls -> case viewl (lsQueue ls) of
    EmptyL -> (Failed Again, s)
    c :< rest ->
      let s1 = refresh i sk { skBody = Listening ls { lsQueue = rest } } s
      in case I.lookup c (sSockets s1) of
           Just ck | Stream t <- skBody ck ->
             ( Accepted c (tLocal t) (tRemote t)
             , s1 { sSockets = I.insert c ck { skUser = True } (sSockets s1) } )
           _ -> (Failed Again, s1)
  _ -> (Failed Invalid, s)

connectSocket :: Time -> SockId -> Endpoint -> Socket -> Stack -> (Answer, Stack)
connectSocket now i wanted sk s = case skBody sk of
  Datagram d -> case prepare of
    Left e -> (Failed e, s)
    Right (local, s1) ->
      let k = sk { skLocal = local, skBody = Datagram d { dgRemote = Just to } }
      in (Done, refresh i k s1)
  Stream t | tState t `elem` [SynSent, SynReceived] -> (Failed Already, s)
           | tState t == Closed, Just e <- tError t ->
               (Failed e, refresh i sk { skBody = Stream t { tError = Nothing } } s)
           | otherwise -> (Failed IsConnected, s)
  Listening _ -> (Failed Invalid, s)
  Fresh
    | isMulticast target || isBroadcastV4 target -> (Failed NetUnreachable, s)
    | otherwise -> case prepare of
        Left e -> (Failed e, s)
        Right (local, s1)
          | M.member (connKey local to) (sConns s1) -> (Failed AddrInUse, s)
          | otherwise ->
              let (t, s2) = newTcb now local to Nothing s1
                  k = sk { skLocal = local, skBody = Stream t }
                  s3 = s2 { sConns = M.insert (connKey local to) i (sConns s2) }
              in (Failed InProgress, storeBlock now i k (openActive now (wishes now sk t)) s3)
  where
    to = orLoopback wanted
    target = endAddr to
    prepare
      | endPort to == 0 = Left AddrNotAvail
      | not (isV4 target) && not (skIpv6 sk) = Left Invalid
      | isV4 target && skIpv6 sk && skOnlyV6 sk = Left NetUnreachable
      | otherwise = do
          let bound = endAddr (skLocal sk)
          source <- if isAny bound
            then maybe (Left NetUnreachable) Right (sourceFor now target s)
            else Right bound
          if isV4 source /= isV4 target then Left Invalid else Right ()
          case endPort (skLocal sk) of
            0 -> case choosePort (skProto sk) source (Just to) s of
              Nothing -> Left AddrNotAvail
              Just (p, s') -> Right (Endpoint source p, addBound i (skProto sk) p s')
            p -> Right (Endpoint source p, s)

-- No address is ourselves, as everybody has it.
orLoopback :: Endpoint -> Endpoint
orLoopback e@(Endpoint a p)
  | isAny a = Endpoint (if isV4 a then V4 0x7f000001 else V6 0 1) p
  | otherwise = e

sendSocket :: Time -> SockId -> Maybe Endpoint -> ByteString -> Socket -> Stack
           -> (Answer, Stack)
sendSocket now i to bytes sk s = case skBody sk of
  Datagram d -> sendDatagram now i to bytes sk d s
  Stream t
    | tState t == Closed -> case tError t of
        Just e -> (Failed e, refresh i sk
          { skBody = Stream t { tError = Nothing } } s)
        Nothing -> (Failed BrokenPipe, s)
    | tFin t /= FinNone -> (Failed BrokenPipe, s)
    | tState t `elem` [SynSent, SynReceived] -> (Failed Again, s)
    | B.null bytes -> (Sent 0, s)
    | otherwise -> case sendBytes now bytes t of
        (0, _) -> (Failed Again, s)
        (n, t') -> (Sent n, storeBlock now i sk t' s)
  _ -> (Failed NotConnected, s)

sendDatagram :: Time -> SockId -> Maybe Endpoint -> ByteString -> Socket
             -> Datagrams -> Stack -> (Answer, Stack)
sendDatagram now i to bytes sk d s
  | Just e <- dgError d =
      (Failed e, refresh i sk { skBody = Datagram d { dgError = Nothing } } s)
  | B.length bytes > 65507 = (Failed MessageSize, s)
  | otherwise = case maybe (dgRemote d) (Just . orLoopback) to of
      Nothing -> (Failed DestinationRequired, s)
      Just (Endpoint a p)
        | p == 0 -> (Failed Invalid, s)
        | not (isV4 a) && not (skIpv6 sk) -> (Failed Invalid, s)
        | wide a && not (dgBroadcast d) -> (Failed Invalid, s)
        | otherwise -> case source a of
            Nothing -> (Failed NetUnreachable, s)
            Just from -> case port from a p of
              Nothing -> (Failed Again, s)
              Just (q, s') -> (Sent (B.length bytes), sendPacket now Packet
                { pkSource = from, pkTarget = a, pkProto = 17, pkWhole = False
                , pkHops = if isMulticast a then 1 else 0, pkLeft = Nothing
                , pkBody = putUdp from a q p bytes } s')
  where
    wide a = isBroadcastV4 a || any (\x -> directedBroadcast
      (Prefix (iaAddr x) (iaPrefix x)) == Just a) (M.elems (sLocal s))
    bound = endAddr (skLocal sk)
    source a | isAny bound || isMulticast bound || isBroadcastV4 bound =
                 sourceFor now a s
             | isV4 bound == isV4 a = Just bound
             | otherwise = Nothing
    port from a p = case endPort (skLocal sk) of
      0 -> do
        (q, s1) <- choosePort Udp from (Just (Endpoint a p)) s
        Just (q, addBound i Udp q s1 { sSockets = I.insert i
          sk { skLocal = (skLocal sk) { endPort = q } } (sSockets s1) })
      q -> Just (q, s)

receiveSocket :: Time -> SockId -> Int -> Socket -> Stack -> (Answer, Stack)
receiveSocket now i n sk s = case skBody sk of
  Stream t
    | tRcvBytes t > 0 ->
        let (got, t') = receiveBytes now n t
        in (Received got, storeBlock now i sk t' s)
    | tRcvFin t -> (Received [], s)
    | tState t == Closed -> case tError t of
        Just e -> (Failed e, refresh i sk
          { skBody = Stream t { tError = Nothing } } s)
        Nothing -> (Received [], s)
    | otherwise -> (Failed Again, s)
  Datagram _ -> case receiveFrom i sk s of
    (ReceivedFrom _ _ _ b, s') -> (Received [B.take n b], s')
    other -> other
  _ -> (Failed NotConnected, s)

receiveFrom :: SockId -> Socket -> Stack -> (Answer, Stack)
receiveFrom i sk s = case skBody sk of
  Datagram d
    | Just e <- dgError d ->
        (Failed e, refresh i sk { skBody = Datagram d { dgError = Nothing } } s)
    | otherwise -> case viewl (dgQueue d) of
        EmptyL -> (Failed Again, s)
        (from, to, way, b) :< rest ->
          ( ReceivedFrom from to way b
          , refresh i sk { skBody = Datagram d
              { dgQueue = rest, dgBytes = dgBytes d - B.length b - 256 } } s )
  _ -> (Failed NotSupported, s)

shutdownSocket :: Time -> SockId -> How -> Socket -> Stack -> (Answer, Stack)
shutdownSocket now i how sk s = case skBody sk of
  Stream t
    | tState t == Closed -> (Failed NotConnected, s)
    | how == HowReceive -> (Done, s)
    | otherwise -> (Done, storeBlock now i sk (shutdownSend now t) s)
  Datagram d | isJust (dgRemote d) -> (Done, s)
  _ -> (Failed NotConnected, s)

closeSocket :: Time -> SockId -> Socket -> Stack -> (Answer, Stack)
closeSocket now i sk s = (Done, done)
  where
    done = case skBody sk of
      Stream t -> storeBlock now i sk { skUser = False } (closeBlock now t) s
      Listening ls -> removeSocket i (foldl drop' s
        (IS.toList (lsHalf ls) ++ toList (lsQueue ls)))
      _ -> removeSocket i s
    drop' x c = case I.lookup c (sSockets x) of
      Just ck | Stream t <- skBody ck -> storeBlock now c ck (abortBlock t) x
      _ -> x

abortSocket :: Time -> SockId -> Socket -> Stack -> (Answer, Stack)
abortSocket now i sk s = case skBody sk of
  Stream t -> (Done, storeBlock now i sk { skUser = False } (abortBlock t) s)
  _ -> closeSocket now i sk s

setOption :: Time -> SockId -> Option -> Socket -> Stack -> (Answer, Stack)
setOption now i o sk s = case (o, skBody sk) of
  (NoDelay on, Stream t) -> stream (setNoDelay now on t)
  (KeepAlive on idle interval n, Stream t) ->
    stream (setKeepAlive now on idle interval n t)
  (ReceiveBuffer n, Stream t) -> stream (setReceiveBuffer n t)
  (SendBuffer n, Stream t) -> stream t { tSendBuffer = max 2048 (min 4194304 n) }
  (ReceiveBuffer n, Datagram d) ->
    keep sk { skBody = Datagram d { dgLimit = max 2048 (min 4194304 n) } }
  (Broadcast on, Datagram d) -> keep sk { skBody = Datagram d { dgBroadcast = on } }
  (OnlyV6 on, _) | skIpv6 sk, endPort (skLocal sk) == 0 -> keep sk { skOnlyV6 = on }
                 | otherwise -> (Failed Invalid, s)
  -- What a connection is to have once it is there.
  (NoDelay on, _) -> keep sk { skNoDelay = on }
  (KeepAlive on idle interval n, _) ->
    keep sk { skKeepAlive = if on then Just (idle, interval, n) else Nothing }
  _ -> (Done, s)
  where
    stream t = (Done, storeBlock now i sk t s)
    keep k = (Done, refresh i k s)
