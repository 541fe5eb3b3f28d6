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
-- throw is the socket's error: an 'IOError' with an errno gives that.
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
  ( ThreadId, forkIOWithUnmask, killThread, myThreadId, threadWaitRead, threadWaitWrite )
import Control.Concurrent.MVar
import Control.Exception
  ( SomeException, finally, mask_, try, uninterruptibleMask_ )
import Control.Monad (forM_, forever, unless, void, when)
import Data.Bits (shiftL, shiftR, (.|.))
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Internal as I
import qualified Data.ByteString.Unsafe as U
import qualified Data.Map.Strict as Map
import Data.Word (Word16, Word64, Word8)
import Foreign.C.Types (CInt, CLong)
import Foreign.ForeignPtr (withForeignPtr)
import Foreign.Marshal.Alloc (alloca)
import Foreign.Marshal.Array (withArrayLen)
import Foreign.Ptr (Ptr, castPtr, plusPtr)
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
  , linkThreads :: MVar [ThreadId]
  , linkWork :: MVar [IO ()] -- last first
  , linkMore :: MVar ()
  , linkGone :: MVar ()
  , linkSent :: MVar (Maybe (MVar ())) -- a stream's: filled when all is sent
  }

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
  result <- withArrayLen (map fromIntegral families) $ \n domains ->
    c_net_install (servicePointer service) domains (fromIntegral n)
  when (result < 0) $ endService service
  void (check "installProvider" result)
  let installed = Installed service
  setAddresses installed addresses
  pure installed

-- | Sockets that are open fail with @ENETDOWN@; new ones go to what was there
-- before.
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
  Link fd kind <$> newEmptyMVar <*> newMVar [] <*> newMVar [] <*> newEmptyMVar
    <*> newEmptyMVar <*> newMVar Nothing

-- | A thread of the socket's, which ends with it.
spawn :: Link p -> IO () -> IO ()
spawn link action = void $ forkMasked $ do
  self <- myThreadId
  note (self :)
  _ <- try action :: IO (Either SomeException ())
  note (filter (/= self))
  where
    -- for a moment; what is thrown at the thread meanwhile waits
    note f = uninterruptibleMask_ $ modifyMVar_ (linkThreads link) (pure . f)

-- | Masked, but not uninterruptibly as the thread that makes it may be.
forkMasked :: IO () -> IO ThreadId
forkMasked action = forkIOWithUnmask $ \unmask -> unmask (mask_ action)

-- | All of it runs masked (spawn, worker): what is thrown at the thread reaches
-- it only where it waits, and then it says so.
attempt :: IO () -> (CInt -> IO ()) -> IO ()
attempt action failed = do
  result <- try action
  either (failed . errnoOf) pure (result :: Either SomeException ())

later :: Link p -> IO () -> IO ()
later link action = do
  modifyMVar_ (linkWork link) (pure . (action :))
  void (tryPutMVar (linkMore link) ())

-- | Does what is queued, whatever happens to it, until the socket is gone.
worker :: Link p -> IO ()
worker link = mask_ $ do
  let loop = do
        _ <- try (takeMVar (linkMore link)) :: IO (Either SomeException ())
        work <- reverse <$> swapMVar (linkWork link) []
        forM_ work $ \action ->
          try action :: IO (Either SomeException ())
        here <- isEmptyMVar (linkGone link)
        when here loop
  loop

-- | Again and again, whatever is thrown at it, until the socket is gone.
persist :: Link p -> IO () -> IO ()
persist link action = do
  result <- try action
  here <- isEmptyMVar (linkGone link)
  case result of
    Left (_ :: SomeException) | here -> persist link action
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
    void (forkMasked (worker link))
    later link $ do
      opened <- try (openSocket provider domain kind protocol)
      case opened of
        Right s -> do
          putMVar (linkSocket link) s
          when (kind /= Stream) $ do
            spawn link (persist link (packetsOut provider setups service link s))
            spawn link (persist link (packetsIn provider link s))
        Left (e :: SomeException) ->
          void (c_net_broken pointer ident (errnoOf e))
  2 -> settingUp setups (2 * ident) $ \done -> withSocketOr done $ \_ s ->
    bindSocket provider s (Address (eventData event)) `finally` done
  3 -> settingUp setups (2 * ident + 1) $ \done -> withSocketOr done $ \link s -> do
    let backlog = case eventNumbers event of
          b : _ -> fromIntegral b
          [] -> 1
    listenSocket provider s (Address (eventData event)) backlog `finally` done
    spawn link (persist link (connections provider links service ident s))
  4 -> readMVar setups >>= \before -> withSocketOr (refused 5) $ \link s -> do
    let size = case eventNumbers event of
          n : _ -> fromIntegral n
          [] -> 0
        (remote, local) = B.splitAt size (eventData event)
        connect = do
          mapM_ readMVar (Map.elems before)
          connectSocket provider s (Address remote) (Address local)
    if linkKind link /= Stream
      then connect
      else spawn link $ attempt
        (connect >> uninterruptibleMask_ (connected link s)) refused
  5 -> withSocket $ \_ s -> case eventNumbers event of
    level : name : _ -> setOption provider s (fromIntegral level)
      (fromIntegral name) (eventData event)
    _ -> pure ()
  6 -> do
    known <- modifyMVar links $ \l ->
      pure (Map.delete ident l, Map.lookup ident l)
    case known of
      Nothing -> void (c_net_close pointer ident)
      Just link -> void (forkMasked (closeLink provider service ident link))
  _ -> pure ()
  where
    pointer = servicePointer service
    ident = eventId event
    refused e = void (c_net_failed pointer ident e)
    connected link s = do
      done <- c_net_connected pointer ident
      when (done == 0) $ streams provider service ident link s
    withSocket = withSocketOr (pure ())
    withSocketOr otherwise_ f = do
      known <- Map.lookup ident <$> readMVar links
      case known of
        Nothing -> otherwise_
        Just link -> later link $ do
          s <- tryReadMVar (linkSocket link)
          maybe otherwise_ (f link) s

kindOf :: Integral a => a -> Kind
kindOf 1 = Stream
kindOf 2 = Datagram
kindOf _ = Raw

-- | What the application has written before it closed still goes out; then the
-- socket's threads end.
closeLink :: Provider p => p -> Service -> Word64 -> Link p -> IO ()
closeLink provider service ident link = mask_ $ do
  void (tryPutMVar (linkGone link) ())
  s <- tryReadMVar (linkSocket link)
  case s of
    Just socket -> do
      -- the sender sees the end of the stream by itself
      readMVar (linkSent link) >>= mapM_ readMVar
      stop
      void (tryIgnore (closeSocket provider socket))
    Nothing -> stop
  void (c_net_close (servicePointer service) ident)
  void (tryPutMVar (linkMore link) ())
  where
    stop = do
      threads <- readMVar (linkThreads link)
      mapM_ killThread threads
    tryIgnore action = do
      result <- try action
      pure (either (\(_ :: SomeException) -> ()) id result)

-- -- streams

bufferLeast, bufferSize :: Int
bufferLeast = 2048
bufferSize = 65536

-- | Both ways of a connection, until both have ended.
streams :: Provider p => p -> Service -> Word64 -> Link p -> Socket p -> IO ()
streams provider service ident link s = do
  sent <- newEmptyMVar
  void (swapMVar (linkSent link) (Just sent))
  spawn link (guarded (outgoing provider link s) `finally` tryPutMVar sent ())
  spawn link (guarded (incoming provider link s))
  where
    guarded action = do
      -- If it was killed because the socket is gone, nobody hears it.
      attempt action (void . c_net_broken (servicePointer service) ident)

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
      when more $ incoming provider link s

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
  :: Provider p => p -> Links p -> Service -> Word64 -> Socket p -> IO ()
connections provider links service listener s = forever $ mask_ $ do
  -- masked: it can be interrupted while it waits, but not once it has one
  (new, Address remote, Address local) <- acceptSocket provider s
  uninterruptibleMask_ $ do
    (fd, ident) <- withBytes remote $ \r rn -> withBytes local $ \l ln ->
      alloca $ \out -> do
        fd <- c_net_incoming (servicePointer service) listener r
          (fromIntegral rn) l (fromIntegral ln) out
        ident <- if fd >= 0 then peek out else pure 0
        pure (fd, ident)
    if fd < 0
      then void (forkMasked (closeSocket provider new)) -- the backlog is full
      else do
        link <- newLink fd Stream
        putMVar (linkSocket link) new
        modifyMVar_ links (pure . Map.insert ident link)
        void (forkMasked (worker link))
        streams provider service ident link new

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
      -- what it throws loses a datagram
      sendDatagram provider s to (B.drop packetSize bytes)
    packetsOut provider setups service link s
  where
    order = B.foldr' (\b n -> n `shiftL` 8 .|. fromIntegral b) 0
      . B.take 8 . B.drop 8

packetsIn :: Provider p => p -> Link p -> Socket p -> IO ()
packetsIn provider link s = forever $ do
  (Address from, arrival, bytes) <- receiveArrival provider s
  let size = min 126 (B.length from)
      header = B.concat
        [ B.pack [fromIntegral size, 0], way arrival, B.take size from
        , B.replicate (packetSize - packetAddress - size) 0 ]
  -- one that does not fit is lost
  U.unsafeUseAsCStringLen (header <> bytes) $ \(p, n) ->
    void (c_send (linkFd link) (castPtr p `plusPtr` 0) (fromIntegral n))

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
