-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE TypeFamilies #-}
{-# LANGUAGE ScopedTypeVariables #-}
-- |
-- Sockets served from Haskell: an instance of 'Provider' and 'installProvider',
-- and every @socket@ call of the program, of the @network@ package, warp and C
-- libraries, in the families that it asks for, comes to it.
--
-- > import System.HaLVM.Network
-- >
-- > data Loop = Loop
-- > instance Provider Loop where
-- >   type Socket Loop = ...
-- >   openSocket _ kind = ...
-- >   ...
-- > main = do
-- >   p <- installProvider Loop [inet] [inetAddress (10,0,0,1) 0]
-- >   -- from here on, Network.Socket speaks to Loop
-- >   uninstallProvider p
--
-- The functions may block; each runs in a thread that belongs to one socket (a
-- 'sendStream' at a time, a 'receiveStream' at a time, both at once). What they
-- throw is the socket's error: an 'IOError' with an errno gives that. It is told
-- once, and the socket is of no more use then; but what 'sendDatagram' throws
-- loses a datagram, and what 'setOption', 'closeSocket' and the 'connectSocket'
-- of a datagram socket throw is dropped.
--
-- In either runtime, callers in Haskell wait as for any socket, by the I\/O
-- manager; calls of C libraries may block in C threads and, in the threaded
-- runtime, in @safe@ foreign calls. See @halvm\/net.h@ for what is answered in C
-- at once: names, ports, options.
module System.HaLVM.Network
  ( Provider (..), Kind (..), Family, inet, inet6
  , Address (..), inetAddress, addressPort, Arrival (..)
  , Installed, installProvider, uninstallProvider, setAddresses
  , networkPatience, withoutLwip
  ) where

import Control.Concurrent
  ( ThreadId, forkIOWithUnmask, killThread, myThreadId, threadDelay
  , threadWaitRead, threadWaitWrite, yield )
import Control.Concurrent.MVar
import Control.Exception
  ( SomeAsyncException, SomeException, finally, fromException, mask_, try
  , uninterruptibleMask_ )
import Control.Monad (forM_, forever, unless, void, when)
import Data.Bits (shiftL, shiftR, (.|.))
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Internal as I
import qualified Data.ByteString.Unsafe as U
import qualified Data.Map.Strict as Map
import Data.Maybe (fromMaybe)
import Data.Word (Word16, Word64, Word8)
import Foreign.C.Types (CInt, CLong)
import Foreign.ForeignPtr (withForeignPtr)
import Foreign.Marshal.Alloc (alloca)
import Foreign.Marshal.Array (withArrayLen)
import Foreign.Ptr (Ptr, castPtr)
import Foreign.Storable (peek)
import System.Posix.Types (Fd (..))

import System.HaLVM.Foreign
import System.HaLVM.Service
import System.HaLVM.WithoutLwip (withoutLwip)

-- | As @AF_@ of the C headers.
type Family = Int

inet, inet6 :: Family
inet = 2
inet6 = 10

-- | A socket address, byte for byte: @struct sockaddr_in@ and its like.
newtype Address = Address ByteString
  deriving (Eq, Ord)

instance Show Address where
  show (Address b) = case B.unpack b of
    2 : 0 : h : l : a : b' : c : d : _ -> concat
      [ show a, ".", show b', ".", show c, ".", show d, ":"
      , show (word16 h l) ]
    bytes -> "Address " ++ show bytes

-- | An IPv4 address and a port.
inetAddress :: (Word8, Word8, Word8, Word8) -> Word16 -> Address
inetAddress (a, b, c, d) port = Address (B.pack
  ([2, 0, fromIntegral (port `shiftR` 8), fromIntegral port, a, b, c, d]
   ++ replicate 8 0))

-- | The port of an IPv4 or IPv6 address.
addressPort :: Address -> Word16
addressPort (Address b)
  | B.length b >= 4 = word16 (B.index b 2) (B.index b 3)
  | otherwise = 0

word16 :: Word8 -> Word8 -> Word16
word16 high low = fromIntegral high `shiftL` 8 .|. fromIntegral low

-- | How a datagram came in over IP: what is told to a socket that asks for
-- control messages (@IP_PKTINFO@, @IPV6_RECVHOPLIMIT@ and their like).
data Arrival = Arrival
  { arrivalTo :: Address       -- ^ the address that it was sent to
  , arrivalInterface :: Int    -- ^ a number, 1 the loopback's
  , arrivalHopLimit :: Word8   -- ^ of IPv4, the TTL; not 0
  , arrivalClass :: Word8      -- ^ of IPv4, the type of service
  } deriving (Eq, Show)

data Kind = Stream | Datagram | Raw
  deriving (Eq, Show)

-- | What a network is made of.
class Provider p where
  -- | Whatever the provider keeps of a socket.
  type Socket p

  -- | @socket@: family, kind, protocol. The result is what the others get.
  openSocket :: p -> Family -> Kind -> Int -> IO (Socket p)

  -- | A stream that connects: remote, local. Returns when it is connected;
  -- throws when it is refused. For a datagram socket: what it sends goes there.
  connectSocket :: p -> Socket p -> Address -> Address -> IO ()

  -- | A stream that listens from now on at this address, with this backlog.
  listenSocket :: p -> Socket p -> Address -> Int -> IO ()

  -- | The next connection of one that listens: it, remote, local. Called with
  -- asynchronous exceptions masked: one ends it while it waits.
  acceptSocket :: p -> Socket p -> IO (Socket p, Address, Address)

  -- | All of it; returns when there is room for more.
  sendStream :: p -> Socket p -> ByteString -> IO ()

  -- | At least a byte; empty: the other side has finished.
  receiveStream :: p -> Socket p -> IO ByteString

  -- | This side has finished sending.
  finishStream :: p -> Socket p -> IO ()

  sendDatagram :: p -> Socket p -> Address -> ByteString -> IO ()
  sendDatagram _ _ _ _ = pure ()

  receiveDatagram :: p -> Socket p -> IO (Address, ByteString)
  receiveDatagram _ _ = forever (newEmptyMVar >>= takeMVar :: IO ())

  -- | The same, with how it came, if that is known. This is what is called.
  receiveArrival :: p -> Socket p -> IO (Address, Maybe Arrival, ByteString)
  receiveArrival p s = (\(from, bytes) -> (from, Nothing, bytes)) <$>
    receiveDatagram p s

  -- | A socket has this local address now: before it listens, connects, sends.
  bindSocket :: p -> Socket p -> Address -> IO ()
  bindSocket _ _ _ = pure ()

  -- | @setsockopt@: level, name, value.
  setOption :: p -> Socket p -> Int -> Int -> ByteString -> IO ()
  setOption _ _ _ _ _ = pure ()

  -- | Nobody has it any more. No other function is called after it. If the
  -- stream was not finished ('finishStream'), the other side must hear of it.
  closeSocket :: p -> Socket p -> IO ()

-- | A provider that is installed.
data Installed = Installed Service

-- One socket: its work is queued, so that the order stays, and each piece may
-- block.
data Link p = Link
  { linkFd :: CInt
  , linkKind :: Kind
  , linkSocket :: MVar (Socket p) -- empty until it is open
  , linkThreads :: MVar (Maybe [ThreadId]) -- Nothing: there are no more
  , linkWork :: MVar [Work] -- last first
  , linkMore :: MVar ()
  , linkGone :: MVar () -- filled: the application has closed it, or all ends
  , linkSent :: MVar (Maybe (MVar ())) -- a stream's: filled when all is sent
  }

-- A piece of it; and what is done in its place if the socket has gone.
data Work = Work { workDo, workDrop :: IO () }

-- Until the worker has closed them: the numbers of their descriptors are theirs
-- as long as they are in here.
type Links p = MVar (Map.Map Word64 (Link p))

-- What is bound and begins to listen, but not done yet: who connects after that
-- waits for it, so that he finds it.
type Setups = MVar (Map.Map Word64 (MVar ()))

settingUp :: Setups -> Word64 -> (IO () -> IO ()) -> IO ()
settingUp setups ident start = do
  done <- newEmptyMVar
  modifyMVar_ setups (pure . Map.insert ident done)
  start $ do
    modifyMVar_ setups (pure . Map.delete ident)
    putMVar done ()

-- | Sockets of these families are the provider's from now on. The addresses are
-- those that it has, for @bind@ and @getsockname@; none: any.
installProvider
  :: Provider p => p -> [Family] -> [Address] -> IO Installed
installProvider provider families addresses = do
  links <- newMVar Map.empty
  setups <- newMVar Map.empty
  service <- newService "network" (serve provider links setups)
    (leaveAll links)
  result <- withArrayLen (map fromIntegral families) $ \n domains ->
    c_net_install (servicePointer service) domains (fromIntegral n)
  when (result < 0) $ endService service
  void (check "installProvider" result)
  let installed = Installed service
  setAddresses installed addresses
  pure installed

-- | Sockets that are open fail with @ENETDOWN@ and are closed; new ones go to
-- what was there before.
uninstallProvider :: Installed -> IO ()
uninstallProvider (Installed service) = endService service

-- | The provider's addresses have changed.
setAddresses :: Installed -> [Address] -> IO ()
setAddresses (Installed service) addresses =
  U.unsafeUseAsCStringLen (B.concat [a | Address a <- addresses]) $ \(p, n) ->
    c_net_addresses (servicePointer service) (castPtr p) (fromIntegral n)
      >>= void . check "setAddresses"

-- | After how many milliseconds in which the runtime answers nothing those who
-- wait get @ENETDOWN@ (5,000 unless told).
networkPatience :: Installed -> Int -> IO ()
networkPatience (Installed service) = setPatience service

newLink :: CInt -> Kind -> IO (Link p)
newLink fd kind =
  Link fd kind <$> newEmptyMVar <*> newMVar (Just []) <*> newMVar []
    <*> newEmptyMVar <*> newEmptyMVar <*> newMVar Nothing

-- | A thread of the socket's, which ends with it.
spawn :: Link p -> IO () -> IO ()
spawn link = spawnThen link (pure ())

-- | The same, and what follows it, whatever happens to it.
spawnThen :: Link p -> IO () -> IO () -> IO ()
spawnThen link after action = uninterruptibleMask_ $ do
  known <- takeMVar (linkThreads link)
  case known of
    Nothing -> putMVar (linkThreads link) Nothing >> after
    Just threads -> do
      thread <- forkIOWithUnmask $ \unmask -> do
        _ <- try (unmask (mask_ action)) :: IO (Either SomeException ())
        self <- myThreadId
        modifyMVar_ (linkThreads link) (pure . fmap (filter (/= self)))
        after
      putMVar (linkThreads link) (Just (thread : threads))

-- | Ends the socket's threads: none runs after it, and none begins.
stop :: Link p -> IO ()
stop link = uninterruptibleMask_ (go (0 :: Int))
  where
    go turn = do
      threads <- modifyMVar (linkThreads link) $ \known -> pure $ case known of
        Just [] -> (Nothing, [])
        _ -> (known, fromMaybe [] known)
      unless (null threads) $ do
        -- again, for one that a provider's function has kept for itself
        when (turn `mod` 200 == 0) $ mapM_ killThread threads
        if turn < 20 then yield else threadDelay 1000
        go (turn + 1)

isHere :: Link p -> IO Bool
isHere = isEmptyMVar . linkGone

-- | The socket is to be closed: wakes its worker.
leave :: Link p -> IO ()
leave link = do
  void (tryPutMVar (linkGone link) ())
  void (tryPutMVar (linkMore link) ())

-- | Nobody uses a descriptor of the service's any more.
leaveAll :: Links p -> IO ()
leaveAll links = go Map.empty
  where
    go before = do
      known <- readMVar links
      let new = known `Map.difference` before
      unless (Map.null new) $ do
        mapM_ leave new
        mapM_ stop new
        go (Map.union known before) -- what came in meanwhile

-- | Masked, but not uninterruptibly as the thread that makes it may be.
forkMasked :: IO () -> IO ThreadId
forkMasked action = forkIOWithUnmask $ \unmask -> unmask (mask_ action)

-- | All of it runs masked (spawn, worker): what is thrown at the thread reaches
-- it only where it waits, and then it says so.
attempt :: IO () -> (CInt -> IO ()) -> IO ()
attempt action failed = do
  result <- try action
  either (failed . errnoOf) pure (result :: Either SomeException ())

later :: Link p -> Work -> IO ()
later link work = do
  modifyMVar_ (linkWork link) (pure . (work :))
  void (tryPutMVar (linkMore link) ())

-- | Does what is queued, whatever happens to it, until the socket is gone; and
-- then closes it, so that no other function of the provider's comes after that.
worker :: Provider p => p -> Links p -> Service -> Word64 -> Link p -> IO ()
worker provider links service ident link = mask_ loop
  where
    loop = do
      _ <- try (takeMVar (linkMore link)) :: IO (Either SomeException ())
      here <- isHere link -- before it is taken: nothing is queued after that
      work <- reverse <$> swapMVar (linkWork link) []
      forM_ work $ \w -> do
        still <- isHere link
        try (if still then workDo w else workDrop w)
          :: IO (Either SomeException ())
      if here then loop else close
    -- What the application has written before it closed still goes out: the
    -- sender sees the end of the stream by itself.
    close = do
      insist (readMVar (linkSent link) >>= mapM_ readMVar)
      stop link
      s <- tryReadMVar (linkSocket link)
      forM_ s $ \socket ->
        try (closeSocket provider socket) :: IO (Either SomeException ())
      uninterruptibleMask_ $ do
        void (c_net_close (servicePointer service) ident)
        modifyMVar_ links (pure . Map.delete ident)
    insist action = do
      result <- try action
      either (\(_ :: SomeException) -> insist action) pure result

-- | Again and again, whatever is thrown at its thread, until it ends, or the
-- provider says an error, or the socket is gone.
persist :: Link p -> (CInt -> IO ()) -> IO () -> IO ()
persist link failed action = do
  result <- try action
  here <- isHere link
  case result of
    Left (e :: SomeException) | here -> case fromException e of
      Just (_ :: SomeAsyncException) -> persist link failed action
      Nothing -> failed (errnoOf e)
    _ -> pure ()

serve
  :: forall p. Provider p
  => p -> Links p -> Setups -> Service -> Event -> IO ()
serve provider links setups service event = case eventKind event of
  1 -> do
    let (domain, kind, protocol) = case eventNumbers event of
          d : k : t : _ -> (fromIntegral d, kindOf k, fromIntegral t)
          _ -> (0, Raw, 0)
    link <- newLink (eventFd event) kind
    modifyMVar_ links (pure . Map.insert ident link)
    void (forkMasked (worker provider links service ident link))
    later link $ flip Work (pure ()) $ do
      opened <- try (openSocket provider domain kind protocol)
      case opened of
        Right s -> do
          putMVar (linkSocket link) s
          when (kind /= Stream) $ do
            spawn link (persist link broken
              (packetsOut provider setups service link s))
            spawn link (persist link broken (packetsIn provider link s))
        Left (e :: SomeException) -> broken (errnoOf e)
  2 -> settingUp setups (2 * ident) $ \done -> withSocketOr done done $ \_ s ->
    attempt (bindSocket provider s (Address (eventData event))) broken
      `finally` done
  3 -> settingUp setups (2 * ident + 1) $ \done -> withSocketOr done done $ \link s -> do
    let backlog = case eventNumbers event of
          b : _ -> fromIntegral b
          [] -> 1
        listening = do
          listenSocket provider s (Address (eventData event)) backlog
          spawn link (persist link broken
            (connections provider links service ident link s))
    attempt listening broken `finally` done
  4 -> readMVar setups >>= \before -> withSocketOr (refused 5) (pure ()) $ \link s -> do
    let size = case eventNumbers event of
          n : _ -> fromIntegral n
          [] -> 0
        (remote, local) = B.splitAt size (eventData event)
        connect = do
          mapM_ readMVar (Map.elems before)
          connectSocket provider s (Address remote) (Address local)
        -- whoever waits for one that is gone is told why by C
        unlessGone e = isHere link >>= \here -> when here (refused e)
    if linkKind link /= Stream
      then connect
      else spawn link $ attempt
        (connect >> uninterruptibleMask_ (connected link s)) unlessGone
  5 -> withSocket $ \_ s -> case eventNumbers event of
    level : name : _ -> setOption provider s (fromIntegral level)
      (fromIntegral name) (eventData event)
    _ -> pure ()
  6 -> do
    known <- Map.lookup ident <$> readMVar links
    maybe (void (c_net_close pointer ident)) leave known
  _ -> pure ()
  where
    pointer = servicePointer service
    ident = eventId event
    refused e = void (c_net_failed pointer ident e)
    broken e = void (c_net_broken pointer ident e)
    -- What is to be sent is noted first: it may be closed right after that.
    connected link s = do
      sent <- toBeSent link
      done <- c_net_connected pointer ident
      if done == 0
        then streams provider service ident link s sent
        else putMVar sent ()
    withSocket = withSocketOr (pure ()) (pure ())
    -- if it was not opened; if it has gone meanwhile
    withSocketOr otherwise_ dropped f = do
      known <- Map.lookup ident <$> readMVar links
      case known of
        Nothing -> otherwise_
        Just link -> later link $ flip Work dropped $ do
          s <- tryReadMVar (linkSocket link)
          maybe otherwise_ (f link) s

kindOf :: Integral a => a -> Kind
kindOf 1 = Stream
kindOf 2 = Datagram
kindOf _ = Raw

-- -- streams

bufferLeast, bufferSize :: Int
bufferLeast = 2048
bufferSize = 65536

toBeSent :: Link p -> IO (MVar ())
toBeSent link = do
  sent <- newEmptyMVar
  void (swapMVar (linkSent link) (Just sent))
  pure sent

-- | Both ways of a connection, until both have ended.
streams
  :: Provider p
  => p -> Service -> Word64 -> Link p -> Socket p -> MVar () -> IO ()
streams provider service ident link s sent = do
  spawnThen link (putMVar sent ()) (guarded (outgoing provider link s))
  spawn link (guarded (incoming provider link s))
  where
    guarded action = attempt action $ \e -> do
      -- If it was killed because the socket is gone, nobody hears it.
      here <- isHere link
      when here $ void (c_net_broken (servicePointer service) ident e)

-- | From the application to the network. There is room for a short message
-- while nothing is known of the next one, since every connection has it; while
-- they are long, for a long one.
outgoing :: Provider p => p -> Link p -> Socket p -> IO ()
outgoing provider link s = go bufferLeast
  where
    go size = do
      bytes <- receiveFd (linkFd link) size
      if B.null bytes
        then finishStream provider s
        else sendStream provider s bytes >> go (next size (B.length bytes))
    next size got
      | got == size = min bufferSize (8 * size)
      | 8 * got < size = max bufferLeast (size `quot` 8)
      | otherwise = size

incoming :: Provider p => p -> Link p -> Socket p -> IO ()
incoming provider link s = do
  bytes <- receiveStream provider s
  if B.null bytes
    then void (c_finish (linkFd link))
    else do
      more <- sendFd (linkFd link) bytes
      here <- isHere link
      when (more && here) $ incoming provider link s

-- | Empty: the end.
receiveFd :: CInt -> Int -> IO ByteString
receiveFd fd size = I.mallocByteString size >>= go
  where
    go buffer = do
      n <- withForeignPtr buffer $ \p -> c_receive fd p (fromIntegral size)
      let got = fromIntegral n
          bytes = I.fromForeignPtr buffer 0 got
      case n of
        -- Not to hold much for little.
        _ | got >= size `quot` 2 -> pure bytes
          | n >= 0 -> pure (B.copy bytes)
          | n == eAgain -> threadWaitRead (Fd fd) >> go buffer
          | otherwise -> pure B.empty

-- | False: nobody reads it any more.
sendFd :: CInt -> ByteString -> IO Bool
sendFd fd bytes
  | B.null bytes = pure True
  | otherwise = do
      n <- U.unsafeUseAsCStringLen bytes $ \(p, size) ->
        c_send fd (castPtr p) (fromIntegral size)
      case n of
        _ | n >= 0 -> sendFd fd (B.drop (fromIntegral n) bytes)
          | n == eAgain -> threadWaitWrite (Fd fd) >> sendFd fd bytes
          | otherwise -> pure False

eAgain :: CLong
eAgain = -11

-- | What a listening socket accepts.
connections
  :: Provider p
  => p -> Links p -> Service -> Word64 -> Link p -> Socket p -> IO ()
connections provider links service listener link s = mask_ go
  where
    go = do
      -- masked: it can be interrupted while it waits, but not once it has one
      (new, Address remote, Address local) <- acceptSocket provider s
      -- It may be accepted and closed before this returns: nobody looks for it
      -- in the meantime.
      uninterruptibleMask_ $ modifyMVar_ links $ \known -> do
        (fd, ident) <- withBytes remote $ \r rn -> withBytes local $ \l ln ->
          alloca $ \out -> do
            fd <- c_net_incoming (servicePointer service) listener r
              (fromIntegral rn) l (fromIntegral ln) out
            ident <- if fd >= 0 then peek out else pure 0
            pure (fd, ident)
        if fd < 0
          then do
            void (forkMasked (closeSocket provider new)) -- the backlog is full
            pure known
          else begin known fd ident new
      here <- isHere link
      when here go
    begin known fd ident new = do
      other <- newLink fd Stream
      putMVar (linkSocket other) new
      sent <- toBeSent other
      streams provider service ident other new sent
      void (forkMasked (worker provider links service ident other))
      pure (Map.insert ident other known)

withBytes :: ByteString -> (Ptr Word8 -> Int -> IO a) -> IO a
withBytes bytes f = U.unsafeUseAsCStringLen bytes $ \(p, n) -> f (castPtr p) n

-- -- datagrams: struct halvm_net_packet in front

packetSize, packetAddress :: Int
packetSize = 160
packetAddress = 32

-- | A datagram does not overtake what was said before it was sent: it may go to
-- a socket that was bound just then.
packetsOut :: Provider p => p -> Setups -> Service -> Link p -> Socket p -> IO ()
packetsOut provider setups service link s = do
  bytes <- receiveFd (linkFd link) (packetSize + 65536)
  unless (B.null bytes) $ do
    when (B.length bytes >= packetSize) $ do
      let size = fromIntegral (B.index bytes 0)
            .|. fromIntegral (B.index bytes 1) `shiftL` 8 :: Int
          to = Address (B.take size (B.drop packetAddress bytes))
      caughtUp service (order bytes)
      before <- readMVar setups
      mapM_ readMVar (Map.elems before)
      attempt (sendDatagram provider s to (B.drop packetSize bytes))
        (const (pure ()))
    here <- isHere link
    when here $ packetsOut provider setups service link s
  where
    order = B.foldr' (\b n -> n `shiftL` 8 .|. fromIntegral b) 0
      . B.take 8 . B.drop 8

packetsIn :: Provider p => p -> Link p -> Socket p -> IO ()
packetsIn provider link s = do
  (Address from, arrival, bytes) <- receiveArrival provider s
  let size = min 126 (B.length from)
      header = B.concat
        [ B.pack [fromIntegral size, 0], way arrival, B.take size from
        , B.replicate (packetSize - packetAddress - size) 0 ]
  sent <- U.unsafeUseAsCStringLen (header <> bytes) $ \(p, n) ->
    c_send (linkFd link) (castPtr p) (fromIntegral n)
  here <- isHere link
  when (here && (sent >= 0 || sent `elem` lost)) $ packetsIn provider link s
  where
    -- there is no room for it, or it is too large (EMSGSIZE, ENOBUFS)
    lost = [eAgain, -90, -105]

-- | What is between the size and the address.
way :: Maybe Arrival -> ByteString
way Nothing = B.replicate (packetAddress - 2) 0
way (Just (Arrival (Address to) interface hops kind)) = B.concat
  [ B.pack [hops, kind]
  , B.pack [fromIntegral (interface `shiftR` n) | n <- [0, 8, 16, 24]]
  , B.replicate 8 0
  , B.take 16 (host <> B.replicate 16 0) ]
  where
    host | B.take 1 to == B.pack [10] = B.take 16 (B.drop 8 to)
         | otherwise = B.take 4 (B.drop 4 to)
