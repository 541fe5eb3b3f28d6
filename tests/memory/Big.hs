-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- Asks for one large object after the other, from 1 MiB to more than there is,
-- while a random amount is held: Big SEED COUNT. Each is made, or HeapOverflow
-- is raised in the thread that asked, which is the main thread or another.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import Data.Array (listArray, (!))
import Data.Bits (shiftL, testBit)
import qualified Data.ByteString as B
import qualified Data.ByteString.Internal as B
import qualified Data.ByteString.Short as S
import Data.IORef
import System.Environment (getArgs)
import System.Exit

mib :: Int
mib = 1048576

-- Makes an object of so many bytes; looks at one end of it.
make :: Int -> Int -> IO Bool
make kind size = case kind of
  0 -> do
    b <- B.create size (\_ -> return ())
    return (B.length b == size)
  1 -> return (S.length (S.toShort (B.replicate (size `div` 2) 7)) == size `div` 2)
  2 -> let a = listArray (0, size `div` 8) (repeat 'x') in return (a ! (size `div` 16) == 'x')
  _ -> return (testBit (shiftL (1 :: Integer) (size * 8)) (size * 8))

attempt :: Int -> Int -> IO (Either AsyncException Bool)
attempt kind size = try (make kind size >>= evaluate)

elsewhere :: IO a -> IO a
elsewhere act = do
  box <- newEmptyMVar
  _ <- forkIO (try act >>= putMVar box)
  takeMVar box >>= either (\e -> throwIO (e :: SomeException)) return

main :: IO ()
main = do
  [seed, count] <- map read <$> getArgs
  state <- newIORef (seed * 7046029254386353131 :: Int)
  made <- newIORef (0 :: Int)
  refused <- newIORef (0 :: Int)
  held <- newIORef []
  let below n = do
        s <- readIORef state
        let !next = s * 6364136223846793005 + 1442695040888963407
        writeIORef state next
        return $! (next `div` 8589934592) `mod` n
      -- An object over 1 MiB takes whole ones: 36 of 2 MiB may be too much.
      refill = handleJust (guard . (== HeapOverflow)) return $ do
        writeIORef held []
        n <- below 36
        forM_ [1 .. n] $ \_ -> do
          size <- below (2 * mib)
          b <- evaluate (B.replicate size 1)
          modifyIORef' held (b :)
  forM_ [1 .. count] $ \i -> do
    when (i `mod` 10 == 1) refill
    kind <- below 4
    size <- (+ mib) <$> below (70 * mib)
    small <- below 3
    other <- below 2
    let bytes = if small == 0 then mib + size `mod` (8 * mib) else size
        act = attempt kind bytes
    result <- if other == 0 then act else elsewhere act
    case result of
      Right True -> modifyIORef' made (+ 1)
      Right False -> die "an object is not what it should be"
      Left HeapOverflow -> modifyIORef' refused (+ 1)
      Left e -> throwIO e
  n <- readIORef made
  m <- readIORef refused
  when (n == 0 || m == 0) $ die "no object was made, or none refused"
  putStrLn (show n ++ " made, " ++ show m ++ " refused")
