-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Wire
--
-- What a stack is plugged into: anything that carries Ethernet frames.
module HaLVM.Net.Wire
  ( Wire (..), wirePair, Trouble (..), noTrouble, troubled
  ) where

import Control.Concurrent
import Control.Concurrent.STM
import Control.Monad (forM_)
import Data.Bits (shiftR, testBit, complementBit)
import qualified Data.ByteString as B
import Data.ByteString (ByteString)

import HaLVM.Net.SipHash
import HaLVM.Net.Types

-- | Frames are whole, without their check sequence. One thread receives; many
-- may send at the same time.
data Wire = Wire
  { wireReceive :: IO [ByteString]
    -- ^ waits for at least one frame, and gives all that are there; none: the
    -- wire is gone
  , wireSend :: [ByteString] -> IO ()
    -- ^ in this order; may drop frames, and does not wait for long. An
    -- 'IOError' means that it has dropped them
  , wireMac :: Mac
  , wireMtu :: Int -- ^ of what is inside the frame
  , wireLarge :: Int
    -- ^ 0, or: frames have the header of "HaLVM.Net.Offload", and those that
    -- the wire is to cut may have so many bytes without it
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
      , wireLarge = 0
      }

-- | What a bad wire does to frames, in a thousandth of the cases each.
data Trouble = Trouble
  { lose, duplicate, reorder, corrupt :: Int }
  deriving (Eq, Show)

noTrouble :: Trouble
noTrouble = Trouble 0 0 0 0

-- | A wire that does this to what it receives and to what it sends, the same
-- for the same key. A frame that is reordered comes one to five milliseconds
-- late.
troubled :: Key -> Trouble -> Wire -> IO Wire
troubled (Key k0 k1) t wire
  | t == noTrouble = pure wire
  | otherwise = do
      arrived <- newTVarIO (Just [])
      inward <- newMVar (newRandom (Key k0 (k1 + 1)))
      outward <- newMVar (newRandom (Key k0 (k1 + 2)))
      let put frames = atomically (modifyTVar' arrived (fmap (reverse frames ++)))
          pump = do
            frames <- wireReceive wire
            if null frames then atomically (writeTVar arrived Nothing)
              else mangle t inward put frames >> pump
      _ <- forkIO pump
      pure wire
        { wireReceive = atomically $ readTVar arrived >>= \got -> case got of
            Just [] -> retry
            Just frames -> reverse frames <$ writeTVar arrived (Just [])
            Nothing -> pure []
        , wireSend = mangle t outward (wireSend wire)
        }

mangle :: Trouble -> MVar Random -> ([ByteString] -> IO ()) -> [ByteString] -> IO ()
mangle t random put frames = do
  (now', later) <- modifyMVar random $ \r0 ->
    let (r, a, b) = foldl one (r0, [], []) frames in pure (r, (reverse a, b))
  forM_ later $ \(wait, f) -> forkIO (threadDelay wait >> put [f])
  if null now' then pure () else put now'
  where
    one (r, out, late) f
      | dice 0 < lose t = (r', out, late)
      | dice 10 < duplicate t = (r', f : f : out, late)
      | dice 20 < reorder t = (r', out, (1000 + dice 5 * 4, f) : late)
      | dice 30 < corrupt t = (r', flipBit f : out, late)
      | otherwise = (r', f : out, late)
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
