-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- XenStore: the tree of small texts through which the domains of a Xen host
-- know of each other.
--
-- > import System.HaLVM.Xen.Store
-- >
-- > main = withStore $ \store -> do
-- >   me <- ownDomain store
-- >   writeKey store "data/greeting" "hello"          -- below our own home
-- >   setPermissions store "data/greeting" me NoAccess [(DomainId 0, MayRead)]
-- >   names <- listKeys store "/local/domain/0"
-- >   n <- atomicallyInStore store $ \t -> do          -- all of it or nothing
-- >     n <- maybe 0 (read . unpack) <$> lookupKey t "data/counter"
-- >     writeKey t "data/counter" (pack (show (n + 1)))
-- >     pure n
-- >   waitKey store "data/answer" >>= print            -- until it is there
-- >   ...
--
-- A key without a leading @\/@ is below the domain's own home,
-- @\/local\/domain\/N@, where a guest may write below @data@. Values are bytes
-- and short: a request has 4096 bytes at most, with the key and 16 of its own.
--
-- Errors are 'IOError's by their kind: 'System.IO.Error.isDoesNotExistError',
-- 'System.IO.Error.isPermissionError', and so on.
--
-- In a guest of Xen, and as a Linux process where there is
-- @\/dev\/xen\/xenbus@. Elsewhere 'openStore' throws an error that satisfies
-- 'System.IO.Error.isDoesNotExistError'.
module System.HaLVM.Xen.Store
  ( -- * The store
    Store, openStore, closeStore, withStore, Key
    -- * Keys
  , readKey, lookupKey, writeKey, makeKey, removeKey, listKeys
    -- * Domains
  , DomainId (..), ownDomain, domainHome
    -- * Permissions
  , Permission (..), setPermissions, getPermissions
    -- * Transactions
  , atomicallyInStore
    -- * Watches
  , Watch, watchKey, unwatchKey, withWatch, waitWatch, waitKey, waitFor
  ) where

import Control.Concurrent (forkIO, threadDelay)
import Control.Concurrent.MVar
import Control.Exception
  ( SomeException, bracket, catch, fromException, mask, mask_, onException
  , throwIO, toException, try )
import Control.Monad (unless, void, when)
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Internal as I
import qualified Data.ByteString.Unsafe as U
import qualified Data.Map.Strict as M
import Data.Word (Word32, Word8)
import Foreign.C.Error
import Foreign.C.Types (CInt (..), CLong (..), CSize (..))
import Foreign.Ptr (Ptr, castPtr, plusPtr)
import Foreign.Storable (peekByteOff, pokeByteOff)
import GHC.IO.Exception (IOException (ioe_errno))
import System.IO.Error (catchIOError, isDoesNotExistError)

import System.HaLVM.Xen.Device

foreign import ccall unsafe "hs_xen_read"
  c_read :: CInt -> Ptr Word8 -> CSize -> IO CLong
foreign import ccall unsafe "hs_xen_write"
  c_write :: CInt -> Ptr Word8 -> CSize -> IO CLong

-- | A path, such as @data\/name@ or @\/local\/domain\/0\/name@.
type Key = String

type Answer = Either SomeException ByteString

-- | A connection; inside 'atomicallyInStore' one that sees the transaction.
-- Any number of threads may use it.
data Store = Store
  { storeDevice :: Device
  , storeTransaction :: Word32
  , storeWriting :: MVar (Word32, MVar Answer) -- the last request
  , storeState :: MVar State
  }

data State = State
  { stateFailed :: Maybe SomeException -- the connection is no use any more
  , stateAsked :: M.Map Word32 (MVar Answer)
  , stateWatches :: M.Map ByteString Watch -- by token
  , stateTokens :: Int
  }

-- | A key that is watched, and all below it.
data Watch = Watch
  { watchStore :: Store
  , watchedKey :: Key
  , watchToken :: ByteString
  , watchSeen :: MVar [Key] -- changed keys, each once; the newest first
  , watchBell :: MVar () -- full if there are any, or the connection failed
  }

-- enum xsd_sockmsg_type of xs_wire.h
opDirectory, opRead, opGetPermissions, opWatch, opUnwatch, opBegin, opEnd,
  opHome, opWrite, opMake, opRemove, opSetPermissions, opEvent, opError,
  opDirectoryPart :: Word32
opDirectory = 1
opRead = 2
opGetPermissions = 3
opWatch = 4
opUnwatch = 5
opBegin = 6
opEnd = 7
opHome = 10
opWrite = 11
opMake = 12
opRemove = 13
opSetPermissions = 14
opEvent = 15
opError = 16
opDirectoryPart = 22

-- -- the connection --

-- | A connection of one's own.
openStore :: IO Store
openStore = mask_ $ do
  device <- openDevice "xenbus"
  nothing <- newMVar (Right B.empty)
  store <- Store device 0 <$> newMVar (0, nothing)
    <*> newMVar (State Nothing M.empty M.empty 0)
  void (forkIO (listen store)) `onException` closeDevice device
  pure store

-- | Ends its watches and transactions. Who waits gets an error. A second time
-- does nothing.
closeStore :: Store -> IO ()
closeStore = closeDevice . storeDevice

-- | For as long as the action lasts.
withStore :: (Store -> IO a) -> IO a
withStore = bracket openStore closeStore

-- | Takes what comes, until the connection ends.
listen :: Store -> IO ()
listen store = loop `catch` \e -> do
  let failure = e :: SomeException
  (asked, watches) <- modifyMVar (storeState store) $ \s ->
    pure ( s { stateFailed = Just failure, stateAsked = M.empty }
         , (M.elems (stateAsked s), M.elems (stateWatches s)) )
  mapM_ (`tryPutMVar` Left failure) asked
  mapM_ (\w -> tryPutMVar (watchBell w) ()) watches
  where
    loop = do
      (op, number, body) <- receive store
      if op == opEvent then event store body else answer store op number body
      loop

answer :: Store -> Word32 -> Word32 -> ByteString -> IO ()
answer store op number body = do
  place <- modifyMVar (storeState store) $ \s -> pure
    ( s { stateAsked = M.delete number (stateAsked s) }
    , M.lookup number (stateAsked s) )
  let result
        | op == opError = Left (toException (named "XenStore" body))
        | otherwise = Right body
  maybe (pure ()) (void . (`tryPutMVar` result)) place

event :: Store -> ByteString -> IO ()
event store body = case C.split '\0' body of
  key : token : _ -> do
    watch <- M.lookup token . stateWatches <$> readMVar (storeState store)
    case watch of
      Nothing -> pure ()
      Just w -> do
        let name = C.unpack key
        modifyMVar_ (watchSeen w) $ \seen ->
          pure (if name `elem` seen then seen
            else if length seen >= seenMax then [watchedKey w]
            else name : seen)
        void (tryPutMVar (watchBell w) ())
  _ -> pure ()

-- Changed keys that a watch remembers: beyond, it is told of as a whole.
seenMax :: Int
seenMax = 64

headSize, bodyMax :: Int
headSize = 16
bodyMax = 4096

receive :: Store -> IO (Word32, Word32, ByteString)
receive store = do
  first <- exactly store headSize
  (op, number, size) <- U.unsafeUseAsCString first $ \p ->
    (,,) <$> peekByteOff p 0 <*> peekByteOff p 4
      <*> (peekByteOff p 12 :: IO Word32)
  when (fromIntegral size > bodyMax) $ xenFail "XenStore" eIO
  body <- exactly store (fromIntegral size)
  pure (op, number, body)

exactly :: Store -> Int -> IO ByteString
exactly store size = go 0 []
  where
    go got parts
      | got == size = pure (B.concat (reverse parts))
      | otherwise = do
          part <- some (size - got)
          go (got + B.length part) (part : parts)
    some most = do
      place <- I.mallocByteString most
      n <- U.unsafeUseAsCString (I.fromForeignPtr place 0 most) $ \p ->
        withDevice (storeDevice store) $ \fd ->
          c_read fd (castPtr p) (fromIntegral most)
      case n of
        _ | n > 0 -> pure (I.fromForeignPtr place 0 (fromIntegral n))
          | isAgain n -> waitReadable (storeDevice store) >> some most
          | n == 0 -> xenFail "XenStore" eIO
          | otherwise -> xenFail "XenStore" (Errno (fromIntegral (negate n)))

-- | One request and its answer. One is under way at a time: Linux's xenbus
-- sends a request from the buffer that the next one is written to. What is
-- written is written whole, and its answer is waited for by the next request,
-- also if the thread is killed meanwhile: the connection is everybody's.
ask :: Store -> String -> Word32 -> Word32 -> [ByteString] -> IO ByteString
ask store what op transaction parts = do
  -- Linux has no room for more, with the header
  when (B.length body > bodyMax - headSize) $ xenFail what e2BIG
  place <- newEmptyMVar
  mask_ $ modifyMVar_ (storeWriting store) $ \(before, answered) -> do
    _ <- readMVar answered
    let number = before + 1
    modifyMVar_ (storeState store) $ \s -> case stateFailed s of
      Just failure -> throwIO failure
      Nothing -> pure s { stateAsked = M.insert number place (stateAsked s) }
    message <- make number
    (number, place) <$ send message False `onException` forget number
  result <- readMVar place
  case result of
    Right bytes -> pure bytes
    Left e -> throwIO (maybe e (toException . about) (fromException e))
  where
    body = B.concat parts
    about e = maybe e (\n -> xenError what (Errno n)) (ioe_errno e)
    forget number = modifyMVar_ (storeState store) $ \s ->
      pure s { stateAsked = M.delete number (stateAsked s) }
    make number = I.create (headSize + B.length body) $ \p -> do
      pokeByteOff p 0 op
      pokeByteOff p 4 (number :: Word32)
      pokeByteOff p 8 transaction
      pokeByteOff p 12 (fromIntegral (B.length body) :: Word32)
      U.unsafeUseAsCStringLen body $ \(from, size) ->
        I.memcpy (p `plusPtr` headSize) (castPtr from) size
    -- the second part of a message cannot be left out
    send bytes begun = unless (B.null bytes) $ do
      n <- U.unsafeUseAsCStringLen bytes $ \(p, size) ->
        withDevice (storeDevice store) $ \fd ->
          c_write fd (castPtr p) (fromIntegral size)
      case n of
        _ | n > 0 -> send (B.drop (fromIntegral n) bytes) True
          | isAgain n -> do
              waitWritable (storeDevice store) `catch` \e ->
                unless begun (throwIO (e :: SomeException))
              send bytes begun
          | otherwise -> xenFail what (Errno (fromIntegral (negate n)))

-- | The names of errors that XenStore has (xsd_errors of xs_wire.h).
named :: String -> ByteString -> IOError
named what name = xenError what $ case C.unpack (C.takeWhile (/= '\0') name) of
  "EINVAL" -> eINVAL
  "EACCES" -> eACCES
  "EEXIST" -> eEXIST
  "EISDIR" -> eISDIR
  "ENOENT" -> eNOENT
  "ENOMEM" -> eNOMEM
  "ENOSPC" -> eNOSPC
  "ENOTEMPTY" -> eNOTEMPTY
  "ENOSYS" -> eOPNOTSUPP
  "EROFS" -> eROFS
  "EBUSY" -> eBUSY
  "EAGAIN" -> eAGAIN
  "EISCONN" -> eISCONN
  "E2BIG" -> e2BIG
  "EPERM" -> ePERM
  "EQUOTA" -> eDQUOT
  _ -> eIO

text :: String -> ByteString
text = (`B.snoc` 0) . C.pack

onKey :: Store -> Word32 -> Key -> [ByteString] -> IO ByteString
onKey store op key rest = do
  when ('\0' `elem` key) $ xenFail key eINVAL
  ask store key op (storeTransaction store) (text key : rest)

-- -- keys --

-- | Its value. Throws if there is no such key, or it is not to be read.
readKey :: Store -> Key -> IO ByteString
readKey store key = onKey store opRead key []

-- | Its value; 'Nothing' if there is no such key.
lookupKey :: Store -> Key -> IO (Maybe ByteString)
lookupKey store key = (Just <$> readKey store key) `catchIOError` \e ->
  if isDoesNotExistError e then pure Nothing else ioError e

-- | Makes the key, and those above it, if they are not there.
writeKey :: Store -> Key -> ByteString -> IO ()
writeKey store key value = void (onKey store opWrite key [value])

-- | As 'writeKey', but leaves the value of a key that is there.
makeKey :: Store -> Key -> IO ()
makeKey store key = void (onKey store opMake key [])

-- | Removes the key and all below it. A key that is not there is no error, if
-- the one above it is.
removeKey :: Store -> Key -> IO ()
removeKey store key = void (onKey store opRemove key [])

-- | The names right below a key.
listKeys :: Store -> Key -> IO [String]
listKeys store key = (names <$> onKey store opDirectory key [])
  `catchIOError` \e ->
    if ioe_errno e == code e2BIG then parts B.empty B.empty else ioError e
  where
    -- More names than an answer has room for come in pieces, each with a number
    -- that changes if they do; the last has an empty name at its end.
    parts count got = do
      piece <- onKey store opDirectoryPart key [text (show (B.length got))]
      let (now, rest) = B.break (== 0) piece
          new = B.drop 1 rest
          ended = B.null new || new == B.singleton 0
            || B.pack [0, 0] `B.isSuffixOf` new
      if not (B.null got) && now /= count
        then parts B.empty B.empty
        else if ended then pure (names (got <> new)) else parts now (got <> new)

names :: ByteString -> [String]
names = map C.unpack . filter (not . B.null) . B.split 0

code :: Errno -> Maybe CInt
code (Errno n) = Just n

-- -- domains --

-- | Which domain we are.
ownDomain :: Store -> IO DomainId
ownDomain store = do
  value <- readKey store "domid"
  case reads (C.unpack value) of
    [(domain, "")] -> pure domain
    _ -> xenFail "domid" eIO

-- | @\/local\/domain\/N@: what the keys of that domain begin with.
domainHome :: Store -> DomainId -> IO Key
domainHome store domain = C.unpack . C.takeWhile (/= '\0') <$>
  ask store "domainHome" opHome 0 [text (show domain)]

-- -- permissions --

-- | What a domain may do with a key that is not its own.
data Permission = NoAccess | MayRead | MayWrite | MayReadWrite
  deriving (Eq, Ord, Show)

letter :: Permission -> Char
letter p = case p of
  NoAccess -> 'n'
  MayRead -> 'r'
  MayWrite -> 'w'
  MayReadWrite -> 'b'

-- | Whose a key is (only the owner may change that), what domains may do that
-- are not named, and what each of these may.
setPermissions
  :: Store -> Key -> DomainId -> Permission -> [(DomainId, Permission)] -> IO ()
setPermissions store key owner others some =
  void (onKey store opSetPermissions key
    [text (letter p : show d) | (d, p) <- (owner, others) : some])

-- | As 'setPermissions' takes them.
getPermissions
  :: Store -> Key -> IO (DomainId, Permission, [(DomainId, Permission)])
getPermissions store key = do
  answers <- names <$> onKey store opGetPermissions key []
  case mapM one answers of
    Just ((owner, others) : some) -> pure (owner, others, some)
    _ -> xenFail key eIO
  where
    one (c : number) = do
      permission <- lookup c
        [(letter p, p) | p <- [NoAccess, MayRead, MayWrite, MayReadWrite]]
      case reads number of
        [(domain, "")] -> Just (domain, permission)
        _ -> Nothing
    one [] = Nothing

-- -- transactions --

-- | Does all that the action does with the store it is given, or nothing: if it
-- throws, or if others have changed what it read meanwhile; then it is done
-- again, so it should do nothing else. After a thousand times that throws
-- (@EAGAIN@).
atomicallyInStore :: Store -> (Store -> IO a) -> IO a
atomicallyInStore store action
  | storeTransaction store /= 0 = action store -- is in one already
  | otherwise = attempt (1000 :: Int)
  where
    attempt left = do
      result <- mask $ \restore -> do
        t <- begin
        value <- try (restore (action store { storeTransaction = t }))
        case value of
          Left e -> do
            giveUp t
            if again e then pure Nothing else throwIO e
          Right v -> (Just v <$ end t "T") `catchIOError` \e ->
            if again (toException e) then pure Nothing else ioError e
      case result of
        Just v -> pure v
        Nothing | left <= 1 -> xenFail "transaction" eAGAIN
                | otherwise -> do
                    threadDelay (min 10000 (100 * (1001 - left)))
                    attempt (left - 1)
    -- One that nobody waits for any more is ended.
    begin = whollyOr giveUp $
      ask store "transaction" opBegin 0 [B.singleton 0] >>= number
    number begun = case C.readInt begun of
      Just (n, rest) | n > 0, B.all (== 0) rest -> pure (fromIntegral n)
      _ -> xenFail "transaction" eIO
    giveUp t = void (end t "F") `catchIOError` const (pure ())
    end t how = wholly (ask store "transaction" opEnd t [text how])
    again e = case fromException e of
      Just io -> ioe_errno io == code eAGAIN
      Nothing -> False

-- -- watches --

-- | Begins to watch a key and all below it. The first event comes at once.
watchKey :: Store -> Key -> IO Watch
watchKey store key = mask_ $ do
  when ('\0' `elem` key) $ xenFail key eINVAL
  watch <- modifyMVar (storeState store) $ \s -> do
    let token = C.pack ("w" ++ show (stateTokens s))
    watch <- Watch store key token <$> newMVar [] <*> newEmptyMVar
    pure ( s { stateWatches = M.insert token watch (stateWatches s)
             , stateTokens = stateTokens s + 1 }
         , watch )
  -- It may be there already when we are interrupted.
  whollyOr (const (unwatch watch)) (void (ask store key opWatch 0 (watchTexts watch)))
    `onException` forgetWatch watch
  pure watch

watchTexts :: Watch -> [ByteString]
watchTexts watch = [text (watchedKey watch), watchToken watch `B.snoc` 0]

-- One that is not there is no error.
unwatch :: Watch -> IO ()
unwatch watch =
  void (ask (watchStore watch) (watchedKey watch) opUnwatch 0 (watchTexts watch))
    `catchIOError` const (pure ())

forgetWatch :: Watch -> IO ()
forgetWatch watch = modifyMVar_ (storeState (watchStore watch)) $ \s ->
  pure s { stateWatches = M.delete (watchToken watch) (stateWatches s) }

-- | A second time does nothing.
unwatchKey :: Watch -> IO ()
unwatchKey watch = wholly $ do
  known <- M.member (watchToken watch) . stateWatches
    <$> readMVar (storeState (watchStore watch))
  forgetWatch watch
  when known (unwatch watch)

-- | For as long as the action lasts.
withWatch :: Store -> Key -> (Watch -> IO a) -> IO a
withWatch store key = bracket (watchKey store key) unwatchKey

-- | Waits for a change; the keys that have changed. If there were too many, the
-- watched key stands for all of them.
waitWatch :: Watch -> IO [Key]
waitWatch watch = do
  takeMVar (watchBell watch)
  seen <- modifyMVar (watchSeen watch) $ \seen -> pure ([], reverse seen)
  if null seen then failed else pure seen
  where
    failed = do
      failure <- stateFailed <$> readMVar (storeState (watchStore watch))
      case failure of
        Just e -> void (tryPutMVar (watchBell watch) ()) >> throwIO e
        Nothing -> waitWatch watch

-- | Looks now and after each change at or below the key, until the action has
-- a result.
waitFor :: Store -> Key -> (Store -> IO (Maybe a)) -> IO a
waitFor store key look = withWatch store key $ \watch ->
  let loop = look store >>= maybe (waitWatch watch >> loop) pure in loop

-- | Waits until there is such a key, and reads it.
waitKey :: Store -> Key -> IO ByteString
waitKey store key = waitFor store key (`lookupKey` key)
