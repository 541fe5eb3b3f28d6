-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- |
-- Module: HaLVM.Net.Checksum
--
-- The Internet checksum (RFC 1071), four bytes at a time.
--
-- A 'Sum' is in the machine's own byte order, which RFC 1071 allows; only
-- 'finish' and 'add16' swap. Every part but the last must have an even length.
--
-- >>> import qualified Data.ByteString as B
-- >>> finish (sumBytes (B.pack [0x45, 0, 0, 0x14]))
-- 47851
module HaLVM.Net.Checksum
  ( Sum, sumBytes, sumPtr, add16, add32, addAddr, pseudo, finish, begun, isValid
  , adjust16, adjust32
  ) where

import qualified Data.ByteString.Unsafe as BU
import Data.ByteString (ByteString)
import qualified Data.ByteString.Internal as BI
import Data.Bits
import Data.Word
import Foreign.Ptr
import Foreign.Storable

import HaLVM.Net.Types

-- | A sum that is not folded yet. A frame of at most 64 KiB cannot overflow
-- it.
type Sum = Word64

-- | The sum of a byte string.
sumBytes :: ByteString -> Sum
sumBytes b = BI.accursedUnutterablePerformIO $
  BU.unsafeUseAsCStringLen b $ \(p, n) -> sumPtr (castPtr p) n 0
{-# NOINLINE sumBytes #-}

-- | Adds a piece of memory to a sum.
sumPtr :: Ptr Word8 -> Int -> Sum -> IO Sum
sumPtr !p0 !n0 !acc0 = wide p0 n0 acc0
  where
    wide :: Ptr Word8 -> Int -> Sum -> IO Sum
    wide !p !n !acc
      | n >= 32 = do
          a <- word 0
          b <- word 4
          c <- word 8
          d <- word 12
          e <- word 16
          f <- word 20
          g <- word 24
          h <- word 28
          wide (p `plusPtr` 32) (n - 32) (acc + a + b + c + d + e + f + g + h)
      | otherwise = narrow p n acc
      where
        -- Half a word each, so that nothing is carried out of the sum.
        word :: Int -> IO Word64
        word i = fromIntegral <$> (peekByteOff p i :: IO Word32)
        {-# INLINE word #-}
    narrow :: Ptr Word8 -> Int -> Sum -> IO Sum
    narrow !p !n !acc
      | n >= 4 = do
          a <- peek (castPtr p) :: IO Word32
          narrow (p `plusPtr` 4) (n - 4) (acc + fromIntegral a)
      | n >= 2 = do
          a <- peek (castPtr p) :: IO Word16
          narrow (p `plusPtr` 2) (n - 2) (acc + fromIntegral a)
      | n == 1 = do
          a <- peek p
          pure (acc + fromIntegral a)
      | otherwise = pure acc

-- | Adds a number of sixteen bits, of a header's own order.
add16 :: Word16 -> Sum -> Sum
add16 w acc = acc + fromIntegral (byteSwap16 w)
{-# INLINE add16 #-}

add32 :: Word32 -> Sum -> Sum
add32 w acc = acc + fromIntegral (byteSwap32 w)
{-# INLINE add32 #-}

addAddr :: Addr -> Sum -> Sum
addAddr (V4 a) acc = add32 a acc
addAddr (V6 a b) acc = half a (half b acc)
  where
    half w s = add32 (fromIntegral (w `unsafeShiftR` 32)) (add32 (fromIntegral w) s)

-- | The pseudo header: source, destination, protocol, length.
pseudo :: Addr -> Addr -> Word8 -> Int -> Sum
pseudo source target proto size =
  addAddr source (addAddr target
    (add16 (fromIntegral proto) (add32 (fromIntegral size) 0)))
{-# INLINE pseudo #-}

fold :: Sum -> Word16
fold s0 = fromIntegral (s3 .&. 0xffff)
  where
    s1 = (s0 .&. 0xffffffff) + (s0 `unsafeShiftR` 32)
    s2 = (s1 .&. 0xffff) + ((s1 `unsafeShiftR` 16) .&. 0xffff)
       + (s1 `unsafeShiftR` 32)
    s2' = (s2 .&. 0xffff) + (s2 `unsafeShiftR` 16)
    s3 = (s2' .&. 0xffff) + (s2' `unsafeShiftR` 16)

-- | What is written into a header whose checksum field was zero.
finish :: Sum -> Word16
finish s = byteSwap16 (complement (fold s))
{-# INLINE finish #-}

-- | What is written there when somebody else adds the rest.
begun :: Sum -> Word16
begun s = byteSwap16 (fold s)
{-# INLINE begun #-}

-- | Whether a sum over a header with its checksum says that it is intact.
isValid :: Sum -> Bool
isValid s = fold s == 0xffff
{-# INLINE isValid #-}

-- | A checksum after a field of sixteen bits changed (RFC 1624, equation 3).
adjust16 :: Word16 -> Word16 -> Word16 -> Word16
adjust16 old new check = complement (fromIntegral (folded (folded total)))
  where
    total = fromIntegral (complement check) + fromIntegral (complement old)
      + fromIntegral new :: Word32
    folded :: Word32 -> Word32
    folded t = (t .&. 0xffff) + (t `shiftR` 16)

-- | The same for one of thirty-two bits.
adjust32 :: Word32 -> Word32 -> Word16 -> Word16
adjust32 old new =
  adjust16 (hi old) (hi new) . adjust16 (fromIntegral old) (fromIntegral new)
  where hi w = fromIntegral (w `unsafeShiftR` 16)
