-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE BangPatterns #-}
-- |
-- Module: HaLVM.Net.Ipv4.Reassembly
--
-- Puts fragments together again, of IPv4 (RFC 791, 815) and of IPv6 (RFC 8200,
-- 4.5), within fixed bounds: of packets, of fragments a packet, of bytes
-- altogether, and of time. A packet whose fragments overlap is dropped
-- altogether (RFC 5722): no honest sender makes one.
module HaLVM.Net.Ipv4.Reassembly
  ( Reassembly, Piece (..), FragKey (..), emptyReassembly, addPiece, expire
  , pending, bytesHeld
    -- * Bounds
  , packetsMax, piecesMax, bytesMax, lifetime
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.List (minimumBy)
import Data.Ord (comparing)
import qualified Data.Map.Strict as M
import Data.Word

import HaLVM.Net.Types

-- | What the fragments of one packet have in common.
data FragKey = FragKey !Addr !Addr !Word8 !Word32 deriving (Eq, Ord, Show)

data Piece = Piece
  { pieceOffset :: !Int
  , pieceMore :: !Bool -- ^ others follow
  , pieceBytes :: !ByteString
  } deriving (Eq, Show)

data Partial = Partial
  { partPieces :: ![(Int, ByteString)] -- by offset, none overlaps
  , partCount :: !Int
  , partBytes :: !Int
  , partEnd :: !(Maybe Int) -- the whole packet's length, once known
  , partDead :: !Bool       -- overlapped: the rest is thrown away, too
  , partUntil :: !Time
  }

data Reassembly = Reassembly !Int !(M.Map FragKey Partial)

packetsMax, piecesMax, bytesMax :: Int
packetsMax = 64
piecesMax = 64
bytesMax = 256 * 1024

lifetime :: Time
lifetime = seconds 30

emptyReassembly :: Reassembly
emptyReassembly = Reassembly 0 M.empty

-- | Packets that wait for more.
pending :: Reassembly -> Int
pending (Reassembly _ m) = M.size m

-- | Bytes of all pieces.
bytesHeld :: Reassembly -> Int
bytesHeld (Reassembly n _) = n

-- | One more fragment; the whole payload when it was the last one missing.
addPiece :: Time -> FragKey -> Piece -> Reassembly
         -> (Reassembly, Maybe ByteString)
addPiece now key piece r0
  | B.null bytes || end > 65535 = (r0, Nothing)
  | pieceMore piece && B.length bytes `rem` 8 /= 0 = (r0, Nothing)
  | otherwise = case M.lookup key parts of
      Just part | partDead part -> (r, Nothing)
                | otherwise -> insert part
      Nothing -> insert (Partial [] 0 0 Nothing False (now + lifetime))
  where
    bytes = pieceBytes piece
    start = pieceOffset piece
    end = start + B.length bytes
    r@(Reassembly held parts) = makeRoom now key (B.length bytes) r0

    insert part = case place (partPieces part) of
      Same -> (r, Nothing)
      Clash -> kill part
      Fits pieces
        | partCount part >= piecesMax -> kill part
        | not (agrees part) -> kill part
        | otherwise ->
            let part' = part { partPieces = pieces
                             , partCount = partCount part + 1
                             , partBytes = partBytes part + B.length bytes
                             , partEnd = if pieceMore piece then partEnd part
                                         else Just end }
            in if partEnd part' == Just (partBytes part')
                 then ( Reassembly (held - partBytes part) (M.delete key parts)
                      , Just (B.concat (map snd pieces)) )
                 else ( Reassembly (held + B.length bytes)
                          (M.insert key part' parts)
                      , Nothing )

    agrees part = case partEnd part of
      Just e -> end <= e && (pieceMore piece || end == e)
      Nothing -> pieceMore piece
        || all (\(o, b) -> o + B.length b <= end) (partPieces part)

    kill part =
      ( Reassembly (held - partBytes part)
          (M.insert key part { partDead = True, partPieces = []
                             , partBytes = 0 } parts)
      , Nothing )

    place [] = Fits [(start, bytes)]
    place (p@(o, b) : rest)
      | end <= o = Fits ((start, bytes) : p : rest)
      | start >= o + B.length b = case place rest of
          Fits ps -> Fits (p : ps)
          other -> other
      | o == start && B.length b == B.length bytes && b == bytes = Same
      | otherwise = Clash

data Placed = Same | Clash | Fits [(Int, ByteString)]

-- Makes room for a packet and for bytes: what is old goes first.
makeRoom :: Time -> FragKey -> Int -> Reassembly -> Reassembly
makeRoom now key size r0 = go (expire now r0)
  where
    go r@(Reassembly held parts)
      | M.null parts = r
      | held + size > bytesMax = go (dropOldest r)
      | M.size parts >= packetsMax && M.notMember key parts =
          go (dropOldest r)
      | otherwise = r

dropOldest :: Reassembly -> Reassembly
dropOldest (Reassembly held parts) =
  let (key, part) = minimumBy (comparing (partUntil . snd)) (M.toList parts)
  in Reassembly (held - partBytes part) (M.delete key parts)

-- | Forgets packets whose time is over.
expire :: Time -> Reassembly -> Reassembly
expire now r@(Reassembly held parts)
  | M.null old = r
  | otherwise = Reassembly (held - sum (map partBytes (M.elems old))) young
  where
    (old, young) = M.partition ((<= now) . partUntil) parts
