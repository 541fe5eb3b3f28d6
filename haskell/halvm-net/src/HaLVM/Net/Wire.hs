-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Wire
--
-- What a stack is plugged into: anything that carries Ethernet frames.
module HaLVM.Net.Wire
  ( Wire (..), wirePair, Trouble (..), noTrouble, troubled
  ) where

import Control.Concurrent.MVar
import Control.Concurrent.STM
import Data.Bits (shiftR, testBit, complementBit)
import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.IORef

import HaLVM.Net.SipHash
import HaLVM.Net.Types

-- | Frames are whole, without their check sequence. One thread receives; many
-- may send at the same time.
data Wire = Wire
  { wireReceive :: IO [ByteString]
    -- ^ waits for at least one frame, and gives all that are there; none: the
    -- wire is gone
  , wireSend :: [ByteString] -> IO ()
    -- ^ in this order; may drop frames, and does not wait for long
  , wireMac :: Mac
  , wireMtu :: Int -- ^ of what is inside the frame
  }

-- | Two ends of a wire within the program. It keeps 1024 frames each way and
-- drops what is more.
wirePair :: Mac -> Mac -> IO (Wire, Wire)
wirePair a b = do
  there <- newTVarIO ([], 0)
  back <- newTVarIO ([], 0)
  pure (end a back there, end b there back)
  where
    end mac from to = Wire
      { wireReceive = atomically $ do
          (frames, n) <- readTVar from
          check (n > (0 :: Int))
          writeTVar from ([], 0)
          pure (reverse frames)
      , wireSend = \frames -> atomically $ modifyTVar' to $ \(old, n) ->
          let new = take (1024 - n) frames
          in (reverse new ++ old, n + length new)
      , wireMac = mac
      , wireMtu = 1500
      }

-- | What a bad wire does to frames, in a thousandth of the cases each.
data Trouble = Trouble
  { lose, duplicate, reorder, corrupt :: Int }
  deriving (Eq, Show)

noTrouble :: Trouble
noTrouble = Trouble 0 0 0 0

-- | A wire that does this to what it receives and to what it sends, the same
-- for the same key. A frame that is reordered comes after the next one.
troubled :: Key -> Trouble -> Wire -> IO Wire
troubled (Key k0 k1) t wire = do
  inward <- newIORef (newRandom (Key k0 (k1 + 1)), [])
  outward <- newMVar (newRandom (Key k0 (k1 + 2)), [])
  pure wire
    { wireReceive = receive inward
    , wireSend = \frames -> do
        out <- modifyMVar outward $ \state ->
          let (state', out) = mangle t frames state in pure (state', out)
        if null out then pure () else wireSend wire out
    }
  where
    receive ref = do
      frames <- wireReceive wire
      if null frames then pure [] else do
        state <- readIORef ref
        let (state', out) = mangle t frames state
        writeIORef ref state'
        if null out then receive ref else pure out

mangle :: Trouble -> [ByteString] -> (Random, [ByteString])
       -> ((Random, [ByteString]), [ByteString])
mangle t frames (r0, held0) = go r0 held0 [] frames
  where
    go r held out [] = ((r, held), reverse out)
    go r held out (f : rest)
      | dice 0 < lose t = go r' held out rest
      | dice 10 < duplicate t = go r' [] (held ++ [f, f] ++ out) rest
      | dice 20 < reorder t && null held = go r' [f] out rest
      | dice 30 < corrupt t = go r' [] (held ++ [flipBit f] ++ out) rest
      | otherwise = go r' [] (held ++ [f] ++ out) rest
      where
        (w, r') = nextWord64 r
        dice s = fromIntegral ((w `shiftR` s) `rem` 1024) :: Int
        flipBit b
          | B.null b = b
          | otherwise =
              let at = fromIntegral (w `shiftR` 40) `rem` B.length b
                  (x, y) = B.splitAt at b
              in x <> B.cons (complementBit (B.head y) (if testBit w 39 then 3 else 6))
                   (B.tail y)
