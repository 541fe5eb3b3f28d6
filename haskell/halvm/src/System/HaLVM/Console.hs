-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- The console in Haskell's hands: what the program, its C libraries and the
-- runtime write to standard output and error goes to a function, and what they
-- read from standard input comes from one.
--
-- > import System.HaLVM.Console
-- >
-- > main = do
-- >   c <- takeConsole $ \line -> sendToLogServer line
-- >   putStrLn "hello"        -- to the log server
-- >   writeConsole c "to the real console"
-- >   giveConsoleBack c
module System.HaLVM.Console
  ( Console, takeConsole, writeConsole, giveConsoleBack
  , Input, takeInput, feedInput, giveInputBack
  ) where

import Control.Concurrent
  ( forkIOWithUnmask, rtsSupportsBoundThreads, threadWaitWrite )
import Control.Concurrent.MVar
import Control.Exception (SomeException, mask_, try)
import Control.Monad (unless, void)
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Unsafe as U
import Foreign.C.Types (CInt)
import Foreign.Ptr (castPtr)
import System.IO (hFlush, hSetBinaryMode, stderr, stdout, hClose, Handle)
import System.Posix.IO
  ( closeFd, createPipe, dupTo, fdToHandle, fdWriteBuf, setFdOption
  , FdOption (..) )
import System.Posix.Types (Fd (..))

import System.HaLVM.Foreign
import System.HaLVM.Service (check)

-- | Standard output and error, taken.
data Console = Console
  { consoleOut, consoleErr :: Fd -- the real ones
  , consoleDone :: MVar ()
  }

-- | From now on the function gets what is written to descriptors 1 and 2, as it
-- comes, in one thread. What it throws is dropped. In the non-threaded runtime
-- they do not block, so that the function may run while a 'System.IO.Handle'
-- waits; C code that writes faster than it takes gets @EAGAIN@ or a part, as
-- nothing could make room while such a call waits.
takeConsole :: (ByteString -> IO ()) -> IO Console
takeConsole consume = mask_ $ do
  hFlush stdout
  hFlush stderr
  (Fd from, Fd to) <- createPipe
  unless rtsSupportsBoundThreads $ setFdOption (Fd to) NonBlockingRead True
  realOut <- replace to 1
  realErr <- replace to 2
  closeFd (Fd to)
  handle <- fdToHandle (Fd from)
  hSetBinaryMode handle True
  done <- newEmptyMVar
  void $ forkIOWithUnmask $ \unmask ->
    pump handle (unmask . consume) >> putMVar done ()
  pure (Console (Fd realOut) (Fd realErr) done)

replace :: CInt -> CInt -> IO CInt
replace fd place = c_replace fd place >>= check "console"

pump :: Handle -> (ByteString -> IO ()) -> IO ()
pump handle consume = do
  bytes <- B.hGetSome handle 65536
  if B.null bytes
    then hClose handle
    else do
      result <- try (consume bytes)
      case result of
        Left e -> let _ = e :: SomeException in pure ()
        Right () -> pure ()
      pump handle consume

-- | To the real console, whoever has it.
writeConsole :: Console -> ByteString -> IO ()
writeConsole c = writeAll (consoleOut c)

writeAll :: Fd -> ByteString -> IO ()
writeAll fd bytes = unless (B.null bytes) $ do
  n <- U.unsafeUseAsCStringLen bytes $ \(p, size) ->
    fdWriteBuf fd (castPtr p) (fromIntegral size)
  writeAll fd (B.drop (fromIntegral n) bytes)

-- | Descriptors 1 and 2 are the real console again; returns when what was
-- written before is consumed.
giveConsoleBack :: Console -> IO ()
giveConsoleBack c = mask_ $ do
  hFlush stdout
  hFlush stderr
  void (dupTo (consoleOut c) 1)
  void (dupTo (consoleErr c) 2)
  closeFd (consoleOut c)
  closeFd (consoleErr c)
  takeMVar (consoleDone c)

-- | Standard input, taken.
data Input = Input { inputReal, inputFeed :: Fd }

-- | From now on descriptor 0 reads what 'feedInput' gives.
takeInput :: IO Input
takeInput = mask_ $ do
  (Fd from, to) <- createPipe
  real <- replace from 0
  closeFd (Fd from)
  setFdOption to NonBlockingRead True
  pure (Input (Fd real) to)

-- | Waits while nobody reads; empty: the end of the input.
feedInput :: Input -> ByteString -> IO ()
feedInput i bytes
  | B.null bytes = closeFd (inputFeed i)
  | otherwise = do
      threadWaitWrite (inputFeed i)
      let part = B.take 4096 bytes -- which a pipe that has room takes whole
      writeAll (inputFeed i) part
      let rest = B.drop 4096 bytes
      unless (B.null rest) (feedInput i rest)

-- | Descriptor 0 is the real one again.
giveInputBack :: Input -> IO ()
giveInputBack i = mask_ $ do
  void (dupTo (inputReal i) 0)
  closeFd (inputReal i)
