-- SPDX-License-Identifier: BSD-3-Clause
-- | The shared memory of a channel: cbits/xen_ring.h.
module System.HaLVM.Xen.Ring
  ( Ring, ringPages, makeRing, joinRing, putRing, getRing
  , RingState (..), ringState, closeRing, ringPageCounts
  ) where

import Data.ByteString (ByteString)
import qualified Data.ByteString.Internal as I
import qualified Data.ByteString.Unsafe as U
import Data.Word (Word32, Word8)
import Foreign.C.Error (Errno (..))
import Foreign.C.Types (CInt (..), CLong (..), CSize (..))
import Foreign.ForeignPtr (ForeignPtr, mallocForeignPtrBytes, withForeignPtr)
import Foreign.Marshal.Alloc (alloca)
import Foreign.Ptr (Ptr, castPtr)
import Foreign.Storable (peek)

import System.HaLVM.Xen.Device

data CRing

foreign import ccall unsafe "hs_xen_ring_make"
  c_make :: Ptr CRing -> Ptr Word8 -> Word32 -> IO ()
foreign import ccall unsafe "hs_xen_ring_join"
  c_join :: Ptr CRing -> Ptr Word8 -> Word32 -> IO CInt
foreign import ccall unsafe "hs_xen_ring_put"
  c_put :: Ptr CRing -> Ptr Word8 -> CSize -> Ptr CInt -> IO CLong
foreign import ccall unsafe "hs_xen_ring_get"
  c_get :: Ptr CRing -> Ptr Word8 -> CSize -> Ptr CInt -> IO CLong
foreign import ccall unsafe "hs_xen_ring_state_set"
  c_state_set :: Ptr CRing -> CInt -> IO ()
foreign import ccall unsafe "hs_xen_ring_state"
  c_state :: Ptr CRing -> IO CInt

-- | One side of it; not to be used when the memory is gone.
newtype Ring = Ring (ForeignPtr CRing)

data RingState = RingWaiting | RingOpen | RingClosed
  deriving (Eq)

-- | What there may be of pages in one direction.
ringPageCounts :: [Int]
ringPageCounts = [1, 2, 4, 8, 16, 32, 64]

-- | Pages of the memory for so many in one direction.
ringPages :: Int -> Int
ringPages pages = 1 + 2 * pages

-- sizeof(struct xen_ring), and more
ringSize :: Int
ringSize = 64

-- | As the client, in zeroed memory.
makeRing :: Ptr Word8 -> Int -> IO Ring
makeRing memory pages = do
  ring <- mallocForeignPtrBytes ringSize
  withForeignPtr ring $ \r -> c_make r memory (fromIntegral pages)
  pure (Ring ring)

-- | As the server. Throws if it is no such memory.
joinRing :: Ptr Word8 -> Int -> IO Ring
joinRing memory pages = do
  ring <- mallocForeignPtrBytes ringSize
  result <- withForeignPtr ring $ \r -> c_join r memory (fromIntegral pages)
  _ <- checked result
  pure (Ring ring)

checked :: Integral a => a -> IO a
checked result
  | result < 0 = xenFail "channel" (Errno (fromIntegral (negate result)))
  | otherwise = pure result

-- | How many bytes were put, and whether the other side is to be told.
putRing :: Ring -> ByteString -> IO (Int, Bool)
putRing (Ring ring) bytes = withForeignPtr ring $ \r -> alloca $ \tell ->
  U.unsafeUseAsCStringLen bytes $ \(from, size) -> do
    n <- c_put r (castPtr from) (fromIntegral size) tell >>= checked
    (,) (fromIntegral n) . (/= 0) <$> peek tell

-- | What there is, at most so many bytes, and whether the other side is to be
-- told.
getRing :: Ring -> Int -> IO (ByteString, Bool)
getRing (Ring ring) most = withForeignPtr ring $ \r -> alloca $ \tell -> do
  bytes <- I.createAndTrim most $ \to ->
    fromIntegral <$> (c_get r to (fromIntegral most) tell >>= checked)
  (,) bytes . (/= 0) <$> peek tell

-- | The other side's.
ringState :: Ring -> IO RingState
ringState (Ring ring) = do
  state <- withForeignPtr ring c_state
  pure (case state of
    0 -> RingWaiting
    1 -> RingOpen
    _ -> RingClosed)

-- | Our own: nothing more is put, nothing more is got.
closeRing :: Ring -> IO ()
closeRing (Ring ring) = withForeignPtr ring $ \r -> c_state_set r 2
