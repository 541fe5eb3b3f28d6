-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Tcp.Options
--
-- TCP's options: maximum segment size (RFC 9293), window scale and timestamps
-- (RFC 7323), selective acknowledgement (RFC 2018).
module HaLVM.Net.Tcp.Options
  ( Options (..), Stamp (..), Block (..), noOptions, decodeOptions, putOptions
  , stampSize, sackSize
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.Word

import HaLVM.Net.Bytes
import HaLVM.Net.Persona (OptionKind (..))

-- | A block of SACK: first number, and the one after the last.
data Block = Block Word32 Word32 deriving (Eq, Show)

data Stamp = NoStamp | Stamp Word32 Word32 -- ^ value, echo
  deriving (Eq, Show)

data Options = Options
  { optMss :: Int      -- ^ 0: none
  , optScale :: Int    -- ^ -1: none
  , optSackOk :: Bool
  , optStamp :: Stamp
  , optSack :: [Block]
  } deriving (Eq, Show)

noOptions :: Options
noOptions = Options 0 (-1) False NoStamp []

-- | What can be read of them; an option that is broken ends the list. A scale
-- above 14 counts as 14 (RFC 7323, 2.3).
decodeOptions :: ByteString -> Options
decodeOptions = go noOptions
  where
    go o b
      | B.null b = o
      -- What nearly every segment has: two NOPs and a timestamp.
      | B.length b >= 12, u32 b 0 == 0x0101080a =
          go o { optStamp = Stamp (u32 b 4) (u32 b 8) } (B.drop 12 b)
      | otherwise = case u8 b 0 of
          0 -> o
          1 -> go o (B.drop 1 b)
          kind
            | B.length b < 2 -> o
            | size < 2 || size > B.length b -> o
            | otherwise -> go (one kind) (B.drop size b)
            where
              size = fromIntegral (u8 b 1)
              one k = case k of
                2 | size == 4 -> o { optMss = fromIntegral (u16 b 2) }
                3 | size == 3 -> o { optScale = min 14 (fromIntegral (u8 b 2)) }
                4 | size == 2 -> o { optSackOk = True }
                5 | (size - 2) `rem` 8 == 0, size <= 34 ->
                      o { optSack = blocks 2 }
                8 | size == 10 -> o { optStamp = Stamp (u32 b 2) (u32 b 6) }
                _ -> o
              blocks i
                | i + 8 > size = []
                | otherwise = Block (u32 b i) (u32 b (i + 4)) : blocks (i + 8)

-- | Bytes of a timestamp with its padding.
stampSize :: Int
stampSize = 12

-- | Bytes of so many blocks with their padding.
sackSize :: Int -> Int
sackSize 0 = 0
sackSize n = 4 + 8 * n

-- | The options of a segment, a multiple of four bytes; of a SYN in the order
-- of a persona.
putOptions :: [OptionKind] -> Bool -> Options -> Put
putOptions order syn o
  | syn = padded (foldMap one order)
  | otherwise = stamp <> sack
  where
    one kind = case kind of
      OptMss | optMss o > 0 -> put32 (0x02040000 + fromIntegral (optMss o))
      OptScale | optScale o >= 0 ->
        put16 0x0303 <> put8 (fromIntegral (optScale o))
      OptSackOk | optSackOk o -> put16 0x0402
      OptTimestamps | Stamp v e <- optStamp o ->
        put16 0x080a <> put32 v <> put32 e
      OptNop -> put8 1
      OptEnd -> put8 0
      _ -> mempty
    padded p = p <> putZeros (negate (putSize p) `mod` 4)
    stamp = case optStamp o of
      NoStamp -> mempty
      Stamp v e -> Put stampSize $ \p ->
        poke32 p 0 0x0101080a >> poke32 p 4 v >> poke32 p 8 e
    sack = case optSack o of
      [] -> mempty
      bs -> put32 (0x01010502 + 8 * fromIntegral (length bs))
        <> foldMap (\(Block a b) -> put32 a <> put32 b) bs
