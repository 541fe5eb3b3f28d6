-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- A random mixture of all that a Haskell program allocates, at the limit of
-- its memory: Rand FIRST LAST OPERATIONS [pressure] runs the seeds FIRST to
-- LAST; with pressure, C code, sockets and files take all they can meanwhile.
--
-- Whatever is made is kept until HeapOverflow comes, in whatever thread; then
-- half of it is let go, after a look whether it is still what it was. A seed
-- that comes to its end counts; the program ends with 0 if all did, and says
-- how many overflows it lived through.
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import Data.Array (Array, listArray)
import qualified Data.Array as A
import Data.Array.Unboxed (UArray)
import qualified Data.Array.Unboxed as U
import Data.Bits (shiftL)
import qualified Data.ByteString as B
import qualified Data.ByteString.Short as S
import Data.IORef
import Data.List (foldl')
import qualified Data.Map.Strict as M
import Foreign.C.Types (CInt (..), CUInt (..))
import GHC.IO (unsafeUnmask)
import System.Environment (getArgs)
import System.Exit
import System.IO

-- Something kept, and what tells that it was not changed.
data Item
  = List !Int [Int]
  | Tree !Int (M.Map Int Int)
  | Pinned !Int B.ByteString
  | Unpinned !Int S.ShortByteString
  | Boxed !Int (Array Int Integer)
  | Unboxed !Int (UArray Int Int)
  | Number !Int Integer
  | Text !Int String

intact :: Item -> Bool
intact item = case item of
  List n l -> foldl' (+) 0 l == n
  Tree n t -> M.foldl' (+) 0 t == n
  Pinned n b -> B.length b == n && edges (B.index b) n
  Unpinned n b -> S.length b == n && edges (S.index b) n
  Boxed n a -> fromIntegral (foldl' (+) 0 (A.elems a)) == n
  Unboxed n a -> foldl' (+) 0 (U.elems a) == n
  Number n i -> i `mod` 1000003 == fromIntegral n
  Text n s -> length s == n
  where
    edges at n = n == 0 || (at 0 == at (n - 1) && at 0 == at (n `div` 2))

-- Numbers in a row from a seed (Knuth's MMIX generator).
newtype Random = Random (IORef Int)

below :: Random -> Int -> IO Int
below (Random state) n = do
  s <- readIORef state
  let !next = s * 6364136223846793005 + 1442695040888963407
  writeIORef state next
  return $! (next `div` 8589934592) `mod` n

-- One thing of some kind, at most about 5 MiB.
make :: Random -> IO Item
make r = do
  kind <- below r 10
  size <- (\a b -> 1 + (a + b) `div` 2) <$> below r 1000 <*> below r 1000
  x <- below r 200
  item <- case kind of
    0 -> let l = [x .. x + size * 60] in return (List (foldl' (+) 0 l) l)
    1 -> let t = M.fromList [(k * 7919 `mod` 65537, k) | k <- [1 .. size * 15]]
          in return (Tree (M.foldl' (+) 0 t) t)
    2 -> bytes (size * 4800) x
    3 -> return (Pinned 40 (B.replicate 40 (fromIntegral x)))
    4 -> short (size * 3200) x
    5 -> let a = listArray (0, size * 40) [toInteger (i + x) | i <- [0 .. size * 40]]
          in return (Boxed (fromIntegral (foldl' (+) 0 (A.elems a))) a)
    6 -> let a = U.listArray (0, size * 400) [x ..] :: UArray Int Int
          in return (Unboxed (foldl' (+) 0 (U.elems a)) a)
    7 -> let i = ((toInteger x + 3) ^ (size * 200)) `shiftL` (size * 4500)
          in return (Number (fromIntegral (i `mod` 1000003)) i)
    8 -> let s = replicate (size * 30) (toEnum (x + 32))
          in return (Text (length s) (map succ s))
    _ -> let t = M.fromList [(show k, B.replicate 100 (fromIntegral k)) | k <- [1 .. size * 4]]
          in return (Tree 0 (M.empty <$ t `seq` M.empty))
  force item
  where
    bytes n x = return (Pinned n (B.replicate n (fromIntegral x)))
    short n x = return (Unpinned n (S.toShort (B.replicate n (fromIntegral x))))

force :: Item -> IO Item
force item = do
  ok <- evaluate (intact item)
  unless ok $ die "an object is not what was put into it"
  return item

-- A stack of many frames: deep is not strict in what it adds to.
deep :: Int -> Int
deep 0 = 0
deep n = n `seq` 1 + deep (n - 1)
{-# NOINLINE deep #-}

-- Some threads that each make something and wait for all to have done so.
crowd :: Random -> IO ()
crowd r0 = do
  n <- below r0 300
  gate <- newEmptyMVar
  done <- forM [1 .. n] $ \i -> do
    end <- newEmptyMVar
    _ <- forkIO $ do
      r <- try (do
        let l = [i .. i + 500]
        s <- evaluate (foldl' (+) 0 l)
        readMVar gate
        evaluate (foldl' (+) s l))
      putMVar end (either (\e -> const (-1) (e :: AsyncException)) id r)
    return end
  putMVar gate ()
  mapM_ takeMVar done

data State = State
  { source :: Random
  , kept :: IORef [Item]
  , left :: IORef Int -- operations
  , overflows :: IORef Int
  , pressed :: Bool
  }

foreign import ccall safe "pressure_malloc" pressMalloc :: CUInt -> IO CInt
foreign import ccall safe "pressure_sockets" pressSockets :: CInt -> IO CInt
foreign import ccall safe "pressure_files" pressFiles :: CUInt -> IO CInt

press :: Random -> IO ()
press r = do
  what <- below r 3
  case what of
    0 -> do
      percent <- below r 90
      n <- pressMalloc (fromIntegral percent)
      when (n < 0) $ die "malloc failed without ENOMEM"
    1 -> void (pressSockets 500)
    _ -> below r 64 >>= void . pressFiles . fromIntegral

operation :: State -> IO ()
operation state = do
  what <- below (source state) 100
  case () of
    _ | pressed state && what < 10 -> press (source state)
      | what < 3 -> crowd (source state)
      | what < 6 -> do
          n <- below (source state) 400000
          m <- evaluate (deep n)
          when (m /= n) $ die "recursion lost count"
      | what < 10 -> modifyIORef' (kept state) (drop 3)
      | otherwise -> do
          item <- make (source state)
          modifyIORef' (kept state) (item :)
  modifyIORef' (left state) (subtract 1)

-- Asynchronous exceptions come while operations run, and nowhere else: main
-- has masked them.
loop :: State -> IO ()
loop state =
  let go = do
        n <- readIORef (left state)
        when (n > 0) $ do
          r <- try (unsafeUnmask (operation state))
          case r of
            Right () -> go
            Left HeapOverflow -> overflow >> go
            Left e -> throwIO e
      overflow = do
        modifyIORef' (overflows state) (+ 1)
        -- It is an operation done, or a seed might never end.
        modifyIORef' (left state) (subtract 1)
        items <- readIORef (kept state)
        let (stay, gone) = splitAt (length items `div` 2) items
        writeIORef (kept state) stay
        ok <- try (evaluate (all intact (take 3 gone)))
        case ok of
          Right good -> unless good $ die "an object was changed"
          Left HeapOverflow -> return () -- to look takes memory, too
          Left e -> throwIO e
   in go

-- Allocates beside the main thread, in pieces of up to a megabyte.
worker :: Int -> IORef Bool -> IORef Int -> MVar () -> IO ()
worker seed stop overflowed end = do
  r <- Random <$> newIORef (seed * 31 + 7)
  let go held = do
        enough <- readIORef stop
        unless enough $ do
          n <- below r 1000000
          b <- try (evaluate (B.replicate n 1))
          case b of
            Right x -> yield >> go (take 3 (x : held))
            Left HeapOverflow -> modifyIORef' overflowed (+ 1) >> yield >> go []
            Left e -> throwIO e
  go [] `finally` putMVar end ()

seedRuns :: Bool -> Int -> Int -> IO Int
seedRuns pressure operations seed = do
  r <- Random <$> newIORef (seed * 7046029254386353131)
  state <- State r <$> newIORef [] <*> newIORef operations <*> newIORef 0
    <*> pure pressure
  stop <- newIORef False
  others <- newIORef 0
  end <- newEmptyMVar
  when (odd seed) $ void (forkIO (worker seed stop others end))
  loop state
  writeIORef stop True
  when (odd seed) $
    let wait = takeMVar end `catch` \e -> case e of
          HeapOverflow -> writeIORef (kept state) [] >> wait
          _ -> throwIO e
     in wait
  items <- readIORef (kept state)
  writeIORef (kept state) []
  ok <- try (evaluate (all intact items))
  case ok of
    Right good -> unless good $ die "an object was changed"
    Left HeapOverflow -> return ()
    Left e -> throwIO e
  (+) <$> readIORef (overflows state) <*> readIORef others

main :: IO ()
main = do
  arguments <- getArgs
  (first, final, operations, pressure) <- case arguments of
    [a, b, c] -> return (read a, read b, read c, False)
    [a, b, c, "pressure"] -> return (read a, read b, read c, True)
    _ -> die "usage: Rand FIRST LAST OPERATIONS [pressure]"
  hSetBuffering stdout LineBuffering
  counts <- mask_ $ mapM (seedRuns pressure operations) [first .. final]
  putStrLn ("seeds " ++ show (length counts) ++ ", overflows " ++ show (sum counts))
  exitSuccess
