-- SPDX-License-Identifier: BSD-3-Clause
-- System calls that Haskell functions answer (System.HaLVM.Reroute), called
-- from C in safe and unsafe imports: answered, failed, passed on, thrown,
-- killed; what is refused and why.
-- ways: 2
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import Data.IORef
import Data.List (isInfixOf)
import Foreign.C
import Foreign.Marshal.Alloc (allocaBytes)
import Foreign.Ptr
import System.HaLVM.Reroute

import Check

foreign import ccall safe "mkdir" safeMkdir :: CString -> CUInt -> IO CInt
foreign import ccall unsafe "mkdir" unsafeMkdir :: CString -> CUInt -> IO CInt
foreign import ccall safe "uname" safeUname :: Ptr () -> IO CInt

-- | What it gave: 0 or the error number.
result :: IO CInt -> IO Int
result action = do
  r <- action
  Errno e <- getErrno
  pure (if r < 0 then fromIntegral e else 0)

mkdir :: (CString -> CUInt -> IO CInt) -> String -> IO Int
mkdir call path = withCString path $ \p -> result (call p 0o700)

errno :: Errno -> Int
errno (Errno e) = fromIntegral e

main :: IO ()
main = within 60 "the test" $ do
  refusals
  Just number <- callByName "mkdir"
  seen <- newIORef []
  victim <- newEmptyMVar
  r <- reroute number $ \call -> do
    path <- C.unpack <$> argumentString call 0
    atomicModifyIORef' seen (\s -> (path : s, ()))
    case path of
      "/fail" -> pure (Fails eROFS)
      "/fine" -> pure (Returns 0)
      "/block" -> threadDelay 20000 >> pure (Returns 0)
      "/throw" -> ioError (userError "no")
      "/errno" -> throwErrno' eDQUOT
      "/kill" -> myThreadId >>= putMVar victim >> threadDelay maxBound
        >> pure (Returns 0)
      "/bad" -> pure (Returns (-1))
      "/masked" -> getMaskingState >>= \m ->
        pure (if m == Unmasked then Returns 0 else Fails eBUSY)
      _ -> pure Pass
  if rtsSupportsBoundThreads
    then do
      let call = mkdir safeMkdir
      call "/fail" >>= \e -> equal "/fail" e (errno eROFS)
      call "/fine" >>= \e -> equal "/fine" e 0
      call "/block" >>= \e -> equal "/block" e 0
      call "/throw" >>= \e -> equal "/throw" e (errno eIO)
      call "/errno" >>= \e -> equal "/errno" e (errno eDQUOT)
      call "/bad" >>= \e -> equal "/bad" e (errno eIO)
      call "/masked" >>= \e -> equal "a handler can be killed" e 0
      call "/none/there" >>= \e -> equal "passed on" e (errno eNOENT)
      result (safeMkdir (nullPtr `plusPtr` 16) 0) >>= \e ->
        equal "a bad pointer" e (errno eFAULT)
      void (forkIO (takeMVar victim >>= killThread))
      call "/kill" >>= \e -> equal "/kill" e (errno eIO)
      many call
      names <- readIORef seen
      check "the handler saw the calls" (length names == 9 + 400)
      nested
    else do
      -- nobody else could answer: said at once, whatever the import
      mkdir safeMkdir "/fine" >>= \e -> equal "safe" e (errno eDEADLK)
      mkdir unsafeMkdir "/fine" >>= \e -> equal "unsafe" e (errno eDEADLK)
  endReroute r
  endReroute r
  mkdir unsafeMkdir "/none/there" >>= \e -> equal "given back" e (errno eNOENT)
  when rtsSupportsBoundThreads stuck
  where
    throwErrno' e = throwIO (errnoToIOError "test" e Nothing Nothing)

refusals :: IO ()
refusals = do
  Just mmap <- callByName "mmap"
  reason <- whyNot mmap
  check "mmap is for memory" (maybe False ("memory" `isInfixOf`) reason)
  e <- throws "mmap" (reroute mmap (const (pure Pass))) :: IO IOException
  check "the error says why" ("memory" `isInfixOf` show e)
  void (throws "511" (reroute 511 (const (pure Pass))) :: IO IOException)
  Just clone <- callByName "clone"
  void (throws "clone" (reroute clone (const (pure Pass))) :: IO IOException)
  Just openat <- callByName "openat"
  whyNot openat >>= \w -> equal "openat" w Nothing
  callName openat >>= \n -> equal "its name" n (Just "openat")

-- | Many threads at once.
many :: (String -> IO Int) -> IO ()
many call = do
  done <- forM [1 .. 20 :: Int] $ \_ -> do
    box <- newEmptyMVar
    void (forkIO (replicateM 20 (call "/fine") >>= putMVar box))
    pure box
  results <- concat <$> mapM takeMVar done
  equal "all answered" (sum results) 0

-- | The newer one first; what it passes on comes to the older.
nested :: IO ()
nested = do
  Just number <- callByName "uname"
  order <- newMVar ""
  let handler name = reroute number $ \_ -> do
        modifyMVar_ order (pure . (name :))
        pure Pass
      call = allocaBytes 400 safeUname
  older <- handler 'o'
  newer <- handler 'n'
  r <- call
  equal "uname" r 0
  readMVar order >>= \o -> equal "the order" (reverse o) "no"
  endReroute older
  void call
  readMVar order >>= \o -> equal "without the older" (reverse o) "non"
  endReroute newer
  void call
  readMVar order >>= \o -> equal "without any" (reverse o) "non"

-- | An unsafe call holds the runtime that would answer it: it fails, after the
-- patience, and the program goes on.
stuck :: IO ()
stuck = do
  Just number <- callByName "mkdir"
  _ <- reroute number (const (pure (Returns 0)))
  reroutePatience 300
  mkdir unsafeMkdir "/fine" >>= \e -> equal "unsafe" e (errno eIO)
  mkdir unsafeMkdir "/none/there" >>= \e ->
    equal "given back for good" e (errno eNOENT)
