-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns, StrictData #-}
-- |
-- Module: HaLVM.Net.Stack.Connections
--
-- Between sockets and TCP's blocks: tables, readiness, what happens to a
-- listener, TIME-WAIT, initial sequence numbers, ports, SYN cookies.
module HaLVM.Net.Stack.Connections
  ( -- * Blocks
    storeBlock, storeQuiet, flushDirty, connKey, socketTimer
    -- * Sockets
  , newSocket, removeSocket, refresh, readiness, findListener, addBound
  , dropBound
    -- * Choices
  , initialSequence, choosePort, newTcb, mssFor, wishes, narrow
    -- * Segments
  , sendSegment, acceptSyn, acceptCookie
  ) where

import qualified Data.ByteString as B
import Data.Bits
import qualified Data.IntMap.Strict as I
import qualified Data.IntSet as IS
import Data.List (find)
import qualified Data.Map.Strict as M
import Data.Maybe (isJust)
import Data.Sequence ((|>), ViewL (..), viewl)
import qualified Data.Sequence as S
import Data.Word

import HaLVM.Net.Bytes
import HaLVM.Net.Persona
import HaLVM.Net.SipHash
import HaLVM.Net.Stack.Link
import HaLVM.Net.Stack.State
import HaLVM.Net.Tcp
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Tcp.Output (setMss)
import HaLVM.Net.Tcp.Segment
import HaLVM.Net.Types

connKey :: Endpoint -> Endpoint -> ConnKey
connKey (Endpoint la lp) (Endpoint ra rp) = ConnKey rp lp ra la
{-# INLINE connKey #-}

-- | A socket's new number. The caller has checked that there is room.
newSocket :: Socket -> Stack -> (SockId, Stack)
newSocket sk s = (i, s { sSockets = I.insert i sk (sSockets s)
                       , sNextSock = i + 1 })
  where i = sNextSock s

-- | Takes a socket out of every table.
removeSocket :: SockId -> Stack -> Stack
removeSocket i s = case I.lookup i (sSockets s) of
  Nothing -> s
  Just sk -> tables sk (dropTimer i s { sSockets = I.delete i (sSockets s)
                                      , sDirty = IS.delete i (sDirty s) })
  where
    tables sk x = case skBody sk of
      Stream t -> dropBound i sk x { sConns = dropKey (connKey (tLocal t) (tRemote t))
                                       (sConns x) }
      _ -> dropBound i sk x
    -- Another connection may have the same ends by now.
    dropKey k m = if M.lookup k m == Just i then M.delete k m else m

addBound :: SockId -> Proto -> Word16 -> Stack -> Stack
addBound i proto port s = s
  { sBound = M.insertWith (++) (proto, port) [i] (sBound s) }

dropBound :: SockId -> Socket -> Stack -> Stack
dropBound i sk s
  | port == 0 = s
  | otherwise = s { sBound = M.update gone (skProto sk, port) (sBound s) }
  where
    port = endPort (skLocal sk)
    gone ids = case filter (/= i) ids of { [] -> Nothing; rest -> Just rest }

-- | Sends what the block has to send, and stores it with all that follows:
-- timers, readiness, a listener's queues, the end. What a connection does not
-- have any more is taken from the tables.
storeBlock :: Time -> SockId -> Socket -> Tcb -> Stack -> Stack
storeBlock now i sk t0 s0
  | tState t == Closed && not (skUser sk) = removeSocket i (orphaned s1)
  | otherwise = entered (refresh i sk { skBody = Stream t } (parent s1))
  where
    (segments, t) = takeOut t0
    s1 = foldl (\x g -> sendSegment now t g x) s0 segments
    old = case skBody sk of { Stream o -> tState o; _ -> Closed }
    -- A half-open connection belongs to its listener; once it is open, it
    -- waits in the listener's queue.
    parent x
      | old == SynReceived, tPassive t, tState t /= SynReceived
      , tState t /= Closed = queued x
      | otherwise = x
    queued x = case findHalf i x of
      Just (l, lsk, ls) -> refresh l lsk
        { skBody = Listening ls { lsHalf = IS.delete i (lsHalf ls)
                                , lsQueue = lsQueue ls |> i } } x
      Nothing -> x
    orphaned x = case findHalf i x of
      Just (l, lsk, ls) -> refresh l lsk
        { skBody = Listening ls { lsHalf = IS.delete i (lsHalf ls)
                                , lsQueue = S.filter (/= i) (lsQueue ls) } } x
      Nothing -> x
    entered x
      | tState t == TimeWait && old /= TimeWait =
          boundTimeWaits (socketTimer i t x { sTimeWaits = sTimeWaits x |> i })
      | tState t == Closed && old /= Closed = x { sConns = M.update
          (\o -> if o == i then Nothing else Just o)
          (connKey (tLocal t) (tRemote t)) (sConns x) }
      | otherwise = socketTimer i t x
    findHalf c x
      | not (tPassive t) = Nothing
      | otherwise = do
          l <- findListenerOf (tLocal t) c x
          lsk <- I.lookup l (sSockets x)
          case skBody lsk of
            Listening ls -> Just (l, lsk, ls)
            _ -> Nothing

-- | Stores a block whose output comes later, with 'flushDirty'.
storeQuiet :: SockId -> Socket -> Tcb -> Stack -> Stack
storeQuiet i sk t s = s
  { sSockets = I.insert i sk { skBody = Stream t } (sSockets s)
  , sDirty = IS.insert i (sDirty s) }

-- | The output of all connections that got segments in this batch.
flushDirty :: Time -> Stack -> Stack
flushDirty now s
  | IS.null (sDirty s) = s
  | otherwise = IS.foldl' one s { sDirty = IS.empty } (sDirty s)
  where
    one x i = case I.lookup i (sSockets x) of
      Just sk | Stream t <- skBody sk -> storeBlock now i sk (flush now t) x
      _ -> x

socketTimer :: SockId -> Tcb -> Stack -> Stack
socketTimer i t s
  | at == never = s
  | otherwise = setTimer i at s
  where at = deadline t
{-# INLINE socketTimer #-}

-- The oldest leave when there are too many.
boundTimeWaits :: Stack -> Stack
boundTimeWaits s
  | S.length (sTimeWaits s) <= tcpTimeWaits (cfgTcp (sConfig s)) = s
  | otherwise = case viewl (sTimeWaits s) of
      i :< rest ->
        let s' = s { sTimeWaits = rest }
        in boundTimeWaits $ case I.lookup i (sSockets s') of
             Just sk | Stream t <- skBody sk, tState t == TimeWait ->
               if skUser sk
                 then s' { sSockets = I.insert i
                             sk { skBody = Stream (closedWith Nothing t) }
                             (sSockets s')
                         , sConns = M.delete (connKey (tLocal t) (tRemote t))
                             (sConns s') }
                 else removeSocket i s'
             _ -> s'
      EmptyL -> s

-- | Stores a socket, and wakes whoever waits for what it is ready for now.
refresh :: SockId -> Socket -> Stack -> Stack
refresh i sk s
  | new == skReady sk = s { sSockets = I.insert i sk (sSockets s) }
  | skUser sk && rises = act (Woken i new) stored
  | otherwise = stored
  where
    new = readiness sk
    old = skReady sk
    stored = s { sSockets = I.insert i sk { skReady = new } (sSockets s) }
    rises = (readyRead new && not (readyRead old))
      || (readyWrite new && not (readyWrite old))
      || (readyError new && not (readyError old))

readiness :: Socket -> Ready
{-# NOINLINE readiness #-}
readiness sk = case skBody sk of
  Fresh -> Ready False False False
  Listening ls -> Ready (not (S.null (lsQueue ls))) False False
  Stream t -> Ready (isReadable t) (isWritable t) (isJust (tError t))
  Datagram d -> Ready (not (S.null (dgQueue d)) || isJust (dgError d)) True
                      (isJust (dgError d))

-- -- Listeners

-- | Who listens at an address and port: the more exact one first.
findListener :: Endpoint -> Stack -> Maybe (SockId, Socket, Listener)
findListener to s = do
  ids <- M.lookup (Tcp, endPort to) (sBound s)
  let found = [ (i, sk, ls) | i <- ids, Just sk <- [I.lookup i (sSockets s)]
                            , Listening ls <- [skBody sk], takes sk to ]
  case filter (\(_, sk, _) -> not (isAny (endAddr (skLocal sk)))) found ++ found of
    f : _ -> Just f
    [] -> Nothing

takes :: Socket -> Endpoint -> Bool
takes sk to
  | isAny a = isV4 a == isV4 (endAddr to) || (not (isV4 a) && not (skOnlyV6 sk))
  | otherwise = a == endAddr to
  where a = endAddr (skLocal sk)

findListenerOf :: Endpoint -> SockId -> Stack -> Maybe SockId
findListenerOf local c s = do
  ids <- M.lookup (Tcp, endPort local) (sBound s)
  find has ids
  where
    has l = case skBody <$> I.lookup l (sSockets s) of
      Just (Listening ls) -> IS.member c (lsHalf ls) || c `elem` lsQueue ls
      _ -> False

-- -- Choices

-- | A new connection's block, closed still.
newTcb :: Time -> Endpoint -> Endpoint -> Maybe Word32 -> Stack -> (Tcb, Stack)
newTcb now local remote iss s0 =
  ( newBlock (cfgTcp (sConfig s0)) persona local remote sq offset
      (mssFor now (endAddr local) (endAddr remote) s0)
  , s1 )
  where
    persona = indexSource (endAddr local) s0
    (sq, s1) = case iss of
      Just n -> (n, s0)
      Nothing -> initialSequence now persona local remote s0
    offset = fromIntegral (sipHash (sKey s0) (5 : addrWords (endAddr local)
                                                ++ addrWords (endAddr remote)))

-- | What the user wanted of a socket before it was a connection.
wishes :: Time -> Socket -> Tcb -> Tcb
wishes now sk t = keep t { tNoDelay = skNoDelay sk }
  where
    keep x = case skKeepAlive sk of
      Just (idle, interval, n) -> setKeepAlive now True idle interval n x
      Nothing -> x

-- | The segment size that the path allows.
mssFor :: Time -> Addr -> Addr -> Stack -> Int
mssFor now local remote s
  | M.member remote (sLocal s) = 16384
  | otherwise = pathMtu now remote s - if isV4 local then 40 else 60

-- | A path or a link takes less than before: so do connections to these
-- addresses.
narrow :: Time -> (Addr -> Bool) -> Stack -> Stack
narrow now concerns s = I.foldlWithKey' one s (sSockets s)
  where
    one x i sk = case skBody sk of
      Stream t
        | tState t `notElem` [Closed, TimeWait], concerns (remote t)
        , mss t < tMss t -> storeQuiet i sk (setMss (mss t) t) x
      _ -> x
    mss t = mssFor now (endAddr (tLocal t)) (remote t) s
    remote = endAddr . tRemote

addrWords :: Addr -> [Word64]
addrWords (V4 a) = [fromIntegral a]
addrWords (V6 a b) = [a, b]

-- | RFC 6528, or what the persona does instead.
initialSequence :: Time -> Persona -> Endpoint -> Endpoint -> Stack
                -> (Word32, Stack)
initialSequence now persona local remote s = case personaIsn persona of
  IsnHashed -> (fromIntegral (now `quot` 4) + fromIntegral hashed, s)
  IsnRandom -> random32 s
  IsnConstant n -> (n, s)
  IsnStep n -> (sIsnStep s, s { sIsnStep = sIsnStep s + n })
  where
    hashed = sipHash (sKey s) (6 : ports local remote
      : addrWords (endAddr local) ++ addrWords (endAddr remote))

ports :: Endpoint -> Endpoint -> Word64
ports a b = fromIntegral (endPort a) `shiftL` 16 .|. fromIntegral (endPort b)

-- | A port of ours that is free (RFC 6056, algorithm 3: an offset by a keyed
-- hash of the target, and a counter).
choosePort :: Proto -> Addr -> Maybe Endpoint -> Stack -> Maybe (Word16, Stack)
choosePort proto local remote s = go (0 :: Int)
  where
    persona = indexSource local s
    (low, count) = case personaPorts persona of
      PortHashed -> (32768, 28232)
      PortCount -> (49152, 16384)
    offset = case personaPorts persona of
      PortCount -> 0
      PortHashed -> fromIntegral (sipHash (sKey s) (7 : addrWords local
        ++ maybe [] (\r -> fromIntegral (endPort r) : addrWords (endAddr r)) remote))
    go n
      | n >= count = Nothing
      | free port = Just (port, s { sPortStep = sPortStep s + fromIntegral n + 1 })
      | otherwise = go (n + 1)
      where
        step = fromIntegral (sPortStep s) + n
        port = fromIntegral (low + (fromIntegral (offset `shiftR` 1 :: Word64) + step)
                                     `mod` count)
    free p = M.notMember (proto, p) (sBound s) && case remote of
      Just r | proto == Tcp -> M.notMember (connKey (Endpoint local p) r) (sConns s)
      _ -> True

-- -- Segments

-- | Sends a segment of a connection, in pieces if it is larger than the peer
-- takes.
sendSegment :: Time -> Tcb -> Segment -> Stack -> Stack
sendSegment now t g = sendPacket now Packet
    { pkSource = local
    , pkTarget = remote
    , pkProto = 6
    , pkWhole = personaDf persona
    , pkHops = 0
    , pkBody = putSegment order local remote g
    , pkLeft = Just Leaving
        { lvBody = body
        , lvCut = if size > most then most else 0
        , lvHeader = putSize body - size
        , lvPieces = map (putSegment order local remote) (cutSegment most g) }
    }
  where
    body = putUnsummed order local remote g
    size = B.length (segPayload g)
    most = segmentSize t
    order = personaOptions persona
    persona = tPersona t
    local = endAddr (tLocal t)
    remote = endAddr (tRemote t)

-- | A SYN for a listener: half-open, or, if there are too many of those, a
-- cookie and nothing kept.
acceptSyn :: Time -> Endpoint -> Endpoint -> Segment
          -> (SockId, Socket, Listener) -> Stack -> Stack
acceptSyn now local remote g (l, lsk, ls) s
  | S.length (lsQueue ls) >= lsBacklog ls = s -- it will come again
  | IS.size (lsHalf ls) >= max 16 (lsBacklog ls)
    || I.size (sSockets s) >= cfgSocketsMax (sConfig s) = sendCookie now local remote g s
  | otherwise =
      let (t, s1) = newTcb now local remote Nothing s
          t' = flush now (openPassive now g (wishes now lsk t))
          sk = Socket { skProto = Tcp, skIpv6 = skIpv6 lsk, skOnlyV6 = False
                      , skLocal = local { endPort = 0 }
                      , skBody = Stream t', skReady = Ready False False False
                      , skUser = False, skKeepAlive = skKeepAlive lsk
                      , skNoDelay = skNoDelay lsk }
          (i, s2) = newSocket sk s1
          s3 = s2 { sConns = M.insert (connKey local remote) i (sConns s2)
                  , sSockets = I.insert l lsk { skBody = Listening ls
                      { lsHalf = IS.insert i (lsHalf ls) } } (sSockets s2) }
      in storeBlock now i sk t' s3

-- Segment sizes that a cookie can say.
cookieSizes :: [Int]
cookieSizes = [64, 256, 536, 1000, 1220, 1360, 1440, 1460]

-- Eight bits of clock (64 seconds each) and size, 24 of hash.
cookie :: Key -> Endpoint -> Endpoint -> Word32 -> Word32 -> Int -> Word32
cookie key local remote irs clock size =
  (hash .&. 0xffffff) `shiftL` 8 .|. (clock .&. 31) `shiftL` 3
    .|. fromIntegral size
  where
    hash = fromIntegral (sipHash key (8 : ports local remote
      : (fromIntegral irs `shiftL` 32 .|. fromIntegral clock)
      : fromIntegral size
      : addrWords (endAddr local) ++ addrWords (endAddr remote)))

cookieClock :: Time -> Word32
cookieClock now = fromIntegral (now `quot` seconds 64)

sendCookie :: Time -> Endpoint -> Endpoint -> Segment -> Stack -> Stack
sendCookie now local remote g s = sendPacket now Packet
    { pkSource = endAddr local, pkTarget = endAddr remote, pkProto = 6
    , pkWhole = personaDf persona, pkHops = 0, pkLeft = Nothing
    , pkBody = putSegment (personaOptions persona) (endAddr local)
        (endAddr remote) answer } s
  where
    persona = indexSource (endAddr local) s
    offered = let m = optMss (segOptions g) in if m == 0 then 536 else m
    size = max 0 (length (takeWhile (<= offered) cookieSizes) - 1)
    answer = Segment
      { segSource = endPort local, segTarget = endPort remote
      , segSeq = cookie (sKey s) local remote (segSeq g) (cookieClock now) size
      , segAck = segSeq g + 1
      , segFlags = flagSyn .|. flagAck
      , segWindow = fromIntegral (min (tcpReceiveBuffer (cfgTcp (sConfig s)))
          (personaWindow persona))
      , segOptions = noOptions
          { optMss = mssFor now (endAddr local) (endAddr remote) s }
      , segPayload = B.empty }

-- | An acknowledgement for a listener: of a cookie, it opens a connection.
acceptCookie :: Time -> Endpoint -> Endpoint -> Segment
             -> (SockId, Socket, Listener) -> Stack -> Maybe Stack
acceptCookie now local remote g (l, lsk, ls) s
  | hasSyn g || hasRst g || not (hasAck g) = Nothing
  | S.length (lsQueue ls) >= lsBacklog ls
    || I.size (sSockets s) >= cfgSocketsMax (sConfig s) = Nothing
  | otherwise = do
      clock <- find valid [cookieClock now, cookieClock now - 1]
      let size = fromIntegral (got .&. 7)
          (t, s1) = newTcb now local remote (Just got) s
          opened = openFromCookie now g (cookieSizes !! size)
            (clock `seq` wishes now lsk t)
          t' = segmentArrives now g opened
          sk = Socket { skProto = Tcp, skIpv6 = skIpv6 lsk, skOnlyV6 = False
                      , skLocal = local { endPort = 0 }
                      , skBody = Stream t', skReady = Ready False False False
                      , skUser = False, skKeepAlive = skKeepAlive lsk
                      , skNoDelay = skNoDelay lsk }
          (i, s2) = newSocket sk s1
          s3 = s2 { sConns = M.insert (connKey local remote) i (sConns s2) }
          s4 = refresh l lsk { skBody = Listening ls { lsQueue = lsQueue ls |> i } } s3
      Just (storeBlock now i sk t' s4)
  where
    got = segAck g - 1
    valid clock = got == cookie (sKey s) local remote (segSeq g - 1) clock
                           (fromIntegral (got .&. 7))
