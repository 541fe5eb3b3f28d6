-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- What a program can know of the machine it is, and its end.
--
-- > import System.HaLVM
-- >
-- > main = do
-- >   base <- getBase
-- >   putStrLn ("started on " ++ show base)
-- >   onShutdown (putStrLn "good bye")
-- >   ...
module System.HaLVM
  ( Base (..), getBase, isUnikernel
  , getVersion, getArguments, getUptime
  , Memory (..), getMemory
  , onShutdown, shutdown, halt
  ) where

import Control.Concurrent (forkIO)
import Control.Concurrent.MVar
import Control.Exception (SomeException, try)
import Control.Monad (forM_, void)
import Data.Char (isDigit)
import Data.Maybe (fromMaybe)
import Data.Word (Word64)
import GHC.Clock (getMonotonicTimeNSec)
import System.Directory (doesFileExist)
import System.Environment (getArgs)
import System.Exit (ExitCode (..))
import System.IO (hFlush, stdout)
import System.IO.Unsafe (unsafePerformIO)
import System.Posix.Process (exitImmediately)
import System.Posix.Signals (Handler (..), installHandler, sigTERM)

-- | What is below the program.
data Base
  = LinuxProcess -- ^ an ordinary process of Linux
  | BareMachine -- ^ KVM, QEMU, Xen PVH: the machine is ours
  | XenPV -- ^ a paravirtual guest of Xen
  | OtherBase String
  deriving (Eq, Show)

getBase :: IO Base
getBase = do
  facts <- readFacts "/proc/halvm/status"
  pure $ case lookup "base" facts of
    Nothing -> LinuxProcess
    Just "hw" -> BareMachine
    Just "xenpv" -> XenPV
    Just name -> OtherBase name

-- | Whether the program has no operating system below it.
isUnikernel :: IO Bool
isUnikernel = (/= LinuxProcess) <$> getBase

-- | HaLVM's version, in a unikernel.
getVersion :: IO (Maybe String)
getVersion = lookup "version" <$> readFacts "/proc/halvm/status"

-- | The arguments, without those of the runtime: 'getArgs'.
getArguments :: IO [String]
getArguments = getArgs

-- | Nanoseconds since the machine started (as a Linux process: that it runs on).
getUptime :: IO Word64
getUptime = getMonotonicTimeNSec

-- | The machine's memory in bytes, by account; their sum is 'memoryTotal'. As a
-- Linux process, all but total and free are 0.
data Memory = Memory
  { memoryTotal, memoryFree, memoryImage, memoryCore, memoryProgram
  , memoryFiles, memoryNetwork, memoryCache :: Word64 }
  deriving (Eq, Show)

getMemory :: IO Memory
getMemory = do
  facts <- readFacts "/proc/halvm/status"
  host <- readFacts "/proc/meminfo"
  let fact name = fromMaybe 0 (lookup name facts >>= number)
      kilobytes name = maybe 0 (* 1024) (lookup name host >>= number)
  pure $ if null facts
    then Memory (kilobytes "MemTotal:") (kilobytes "MemAvailable:") 0 0 0 0 0 0
    else Memory (fact "memory_total") (fact "memory_free")
      (fact "memory_image") (fact "memory_core") (fact "memory_anonymous")
      (fact "memory_file") (fact "memory_network") (fact "memory_cache")
  where
    number text = case span isDigit text of
      (digits@(_ : _), _) -> Just (read digits)
      _ -> Nothing

-- | Lines of a name and a value.
readFacts :: FilePath -> IO [(String, String)]
readFacts path = do
  there <- doesFileExist path
  if not there then pure [] else do
    text <- readFile path
    let facts = [ (name, value) | name : value : _ <- map words (lines text) ]
    length facts `seq` pure facts

handlers :: MVar (Maybe [IO ()])
handlers = unsafePerformIO (newMVar Nothing)
{-# NOINLINE handlers #-}

-- | Runs when the operator asks the machine to stop (@SIGTERM@, the power
-- button, @xl shutdown@), the last that was given first; then the program ends
-- with status 0. Without any, it ends at once with 143.
onShutdown :: IO () -> IO ()
onShutdown action = modifyMVar_ handlers $ \known -> do
  case known of
    Nothing -> void (installHandler sigTERM (CatchOnce (void (forkIO shutdown)))
      Nothing)
    Just _ -> pure ()
  pure (Just (action : fromMaybe [] known))

-- | What happens then, at the program's own wish. Returns to nobody.
shutdown :: IO ()
shutdown = do
  known <- fromMaybe [] <$> swapMVar handlers (Just [])
  forM_ known $ \action -> try action :: IO (Either SomeException ())
  void (try (hFlush stdout) :: IO (Either SomeException ()))
  exitImmediately ExitSuccess

-- | Ends the program with a status, from any thread, at once.
halt :: Int -> IO ()
halt 0 = exitImmediately ExitSuccess
halt status = exitImmediately (ExitFailure status)
