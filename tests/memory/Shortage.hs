-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
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
module Main (main) where

import Control.Monad
import Data.IORef
import Data.List (foldl')
import Data.Word (Word32)
import Foreign.C.Types (CInt (..), CLong (..))
import Foreign.ForeignPtr (FinalizerPtr, newForeignPtr, touchForeignPtr)
import Foreign.Ptr (Ptr)
import GHC.Clock (getMonotonicTime)
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

main :: IO ()
main = do
  [what, how] <- getArgs
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
  when (foldl' (+) 0 (list 10000) /= sumTo 10000) $ die "Haskell is not what it was"
  putStrLn "Haskell goes on"
