-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- |
-- Module: HaLVM.Net.SipHash
--
-- SipHash-2-4 over whole words: the keyed function behind initial sequence
-- numbers (RFC 6528), ports (RFC 6056), stable interface identifiers (RFC
-- 7217), SYN cookies, and the stack's random numbers.
module HaLVM.Net.SipHash
  ( Key (..), sipHash
    -- * Random numbers
  , Random, newRandom, nextWord64, nextWord32, nextBelow
  ) where

import Data.Bits
import Data.Word

-- | A secret of 128 bits.
data Key = Key {-# UNPACK #-} !Word64 {-# UNPACK #-} !Word64

-- | The hash of the words' bytes, little-endian, as the algorithm's authors
-- define it for messages of a multiple of eight bytes.
--
-- >>> sipHash (Key 0x0706050403020100 0x0f0e0d0c0b0a0908) [0x0706050403020100]
-- 10607030777331535458
sipHash :: Key -> [Word64] -> Word64
sipHash (Key k0 k1) = go 0
    (k0 `xor` 0x736f6d6570736575) (k1 `xor` 0x646f72616e646f6d)
    (k0 `xor` 0x6c7967656e657261) (k1 `xor` 0x7465646279746573)
  where
    go :: Word64 -> Word64 -> Word64 -> Word64 -> Word64 -> [Word64] -> Word64
    go !n !a !b !c !d (w : ws) =
      rounds 2 a b c (d `xor` w) $ \a' b' c' d' ->
        go (n + 8) (a' `xor` w) b' c' d' ws
    go n a b c d [] =
      let end = n `unsafeShiftL` 56
      in rounds 2 a b c (d `xor` end) $ \a' b' c' d' ->
           rounds 4 (a' `xor` end) b' (c' `xor` 0xff) d' $ \p q r s ->
             p `xor` q `xor` r `xor` s

rounds :: Int -> Word64 -> Word64 -> Word64 -> Word64
       -> (Word64 -> Word64 -> Word64 -> Word64 -> r) -> r
rounds n !a0 !b0 !c0 !d0 k
  | n == 0 = k a0 b0 c0 d0
  | otherwise =
      let a1 = a0 + b0
          b1 = rotateL b0 13 `xor` a1
          a2 = rotateL a1 32
          c1 = c0 + d0
          d1 = rotateL d0 16 `xor` c1
          a3 = a2 + d1
          d2 = rotateL d1 21 `xor` a3
          c2 = c1 + b1
          b2 = rotateL b1 17 `xor` c2
          c3 = rotateL c2 32
      in rounds (n - 1) a3 b2 c3 d2 k

-- | A secret and a counter. Who does not know the secret cannot tell the
-- numbers from random ones.
data Random = Random !Key !Word64

newRandom :: Key -> Random
newRandom key = Random key 0

nextWord64 :: Random -> (Word64, Random)
nextWord64 (Random key n) = (sipHash key [n], Random key (n + 1))

nextWord32 :: Random -> (Word32, Random)
nextWord32 r = case nextWord64 r of (w, r') -> (fromIntegral w, r')

-- | A number from 0 to below the given one, which is positive and small
-- against 2^64.
nextBelow :: Int -> Random -> (Int, Random)
nextBelow n r = case nextWord64 r of
  (w, r') -> (fromIntegral (w `rem` fromIntegral (max 1 n)), r')
