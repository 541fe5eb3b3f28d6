-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE FlexibleInstances, FunctionalDependencies #-}
-- |
-- Typed channels between the domains of a Xen host, over shared memory: what
-- HaLVM 2 had as @Communication.IVC@ and @Communication.Rendezvous@, with a
-- close.
--
-- > -- the server, in any domain: adds one
-- > main = withStore $ \store ->
-- >   serve store "adder" $ \channel ->
-- >     forever $ get channel >>= put channel . (+ (1 :: Int))
-- >
-- > -- a client, in another: the server is domain 3
-- > main = withStore $ \store -> do
-- >   channel <- connect store (AtDomain (DomainId 3)) "adder"
-- >   put channel (41 :: Int)
-- >   (get channel :: IO Int) >>= print           -- 42
-- >   close channel
--
-- Values go over as "Data.Binary" has them, of any size ('channelMessageMax'
-- bytes at most), in order, and none is lost while both sides live.
--
-- === How they find each other
--
-- A server publishes a name below its own home in XenStore; a client has to
-- know the server's domain. Where an administrator has made a common place, with
--
-- > xenstore-write /halvm "" && xenstore-chmod /halvm b0
--
-- in dom0, the name is enough ('Anywhere'). Any domain of the host may connect,
-- unless the server says which ('listenFor'). Who the other side is,
-- 'channelPeer', is Xen's word and not the other's.
--
-- === How they end
--
-- After 'close' the other side can still 'get' what was put before; then its
-- 'get' throws an error that satisfies 'System.IO.Error.isEOFError', and its
-- 'put' one of a resource that vanished. If the other domain is destroyed
-- both throw that ('isPeerGone'). Both sides close; then the shared pages and
-- the entries in XenStore are gone, and the name can be connected to again.
--
-- === Whom they trust
--
-- Nobody. A side that writes nonsense into the shared memory, or sends what is
-- no value of the type, is told of by an error, and the channel is closed.
module System.HaLVM.Xen.Channel
  ( -- * Channels
    InOutChannel, InChannel, OutChannel, Readable (..), Writable (..)
  , inOnly, outOnly, Channel (..)
    -- * Servers
  , serve, Listener, listen, listenFor, accept, closeListener
    -- * Clients
  , Server (..), connect, connectWith
    -- * Either
  , peerConnection
    -- * Settings and errors
  , Settings (..), defaultSettings, channelMessageMax
  , isPeerGone, DomainId (..)
  ) where

import Control.Concurrent
  ( ThreadId, forkIO, forkIOWithUnmask, killThread, threadDelay )
import Control.Concurrent.MVar
import Control.Exception
  ( AsyncException, SomeAsyncException (..), SomeException, bracket
  , bracketOnError, catch, evaluate, finally, fromException, mask, mask_
  , onException, throwIO, toException, try, uninterruptibleMask_ )
import Control.Monad (forM_, forever, unless, void, when)
import Data.Binary (Binary)
import qualified Data.Binary as Binary
import Data.Bits (shiftL, shiftR, (.|.))
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Lazy as L
import Data.IORef
import Data.List (isPrefixOf)
import qualified Data.Set as S
import Data.Word (Word32, Word64)
import Foreign.C.Error (eACCES, eINVAL, eNOTCONN)
import GHC.Clock (getMonotonicTimeNSec)
import GHC.Conc (TVar, atomically, newTVarIO, readTVar, retry, writeTVar)
import GHC.IO.Exception (IOErrorType (..), IOException (..))
import System.IO.Error
  ( catchIOError, isDoesNotExistError, isEOFError, isPermissionError
  , mkIOError )

import System.HaLVM.Xen.Device
import System.HaLVM.Xen.EventChannel
import System.HaLVM.Xen.Grant
import System.HaLVM.Xen.Ring
import System.HaLVM.Xen.Store

-- -- a link: the bytes of a channel --

data Link = Link
  { linkPeer :: DomainId
  , linkBell :: EventChannel
  -- Nothing: the memory is not to be touched any more.
  , linkRing :: MVar (Maybe Ring)
  -- Grows with each event; and why there will be no more of it.
  , linkChanges :: TVar Word64
  , linkFailure :: TVar (Maybe SomeException)
  -- One thread puts at a time, and one gets; what was got of a message.
  , linkPutting :: MVar ()
  , linkGetting :: MVar ()
  , linkPart :: IORef [ByteString]
  , linkThreads :: MVar [ThreadId]
  , linkForget :: IO () -- the memory goes, if it is another domain's
  , linkRelease :: MVar (Maybe (IO ())) -- what close has to give back
  }

vanished, ended :: String -> IOError
vanished what = (mkIOError ResourceVanished what Nothing Nothing)
  { ioe_description = "the other domain is gone" }
ended what = (mkIOError EOF what Nothing Nothing)
  { ioe_description = "the other side has closed" }

nonsense :: String -> String -> IOError
nonsense what why = (mkIOError ProtocolError what Nothing Nothing)
  { ioe_description = why }

-- | Whether an error says that the other side is not there any more: its domain
-- was destroyed, or it has closed and something was to be sent.
isPeerGone :: IOError -> Bool
isPeerGone e = case ioe_type e of
  ResourceVanished -> True
  _ -> False

-- | No thread may be using the ring when its memory goes. A ring that makes no
-- sense ends the link.
onRing :: Link -> String -> (Ring -> IO a) -> IO a
onRing link what action = do
  failure <- atomically (readTVar (linkFailure link))
  maybe (pure ()) throwIO failure
  withMVar (linkRing link) (maybe (xenFail what eNOTCONN) action)
    `catchIOError` \e -> do
      when (ioe_type e == ProtocolError) $ failLink link (toException e)
      ioError e

-- | The action until it has a result, after each event; throws once there is
-- nothing more to come.
waiting :: Link -> IO (Maybe a) -> IO a
waiting link look = do
  seen <- atomically (readTVar (linkChanges link))
  result <- look
  case result of
    Just value -> pure value
    Nothing -> do
      atomically $ do
        changes <- readTVar (linkChanges link)
        failure <- readTVar (linkFailure link)
        case failure of
          Nothing | changes == seen -> retry
          _ -> pure ()
      waiting link look

-- | Nothing works any more; the other side is told, if it is there.
failLink :: Link -> SomeException -> IO ()
failLink link e = mask_ $ do
  first <- atomically $ do
    before <- readTVar (linkFailure link)
    case before of
      Nothing -> True <$ writeTVar (linkFailure link) (Just e)
      Just _ -> pure False
  -- Nobody keeps the ring for long; and there is no second time.
  when first $ uninterruptibleMask_ $ do
    modifyMVar_ (linkRing link) $ \ring -> do
      mapM_ closeRing ring
      Nothing <$ linkForget link
    notify (linkBell link) `catchIOError` const (pure ())

-- | With a thread that listens to the bell; and what is to be given back.
makeLink :: DomainId -> EventChannel -> Ring -> IO () -> IO () -> IO Link
makeLink peer bell ring forget release = mask_ $ do
  link <- Link peer bell <$> newMVar (Just ring) <*> newTVarIO 0
    <*> newTVarIO Nothing <*> newMVar () <*> newMVar () <*> newIORef []
    <*> newMVar [] <*> pure forget <*> newMVar (Just release)
  fork link $ forever $ do
    waitEvent bell `catchIOError` \e -> ioError (vanished "channel")
      { ioe_description = "the event channel is gone: " ++ show e }
    atomically $
      readTVar (linkChanges link) >>= writeTVar (linkChanges link) . (+ 1)
  pure link

-- | A thread of the link's: an exception ends the link. It can be killed also
-- where it never waits, as with a side that rings all the time.
fork :: Link -> IO () -> IO ()
fork link action = modifyMVar_ (linkThreads link) $ \threads -> do
  thread <- forkIOWithUnmask $ \unmask -> unmask action `catch` \e ->
    case fromException e of
      Just killed -> throwIO (killed :: AsyncException)
      Nothing -> failLink link e
  pure (thread : threads)

-- | The link ends when the key is gone, which goes with its domain.
watchPeer :: Link -> Store -> Key -> String -> IO ()
watchPeer link store key why = fork link $ waitFor store key $ \s -> do
  value <- visible s key
  case value of
    Just _ -> pure Nothing
    Nothing -> ioError (vanished "channel") { ioe_description = why }

-- | A key that may be another domain's. Of what is not there XenStore tells only
-- those who may read what is above it; the others get no permission.
visible :: Store -> Key -> IO (Maybe ByteString)
visible store key = lookupKey store key `catchIOError` \e ->
  if isPermissionError e then pure Nothing else ioError e

-- | Ends the threads of a link that have been made so far, but for the first.
endWatches :: Link -> IO ()
endWatches link = modifyMVar_ (linkThreads link) $ \threads -> do
  mapM_ killThread (init threads)
  pure [last threads]

closeLink :: Link -> IO ()
closeLink link = mask_ $ do
  release <- swapMVar (linkRelease link) Nothing
  forM_ release $ \action -> wholly $ do
    failLink link (toException (xenError "channel" eNOTCONN))
    threads <- swapMVar (linkThreads link) []
    mapM_ killThread threads
    closeChannel (linkBell link)
    action

-- | All of it. What is begun has to be finished: a message that is cut short
-- ends the link. The caller is masked.
putBytes :: Link -> ByteString -> IO ()
putBytes link = go False
  where
    go begun bytes
      | B.null bytes = pure ()
      | otherwise = do
          n <- waiting link (some bytes) `onException` when begun cut
          go True (B.drop n bytes)
    -- The bell belongs to what was put: nobody rings it later.
    some bytes = uninterruptibleMask_ $ do
      (n, tell) <- onRing link "put" $ \ring -> do
        state <- ringState ring
        when (state == RingClosed) $ ioError (vanished "put")
          { ioe_description = "the other side has closed" }
        putRing ring bytes
      when tell $ notify (linkBell link)
      pure (if n > 0 then Just n else Nothing)
    cut = failLink link
      (toException (nonsense "put" "a message was cut short"))

-- | Waits for so many bytes, and shows them: they stay where they are.
peekBytes :: Link -> Int -> IO ByteString
peekBytes link size = do
  have <- sum . map B.length <$> readIORef (linkPart link)
  if have >= size
    then do
      whole <- B.concat . reverse <$> readIORef (linkPart link)
      writeIORef (linkPart link) [whole]
      pure (B.take size whole)
    else waiting link (some (size - have)) >> peekBytes link size
  where
    -- As in putBytes.
    some want = uninterruptibleMask_ $ do
      (got, tell) <- onRing link "get" $ \ring -> do
        state <- ringState ring -- before: what was put before it was closed
        (bytes, tell) <- getRing ring (min want chunkMax)
        when (B.null bytes && state == RingClosed) $ ioError (ended "get")
        unless (B.null bytes) $ modifyIORef' (linkPart link) (bytes :)
        pure (not (B.null bytes), tell)
      when tell $ notify (linkBell link)
      pure (if got then Just () else Nothing)

-- Bytes that are got in one piece.
chunkMax :: Int
chunkMax = 262144

-- | A message: its size in four bytes, and what it is.
putMessage :: Link -> L.ByteString -> IO ()
putMessage link message = do
  let size = L.length message
  when (size > fromIntegral channelMessageMax) $
    ioError (nonsense "put" "the message is too long")
  withMVar (linkPutting link) $ \() -> mask_ $ do
    let parts = number (fromIntegral size) : L.toChunks message
    -- a small one in one piece
    if size < 4096 then putBytes link (B.concat parts)
      else putParts parts
  where
    putParts [] = pure ()
    putParts (p : ps) = do
      putBytes link p
      putParts ps `onException` unless (null ps) (failLink link
        (toException (nonsense "put" "a message was cut short")))

-- A message stays where it is until the value is made of it, so that it is there
-- the next time if that is interrupted.
getMessage :: Link -> (ByteString -> IO a) -> IO a
getMessage link use = withMVar (linkGetting link) $ \() -> do
  header <- peekBytes link 4
  let size = 4 + fromIntegral (numberOf header)
  when (size > 4 + channelMessageMax) $ do
    let e = nonsense "get" "the other side announces too long a message"
    failLink link (toException e)
    ioError e
  message <- peekBytes link size
  value <- try (use (B.drop 4 message))
  case value of
    Left e | Just (SomeAsyncException _) <- fromException e -> throwIO e
           | otherwise -> gone size >> throwIO e
    Right v -> v <$ gone size
  where
    gone size = modifyIORef' (linkPart link) (dropped size)
    dropped size parts = [rest | let rest = B.drop size (B.concat (reverse parts))
                               , not (B.null rest)]

number :: Word32 -> ByteString
number n = B.pack [fromIntegral (n `shiftR` s) | s <- [24, 16, 8, 0]]

numberOf :: ByteString -> Word32
numberOf = B.foldl' (\n b -> n `shiftL` 8 .|. fromIntegral b) 0

-- | Bytes of the longest message: 64 MiB.
channelMessageMax :: Int
channelMessageMax = 67108864

-- -- channels --

-- | A channel from which values of type @i@ come and into which those of type
-- @o@ go.
newtype InOutChannel i o = InOutChannel Link

-- | One of which only what comes is used. To close it closes both halves.
newtype InChannel i = InChannel Link

-- | One of which only what goes is used. To close it closes both halves.
newtype OutChannel o = OutChannel Link

-- | What all kinds have.
class Channel c where
  -- | Ends it, on this side; the other side learns of it. Whoever waits gets an
  -- error. A second time does nothing.
  close :: c -> IO ()
  -- | Whose the other side is.
  channelPeer :: c -> DomainId

instance Channel (InOutChannel i o) where
  close (InOutChannel link) = closeLink link
  channelPeer (InOutChannel link) = linkPeer link

instance Channel (InChannel i) where
  close (InChannel link) = closeLink link
  channelPeer (InChannel link) = linkPeer link

instance Channel (OutChannel o) where
  close (OutChannel link) = closeLink link
  channelPeer (OutChannel link) = linkPeer link

-- | Where values come from.
class Channel c => Readable c i | c -> i where
  -- | Waits for the next value. May be interrupted, by
  -- 'System.Timeout.timeout' for instance: what has come of a message stays for
  -- the next time. As with 'Control.Concurrent.MVar.takeMVar', an exception can
  -- come after it and before its caller has the value; with
  -- 'Control.Exception.mask_' around both there is the value or the exception.
  get :: Binary i => c -> IO i

-- | Where values go.
class Channel c => Writable c o | c -> o where
  -- | Waits as long as there is no room. One that is interrupted when it has
  -- sent a part of the value ends the channel.
  put :: Binary o => c -> o -> IO ()

instance Readable (InOutChannel i o) i where
  get (InOutChannel link) = getMessage link (decoded link)

instance Readable (InChannel i) i where
  get (InChannel link) = getMessage link (decoded link)

instance Writable (InOutChannel i o) o where
  put (InOutChannel link) = putMessage link . Binary.encode

instance Writable (OutChannel o) o where
  put (OutChannel link) = putMessage link . Binary.encode

-- | The half of a channel from which values come.
inOnly :: InOutChannel i o -> InChannel i
inOnly (InOutChannel link) = InChannel link

-- | The half of a channel into which values go.
outOnly :: InOutChannel i o -> OutChannel o
outOnly (InOutChannel link) = OutChannel link

decoded :: Binary a => Link -> ByteString -> IO a
decoded link bytes = case Binary.decodeOrFail (L.fromStrict bytes) of
  Right (rest, _, value) | L.null rest -> evaluate value
  _ -> do
    let e = nonsense "get" "what came is no value of this type"
    failLink link (toException e)
    ioError e

-- -- servers --

-- | A name that others can connect to.
data Listener = Listener
  { listenerStore :: Store
  , listenerKey :: Key
  , listenerShort :: String
  , listenerAllows :: DomainId -> Bool
  , listenerWatch :: Watch
  , listenerSeen :: MVar (S.Set String)
  }

-- | The key of a name below a domain's home, and of one side of a link.
nameKey :: Store -> DomainId -> String -> IO Key
nameKey store domain name = do
  unless (valid name) $ xenFail ("channel " ++ show name) eINVAL
  home <- domainHome store domain
  pure (home ++ "/data/halvm/names/" ++ name)
  where valid n = not (null n) && length n <= 64 && all (`elem` nameLetters) n

nameLetters :: [Char]
nameLetters = ['a' .. 'z'] ++ ['A' .. 'Z'] ++ ['0' .. '9'] ++ "-_."

linkKey :: Store -> DomainId -> String -> IO Key
linkKey store domain link = do
  home <- domainHome store domain
  pure (home ++ "/data/halvm/links/" ++ link)

commonKey :: String -> Key
commonKey = ("/halvm/" ++)

-- | Publishes a name, to which any domain may connect. A name that was published
-- before, by this domain, is taken over.
listen :: Store -> String -> IO Listener
listen store name = listenIf store name (const True)

-- | To which these domains may connect; they need not be there yet.
listenFor :: Store -> String -> [DomainId] -> IO Listener
listenFor store name = listenIf store name . flip elem

-- The name can be seen and its clients' key be written by all: XenStore gives no
-- permission to a domain that comes later. Who has written is seen afterwards.
listenIf :: Store -> String -> (DomainId -> Bool) -> IO Listener
listenIf store name allowed = mask_ $ do
  me <- ownDomain store
  key <- nameKey store me name
  now <- getMonotonicTimeNSec
  removeKey store key `catchIOError` const (pure ())
  atomicallyInStore store $ \t -> do
    writeKey t key (C.pack ("1 " ++ show now))
    setPermissions t key me MayRead []
    makeKey t (clientsOf key)
    setPermissions t (clientsOf key) me MayReadWrite []
  announce me `catchIOError` const (pure ()) -- there is no common place
  watch <- watchKey store (clientsOf key) `onException` removeKey store key
  Listener store key name allowed watch <$> newMVar S.empty
  where
    announce me = atomicallyInStore store $ \t -> do
      writeKey t (commonKey name) (C.pack (show me))
      setPermissions t (commonKey name) me MayRead []

clientsOf :: Key -> Key
clientsOf = (++ "/clients")

-- | Nobody can connect any more; channels that are there stay.
closeListener :: Listener -> IO ()
closeListener listener = mask_ $ do
  unwatchKey (listenerWatch listener)
  removeKey store (listenerKey listener) `catchIOError` const (pure ())
  flip catchIOError (const (pure ())) $ do
    me <- ownDomain store
    whose <- lookupKey store (commonKey (listenerShort listener))
    when (whose == Just (C.pack (show me))) $
      removeKey store (commonKey (listenerShort listener))
  where store = listenerStore listener

-- | Waits for a client.
accept :: Listener -> IO (InOutChannel i o)
accept listener = do
  found <- modifyMVar (listenerSeen listener) $ \seen -> do
    there <- S.fromList <$> listKeys store (clientsOf (listenerKey listener))
    try' (S.intersection seen there) (S.toList (S.difference there seen))
  case found of
    Just link -> pure (InOutChannel link)
    Nothing -> waitWatch (listenerWatch listener) >> accept listener
  where
    store = listenerStore listener
    try' seen [] = pure (seen, Nothing)
    try' seen (client : rest) = do
      -- what is no error of that client's is the caller's
      found <- (Just <$> acceptOne listener client) `catchIOError` \_ -> do
        -- it sees that it is refused
        removeKey store (clientsOf (listenerKey listener) ++ "/" ++ client)
          `catchIOError` const (pure ())
        pure Nothing
      let seen' = S.insert client seen
      maybe (try' seen' rest) (\link -> pure (seen', Just link)) found

acceptOne :: Listener -> String -> IO Link
acceptOne listener client = mask_ $ do
  -- whoever wrote it owns it, whatever it is called
  (peer, _, _) <- getPermissions store entry
  unless (listenerAllows listener peer) $ xenFail "accept" eACCES
  -- a name with another's number could be that of another's link
  unless ((show peer ++ "-") `isPrefixOf` client) $ xenFail "accept" eINVAL
  (pages, port, references) <- readKey store entry >>= parseOffer
  me <- ownDomain store
  ours <- linkKey store me client
  theirs <- linkKey store peer client
  _ <- readKey store theirs
  bracketOnError (publish me ours peer) (const (gone ours)) $ \_ ->
    bracketOnError (mapPages peer ReadWrite references) unmapPages $ \memory ->
      bracketOnError (bindChannel peer port) closeChannel $ \bell -> do
        ring <- joinRing (mappingPointer memory) pages
        link <- makeLink peer bell ring (unmapPages memory) (gone ours)
        watchPeer link store theirs "the other domain is gone"
        notify bell
        pure link
  where
    store = listenerStore listener
    entry = clientsOf (listenerKey listener) ++ "/" ++ client
    publish me ours peer = publishLink store ours me peer
    gone ours = removeKey store ours `catchIOError` const (pure ())

publishLink :: Store -> Key -> DomainId -> DomainId -> IO ()
publishLink store key me peer = atomicallyInStore store $ \t -> do
  writeKey t key (C.pack (show peer))
  setPermissions t key me NoAccess [(peer, MayRead)]

-- | What a client writes: version, pages of one direction, port, references.
showOffer :: Int -> Port -> [GrantRef] -> ByteString
showOffer pages port references = C.pack . unwords $
  "1" : show pages : show port : map show references

parseOffer :: ByteString -> IO (Int, Port, [GrantRef])
parseOffer bytes = case mapM numeral (C.split ' ' bytes) of
  Just (1 : pages : port : references)
    | fromIntegral pages `elem` ringPageCounts
    , length references == ringPages (fromIntegral pages) ->
        pure (fromIntegral pages, port, references)
  _ -> ioError (nonsense "accept" "a client's offer makes no sense")
  where
    numeral :: ByteString -> Maybe Word32
    numeral digits
      | B.null digits || B.length digits > 10 = Nothing
      | otherwise = case C.readInteger digits of
          Just (n, rest) | B.null rest, n >= 0, n <= 0xffffffff ->
            Just (fromInteger n)
          _ -> Nothing

-- | Publishes a name and runs the action for each client, in a thread of its
-- own; closes the channel when that returns or throws. That the client has
-- closed, or is gone, is no error of the action's.
serve :: Store -> String -> (InOutChannel i o -> IO ()) -> IO a
serve store name action = bracket (listen store name) closeListener $ \l ->
  forever $ mask_ $ do
    channel <- accept l
    forkIOWithUnmask (\unmask ->
      (unmask (action channel) `catchIOError` over) `finally` close channel)
        `onException` close channel
  where
    over e = unless (isEOFError e || isPeerGone e) (ioError e)

-- -- clients --

-- | Where a server is.
data Server
  = AtDomain DomainId
  | Anywhere -- ^ in the common place; see above
  deriving (Eq, Show)

-- | How a channel is made.
data Settings = Settings
  { ringPagesEachWay :: Int
    -- ^ pages of memory in each direction: 1, 2, 4, 8, 16, 32 or 64
  }

-- | 8 pages in each direction: 68 KiB of the client's memory.
defaultSettings :: Settings
defaultSettings = Settings { ringPagesEachWay = 8 }

-- | Connects to a name; waits until it is there and the server accepts. Throws
-- if the server refuses us.
connect :: Store -> Server -> String -> IO (InOutChannel i o)
connect = connectWith defaultSettings

-- | With other settings.
connectWith :: Settings -> Store -> Server -> String -> IO (InOutChannel i o)
connectWith settings store server name = do
  unless (ringPagesEachWay settings `elem` ringPageCounts) $
    xenFail "connectWith" eINVAL
  (peer, key, made) <- case server of
    AtDomain domain -> do
      key <- nameKey store domain name
      (,,) domain key <$> waitFor store key (`visible` key)
    -- A server is announced after it has published its name: what is announced
    -- and not there is an old one.
    Anywhere -> waitFor store (commonKey name) $ \s -> do
      value <- visible s (commonKey name)
      case value >>= numeral . C.unpack of
        Nothing -> pure Nothing
        Just domain -> do
          key <- nameKey s domain name
          fmap ((,,) domain key) <$> visible s key
  offer settings store peer key `catchIOError'` \e -> do
    -- a server that has gone, or is another now, has refused nobody
    still <- visible store key
    if still /= Just made &&
        (isPeerGone e || isPermissionError e || isDoesNotExistError e)
      then connectWith settings store server name
      else ioError e
  where
    numeral s = case reads s of
      [(domain, "")] -> Just domain
      _ -> Nothing
    -- the handler is not masked
    catchIOError' action handler =
      try action >>= either handler (pure . InOutChannel)

offer :: Settings -> Store -> DomainId -> Key -> IO Link
offer settings store peer key = mask $ \restore -> do
  me <- ownDomain store
  now <- getMonotonicTimeNSec
  let client = show me ++ "-" ++ show now
      entry = clientsOf key ++ "/" ++ client
      pages = ringPagesEachWay settings
  ours <- linkKey store me client
  theirs <- linkKey store peer client
  let gone k = removeKey store k `catchIOError` const (pure ())
  bracketOnError (publishLink store ours me peer) (const (gone ours)) $ \_ ->
    let count = ringPages pages in
    bracketOnError (sharePages peer ReadWrite count) letGo $ \share ->
    bracketOnError (allocateChannel peer) closeChannel $ \bell -> do
      ring <- makeRing (sharePointer share) pages
      link <- makeLink peer bell ring (pure ()) $ do
        gone entry
        gone ours
        letGo share
      flip onException (closeLink link) $ do
        atomicallyInStore store $ \t -> do
          writeKey t entry
            (showOffer pages (channelPort bell) (shareReferences share))
          setPermissions t entry me NoAccess [(peer, MayReadWrite)]
        watchPeer link store entry "the server refuses"
        restore $ waiting link $ do
          state <- onRing link "connect" ringState
          pure (if state == RingWaiting then Nothing else Just ())
        endWatches link
        watchPeer link store theirs "the other domain is gone"
      pure link

-- | Ends the share as soon as the other side has let go of it.
letGo :: Share -> IO ()
letGo share = void $ forkIO $ go (50 :: Int)
  where
    go left = endShare share `catchIOError` \_ ->
      if left == 0 then abandonShare share
        else threadDelay 20000 >> go (left - 1)

-- -- either --

-- | A channel between two domains that both call this, with each other's number
-- and the same name.
peerConnection :: Store -> DomainId -> String -> IO (InOutChannel i o)
peerConnection store other name = do
  me <- ownDomain store
  if me > other
    then connect store (AtDomain other) name
    else bracket (listenFor store name [other]) closeListener accept
