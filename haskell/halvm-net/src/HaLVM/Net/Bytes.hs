-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- |
-- Module: HaLVM.Net.Bytes
--
-- Big-endian numbers in byte strings, and packets built in one piece.
--
-- The readers do not check bounds: a decoder checks the length once, then
-- reads. 'Put' is a packet that knows its size and writes itself where it is
-- told, so that a frame with all its headers is allocated and copied once.
--
-- >>> import qualified Data.ByteString as B
-- >>> B.unpack (runPut (put16 0x0102 <> putBytes (B.pack [3])))
-- [1,2,3]
module HaLVM.Net.Bytes
  ( -- * Reading
    u8, u16, u32, u64, addrV4, addrV6, macAt
    -- * Writing
  , Put (..), runPut, putSize, put8, put16, put32, put64, putBytes, putAddr
  , putMac, putZeros
    -- * In place
  , poke16, poke32
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Internal as BI
import qualified Data.ByteString.Unsafe as BU
import Data.Bits
import Data.Word
import Foreign.ForeignPtr (ForeignPtr)
import Foreign.Marshal.Utils (copyBytes, fillBytes)
import Foreign.Ptr
import Foreign.Storable
import GHC.ForeignPtr (unsafeWithForeignPtr)

import HaLVM.Net.Types

u8 :: ByteString -> Int -> Word8
u8 = BU.unsafeIndex
{-# INLINE u8 #-}

u16 :: ByteString -> Int -> Word16
u16 b i = byteSwap16 (peekAt b i)
{-# INLINE u16 #-}

u32 :: ByteString -> Int -> Word32
u32 b i = byteSwap32 (peekAt b i)
{-# INLINE u32 #-}

u64 :: ByteString -> Int -> Word64
u64 b i = byteSwap64 (peekAt b i)
{-# INLINE u64 #-}

-- A read of memory that nobody writes again has no effect that could be
-- moved or done twice.
peekAt :: Storable a => ByteString -> Int -> a
peekAt b i = case BI.toForeignPtr b of
  (fp, off, _) -> BI.accursedUnutterablePerformIO
    (unsafeWithForeignPtr (fp :: ForeignPtr Word8) $ \p ->
      peekByteOff p (off + i))
{-# INLINE peekAt #-}

addrV4 :: ByteString -> Int -> Addr
addrV4 b i = V4 (u32 b i)
{-# INLINE addrV4 #-}

addrV6 :: ByteString -> Int -> Addr
addrV6 b i = V6 (u64 b i) (u64 b (i + 8))
{-# INLINE addrV6 #-}

macAt :: ByteString -> Int -> Mac
macAt b i =
  Mac (fromIntegral (u16 b i) `unsafeShiftL` 32 .|. fromIntegral (u32 b (i + 2)))
{-# INLINE macAt #-}

-- | How many bytes, and what writes them.
data Put = Put !Int (Ptr Word8 -> IO ())

instance Semigroup Put where
  Put n f <> Put m g = Put (n + m) (\p -> f p >> g (p `plusPtr` n))
  {-# INLINE (<>) #-}

instance Monoid Put where
  mempty = Put 0 (\_ -> pure ())

putSize :: Put -> Int
putSize (Put n _) = n

-- | Allocates and writes, when the result is demanded; once.
runPut :: Put -> ByteString
runPut (Put n f) = BI.unsafeCreate n f
{-# INLINE runPut #-}

put8 :: Word8 -> Put
put8 w = Put 1 (`poke` w)
{-# INLINE put8 #-}

put16 :: Word16 -> Put
put16 w = Put 2 (\p -> poke16 p 0 w)
{-# INLINE put16 #-}

put32 :: Word32 -> Put
put32 w = Put 4 (\p -> poke32 p 0 w)
{-# INLINE put32 #-}

put64 :: Word64 -> Put
put64 w = Put 8 (\p -> poke (castPtr p) (byteSwap64 w))
{-# INLINE put64 #-}

putBytes :: ByteString -> Put
putBytes b = Put (B.length b) $ \p ->
  BU.unsafeUseAsCStringLen b $ \(from, n) -> copyBytes p (castPtr from) n
{-# INLINE putBytes #-}

putZeros :: Int -> Put
putZeros n = Put n (\p -> fillBytes p 0 n)

putAddr :: Addr -> Put
putAddr (V4 a) = put32 a
putAddr (V6 a b) = put64 a <> put64 b
{-# INLINE putAddr #-}

putMac :: Mac -> Put
putMac (Mac m) =
  put16 (fromIntegral (m `unsafeShiftR` 32)) <> put32 (fromIntegral m)
{-# INLINE putMac #-}

poke16 :: Ptr Word8 -> Int -> Word16 -> IO ()
poke16 p i w = pokeByteOff p i (byteSwap16 w)
{-# INLINE poke16 #-}

poke32 :: Ptr Word8 -> Int -> Word32 -> IO ()
poke32 p i w = pokeByteOff p i (byteSwap32 w)
{-# INLINE poke32 #-}
