-- SPDX-License-Identifier: BSD-3-Clause
-- | A service (@halvm\/service.h@) that a Haskell thread serves: it takes
-- events, hands each to a function that must not block, and takes the next.
-- What may block runs in threads of its own.
module System.HaLVM.Service
  ( Service, servicePointer, newService, endService, setPatience, caughtUp
  , Event (..), check, failWith, errnoOf
  ) where

import Control.Concurrent
  ( forkIO, killThread, rtsSupportsBoundThreads, threadWaitRead )
import Control.Concurrent.MVar
import Control.Exception
  ( AsyncException (..), SomeException, fromException, mask_, throwIO, try
  , uninterruptibleMask_ )
import Control.Monad (unless, void, when)
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import Data.Int (Int64)
import Data.Word (Word64)
import Foreign.C.Error (Errno (..), eIO, eNOSYS, errnoToIOError)
import Foreign.C.String (withCString)
import Foreign.C.Types (CInt)
import Foreign.Marshal.Array (allocaArray, peekArray)
import Foreign.Ptr (Ptr, castPtr, nullPtr)
import Foreign.C.Types (CUInt)
import GHC.Conc (TVar, atomically, newTVarIO, readTVar, readTVarIO, retry, writeTVar)
import GHC.IO.Exception (IOException (ioe_errno))
import System.Posix.Types (Fd (..))

import System.HaLVM.Foreign

data Service = Service
  { servicePointer :: Ptr CService
  , serviceHandled :: TVar Word64 -- events, ever
  , serviceStop :: IO ()
  }

-- | What came, as @struct halvm_event@ has it.
data Event = Event
  { eventKind :: !Int
  , eventFd :: !CInt
  , eventId :: !Word64
  , eventNumbers :: [Int64]
  , eventData :: !ByteString
  }

-- | Throws what the result says, if it is negative: -errno.
check :: Integral a => String -> a -> IO a
check what result
  | result < 0 = failWith what (Errno (fromIntegral (negate result)))
  | otherwise = pure result

failWith :: String -> Errno -> IO a
failWith what errno
  | errno == eNOSYS =
      ioError (userError (what ++ ": the program is not linked with HaLVM's \
        \libraries; build it with halvm-ghc"))
  | otherwise = ioError (errnoToIOError what errno Nothing Nothing)

-- | The error number of an exception: an 'IOException' has its own, all else
-- is @EIO@.
errnoOf :: SomeException -> CInt
errnoOf e = case fromException e >>= ioe_errno of
  Just n | n > 0 && n < 4096 -> n
  _ -> let Errno n = eIO in n

-- | Starts one, with the function that each event goes to, and what is to be
-- done before its descriptors are closed.
newService :: String -> (Service -> Event -> IO ()) -> IO () -> IO Service
newService name handle leave = do
  linked <- c_linked
  when (linked == 0) $ failWith name eNOSYS
  pointer <- withCString name c_service_new
  when (pointer == nullPtr) $ ioError (userError (name ++ ": out of memory"))
  unless rtsSupportsBoundThreads $ c_service_own pointer
  fd <- c_service_fd pointer
  handled <- newTVarIO 0
  self <- newEmptyMVar
  asked <- newEmptyMVar
  done <- newEmptyMVar
  thread <- mask_ $ forkIO $ do
    service <- readMVar self
    result <- try (loop service (Fd fd)) :: IO (Either SomeException ())
    atomically (writeTVar handled maxBound)
    -- One that was given up stays until endService, as what its events began
    -- may still run, and answers by the pointer.
    either (const (pure ())) (const (waitFor asked)) result
    uninterruptibleMask_ leave
    c_service_end pointer
    putMVar done ()
  let end = do
        void (tryPutMVar asked ())
        killThread thread
        readMVar done
      service = Service pointer handled end
  putMVar self service
  pure service
  where
    -- Only endService's exception ends it: a handler's stays here.
    loop service fd = do
      threadWaitRead fd
      takeAll service
      ended <- c_service_is_ended (servicePointer service)
      when (ended == 0) $ loop service fd
    waitFor asked = do
      _ <- try (readMVar asked) :: IO (Either SomeException ())
      pure ()
    takeAll service = do
      event <- takeEvent (servicePointer service)
      case event of
        Nothing -> pure ()
        Just e -> do
          result <- try (handle service e)
          case result of
            Left err | Just ThreadKilled <- fromException err ->
              throwIO ThreadKilled
            Left err -> const (pure ()) (err :: SomeException)
            Right () -> pure ()
          atomically $ readTVar (serviceHandled service)
            >>= writeTVar (serviceHandled service) . (+ 1)
          takeAll service

takeEvent :: Ptr CService -> IO (Maybe Event)
takeEvent service = mask_ $ do
  event <- c_service_take service
  if event == nullPtr
    then pure Nothing
    else allocaArray 11 $ \words64 -> do
      bytes <- c_event_get event words64
      numbers <- peekArray 11 words64
      case numbers of
        kind : fd : ident : size : rest -> do
          content <- B.packCStringLen (castPtr bytes, fromIntegral size)
          c_event_free event
          pure $ Just Event
            { eventKind = fromIntegral kind
            , eventFd = fromIntegral fd
            , eventId = fromIntegral ident
            , eventNumbers = rest
            , eventData = content
            }
        _ -> pure Nothing

-- | Gives back what it serves; returns when its thread has ended.
endService :: Service -> IO ()
endService = serviceStop

-- | Waits until so many events were handled, or the service has ended.
caughtUp :: Service -> Word64 -> IO ()
caughtUp service posted = do
  handled <- readTVarIO (serviceHandled service)
  when (handled < posted) $ atomically $ do
    now <- readTVar (serviceHandled service)
    when (now < posted) retry

-- | How long (ms) it may be stuck while others wait: see @halvm\/service.h@.
setPatience :: Service -> Int -> IO ()
setPatience service ms =
  c_service_patience (servicePointer service) (fromIntegral ms :: CUInt)
