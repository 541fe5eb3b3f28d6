-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns, MagicHash, UnboxedTuples #-}
-- Makes much garbage and then allocates nothing, while C code or a file takes
-- more than there is without a collection: Shortage WHAT HOW, where WHAT is
-- malloc or file, and HOW is safe or unsafe, a call for each megabyte, or long,
-- one safe call. It has to get all of it; and Haskell lives on.
--
-- Shortage refused long: nothing is garbage, and C code goes on asking for what
-- there is not. It must not make the runtime collect each time.
--
-- Shortage finalizers HOW: as malloc, and a collection has just found dead what
-- has C finalizers: each runs once.
--
-- Shortage descriptors HOW: the program has used up all, and hears of the end as
-- before. Shortage several HOW: while other capabilities collect a little, one
-- drops large objects, which a collection of everything has room for.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import Data.IORef
import Data.List (foldl')
import Data.Word (Word32)
import Foreign.C.Types (CInt (..), CLong (..))
import Foreign.ForeignPtr
import Foreign.Ptr (Ptr)
import GHC.Clock (getMonotonicTime)
import GHC.Exts (ByteArray#, Int (..), newByteArray#, unsafeFreezeByteArray#)
import GHC.IO (IO (..), unIO)
import GHC.Stats
import System.Environment (getArgs)
import System.Exit
import System.Mem (performMajorGC)

foreign import ccall unsafe "take_free" takeFree :: IO CLong
foreign import ccall safe "take_malloc" safeMalloc :: IO CInt
foreign import ccall safe "take_file" safeFile :: IO CInt
foreign import ccall unsafe "take_malloc" unsafeMalloc :: IO CInt
foreign import ccall unsafe "take_file" unsafeFile :: IO CInt
foreign import ccall safe "take_too_much" takeTooMuch :: CInt -> IO CInt
foreign import ccall safe "take_many" takeMany :: CInt -> CInt -> IO CInt
foreign import ccall unsafe "take_identity" takeIdentity :: IO CInt
foreign import ccall unsafe "take_descriptors" takeDescriptors :: IO ()
foreign import ccall unsafe "take_pause" takePause :: IO ()
foreign import ccall unsafe "take_slot" takeSlot :: CInt -> IO (Ptr CInt)
foreign import ccall unsafe "&take_finalizer" takeFinalizer :: FinalizerPtr CInt
foreign import ccall unsafe "take_finalized" takeFinalized :: IO CInt

-- So many megabytes more than are free; the garbage is three times that.
more :: Int
more = 8

-- The counter is a few words of garbage a megabyte: at a safe call the runtime
-- can collect in any case, after an unsafe one only when Haskell allocates.
steps :: IO CInt -> Int -> IO Int
steps take1 count = do
  taken <- newIORef 0
  let go = do
        got <- take1
        when (got == 1) $ do
          modifyIORef' taken (+ 1)
          n <- readIORef taken
          when (n < count) go
  go
  readIORef taken

sumTo :: Int -> Int
sumTo n = n * (n + 1) `div` 2

list :: Int -> [Int]
list size = build size []
  where
    build 0 l = l
    build !i l = let !x = i + length (take 0 l) in build (i - 1) (x : l)

takeAll :: String -> String -> Int -> IO Int
takeAll what how count = case (what, how) of
  ("file", "safe") -> steps safeFile count
  ("file", "unsafe") -> steps unsafeFile count
  ("file", _) -> fromIntegral <$> takeMany 1 (fromIntegral count)
  (_, "safe") -> steps safeMalloc count
  (_, "unsafe") -> steps unsafeMalloc count
  _ -> fromIntegral <$> takeMany 0 (fromIntegral count)

-- A collection each second and each 32nd of the memory is what may be.
refused :: IO ()
refused = do
  before <- collections
  start <- getMonotonicTime
  got <- takeTooMuch 1000
  end <- getMonotonicTime
  after <- collections
  putStrLn ("got " ++ show got ++ ", then " ++ show (after - before) ++ " collections")
  when (got < 4) $ die "malloc has nothing, or what it said it had not"
  when (fromIntegral (after - before) > 8 + end - start) $ die "it collects each time"

-- Finalizers that are about to run, or have.
findDead :: IO ()
findDead = do
  pointers <- forM [0 .. 999] (takeSlot >=> newForeignPtr takeFinalizer)
  performMajorGC
  mapM_ touchForeignPtr pointers
  performMajorGC

collections :: IO Word32
collections = major_gcs <$> getRTSStats

heard :: Int -> IO () -> IO Int
heard count act = length . filter isLeft <$> replicateM count (try act)
  where
    isLeft (Left HeapOverflow) = True
    isLeft (Left _) = False
    isLeft (Right ()) = False

descriptors :: IO ()
descriptors = do
  takeDescriptors
  times <- heard 4 (grow 0 [])
  when (times /= 4) $ die ("heard " ++ show times ++ " of 4 times")

  where
    grow :: Int -> [ForeignPtr CInt] -> IO ()
    grow n l = do
      p <- mallocForeignPtrBytes (n `mod` 5000)
      if n < 0 then mapM_ touchForeignPtr l else grow (n + 1) (p : l)

data Bytes = Bytes ByteArray#

-- The others want to collect in the pause, after which nothing looks at that
-- before the object is asked for.
pauseAndMake :: Int -> IO Bytes
pauseAndMake (I# size) = IO $ \s -> case unIO takePause s of
  (# s1, () #) -> case newByteArray# size s1 of
    (# s2, array #) -> case unsafeFreezeByteArray# array s2 of
      (# s3, bytes #) -> (# s3, Bytes bytes #)

several :: IO ()
several = do
  setNumCapabilities 4
  others <- forM [1 .. 3] $ \cap -> forkOn cap $ forM_ [1 ..] $ \n -> do
    void (evaluate (foldl' (+) 0 (list (n `mod` 1000))))
    yield
  -- Each is old when it is let go.
  kept <- newIORef []
  times <- heard 200 $ do
    bytes <- pauseAndMake (6 * 1048576)
    modifyIORef' kept (take 4 . (bytes :))
    length <$> readIORef kept >>= void . evaluate
  mapM_ killThread others
  when (times /= 0) $ die ("HeapOverflow " ++ show times ++ " times")

main :: IO ()
main = do
  [what, how] <- getArgs
  identity <- takeIdentity
  when (identity /= 0) $ die "setuid"
  case what of
    "descriptors" -> descriptors
    "several" -> several
    _ -> shortage what how
  when (foldl' (+) 0 (list 10000) /= sumTo 10000) $ die "Haskell is not what it was"
  putStrLn "Haskell goes on"

shortage :: String -> String -> IO ()
shortage what how = do
  kept <- newIORef []
  let size = 3 * more * 1048576 `div` 40
  writeIORef kept $! list size
  performMajorGC -- as far as the runtime knows all of it lives
  total <- foldl' (+) 0 <$> readIORef kept
  when (total /= sumTo size) $ die "not what was put in"
  if what == "refused"
    then do
      refused
      still <- foldl' (+) 0 <$> readIORef kept
      when (still /= sumTo size) $ die "what was held has changed"
    else do
      when (what == "finalizers") findDead
      writeIORef kept []
      free <- fromIntegral <$> takeFree
      let wanted = free + more
      got <- takeAll what how wanted
      putStrLn ("free " ++ show free ++ " MiB, got " ++ show got ++ " of " ++ show wanted)
      when (free < 4 || got /= wanted) $ exitWith (ExitFailure 3)
      when (what == "finalizers") $ do
        forM_ [20000 .. 20050] $ \n ->
          when (foldl' (+) 0 (list n) /= sumTo n) $ die "not what was put in"
        replicateM_ 2 performMajorGC
        once <- takeFinalized
        when (once /= 1000) $ die (show once ++ " of 1000 finalizers have run once")
