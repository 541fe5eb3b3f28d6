-- SPDX-License-Identifier: BSD-3-Clause
-- Haskell called from C: foreign import "wrapper" makes code at run time.
--
-- ways: 2
{-# LANGUAGE ForeignFunctionInterface #-}
module Main (main) where

import Control.Concurrent
import Control.Monad
import Data.IORef
import Foreign
import Foreign.C

import Check

foreign import ccall "wrapper"
  makeCompare :: (Ptr CInt -> Ptr CInt -> IO CInt)
              -> IO (FunPtr (Ptr CInt -> Ptr CInt -> IO CInt))
foreign import ccall "stdlib.h qsort"
  c_qsort :: Ptr CInt -> CSize -> CSize
          -> FunPtr (Ptr CInt -> Ptr CInt -> IO CInt) -> IO ()
foreign import ccall "wrapper"
  makeDouble :: (Double -> Double) -> IO (FunPtr (Double -> Double))
foreign import ccall "dynamic"
  callDouble :: FunPtr (Double -> Double) -> Double -> Double
foreign import ccall unsafe "math.h pow" c_pow :: Double -> Double -> Double
foreign import ccall safe "unistd.h usleep" c_usleep :: CUInt -> IO CInt

main :: IO ()
main = do
  calls <- newIORef (0 :: Int)
  compareInts <- makeCompare $ \a b -> do
    modifyIORef' calls (+ 1)
    x <- peek a
    y <- peek b
    pure (fromIntegral (fromEnum (compare x y) - 1))
  sorted <- withArrayLen [5, 3, 9, -1, 7, 0] $ \n array -> do
    c_qsort array (fromIntegral n) 4 compareInts
    peekArray n array
  equal "qsort" sorted [-1, 0, 3, 5, 7, 9]
  readIORef calls >>= check "it was called" . (> 5)
  freeHaskellFunPtr compareInts
  -- Many of them, each with its own closure.
  functions <- forM [1 .. 200] $ \i -> makeDouble (* i)
  equal "closures" (zipWith callDouble functions [1 ..])
    [fromIntegral i * fromIntegral i | i <- [1 .. 200 :: Int]]
  mapM_ freeHaskellFunPtr functions
  equal "pow" (c_pow 2 10) 1024
  -- A safe call lets other Haskell threads run (with -threaded).
  when rtsSupportsBoundThreads $ do
    ticks <- newIORef (0 :: Int)
    ticker <- forkIO . forever $ threadDelay 1000 >> modifyIORef' ticks (+ 1)
    _ <- c_usleep 60000
    killThread ticker
    readIORef ticks >>= check "others ran" . (> 5)
  bound <- if rtsSupportsBoundThreads
    then runInBoundThread isCurrentThreadBound else pure True
  check "bound thread" bound
