-- SPDX-License-Identifier: BSD-3-Clause
-- | What the modules of System.HaLVM.Xen share: domains, files of @\/dev\/xen@,
-- errors.
module System.HaLVM.Xen.Device
  ( DomainId (..), Access (..)
  , Device, openDevice, withDevice, closeDevice, waitReadable, waitWritable
  , xenError, xenFail, isAgain, wholly, whollyOr
  ) where

import Control.Concurrent
  ( ThreadId, forkIO, myThreadId, threadWaitRead, threadWaitWrite, throwTo )
import Control.Concurrent.MVar
import Control.Exception
  ( SomeException, bracket_, mask_, onException, throwIO, try
  , uninterruptibleMask_ )
import Control.Monad (forM_)
import Data.List (delete)
import Data.Word (Word16)
import Foreign.C.Error (Errno (..), eAGAIN, eBADF, errnoToIOError)
import Foreign.C.String (CString, withCString)
import Foreign.C.Types (CInt (..))
import GHC.Conc (closeFdWith)
import System.Posix.IO (closeFd)
import System.Posix.Types (Fd (..))

foreign import ccall unsafe "hs_xen_open" c_open :: CString -> IO CInt

-- | The number by which Xen knows a domain; dom0 is 0.
newtype DomainId = DomainId Word16
  deriving (Eq, Ord)

instance Show DomainId where
  show (DomainId n) = show n

instance Read DomainId where
  readsPrec d text = [(DomainId n, rest) | (n, rest) <- readsPrec d text]

-- | What another domain may do with a page.
data Access = ReadOnly | ReadWrite
  deriving (Eq, Ord, Show)

-- | An open file of @\/dev\/xen@, and the threads that wait for it.
data Device = Device String (MVar (Maybe CInt)) (MVar [ThreadId])

openDevice :: String -> IO Device
openDevice name = mask_ $ do
  fd <- withCString path c_open
  if fd < 0
    then xenFail path (Errno (negate fd))
    else Device path <$> newMVar (Just fd) <*> newMVar []
  where path = "/dev/xen/" ++ name

-- | Who waits for it gets an error. A second time does nothing.
--
-- They are told before it is closed: the runtime without threads tells who waits
-- for a closed descriptor, too, but leaves a thread in two of its queues
-- (awaitEvent of GHC 9.0's rts\/posix\/Select.c does not clear its link).
closeDevice :: Device -> IO ()
closeDevice (Device path place waiting) = uninterruptibleMask_ $ do
  fd <- swapMVar place Nothing
  forM_ fd $ \n -> do
    withMVar waiting $ mapM_ (`throwTo` xenError path eBADF)
    closeFdWith closeFd (Fd n)

-- | The descriptor, for a call that does not wait; it is not closed meanwhile.
withDevice :: Device -> (CInt -> IO a) -> IO a
withDevice (Device path place _) action =
  withMVar place (maybe (xenFail path eBADF) action)

waitReadable, waitWritable :: Device -> IO ()
waitReadable = waitWith threadWaitRead
waitWritable = waitWith threadWaitWrite

waitWith :: (Fd -> IO ()) -> Device -> IO ()
waitWith wait (Device path place waiting) = do
  me <- myThreadId
  let enter = modifyMVar_ waiting (pure . (me :))
      leave = modifyMVar_ waiting (pure . delete me)
  bracket_ enter leave $
    readMVar place >>= maybe (xenFail path eBADF) (wait . Fd)

-- | The action in a thread of its own, masked, and its result: who waits for it
-- may be interrupted, it is done to its end.
wholly :: IO a -> IO a
wholly = whollyOr (const (pure ()))

-- | The same, and what is done with a result that nobody waits for any more.
whollyOr :: (a -> IO ()) -> IO a -> IO a
whollyOr orphan action = mask_ $ do
  place <- newEmptyMVar
  _ <- forkIO (try action >>= putMVar place)
  result <- readMVar place `onException`
    forkIO (readMVar place >>= either ignored orphan)
  either throwIO pure result
  where
    ignored :: SomeException -> IO ()
    ignored _ = pure ()

xenError :: String -> Errno -> IOError
xenError what errno = errnoToIOError what errno Nothing Nothing

xenFail :: String -> Errno -> IO a
xenFail what errno = ioError (xenError what errno)

-- | A result that says: not now.
isAgain :: Integral a => a -> Bool
isAgain n = let Errno e = eAGAIN in toInteger n == negate (toInteger e)
