-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Tcp.Segment
--
-- TCP segments as bytes (RFC 9293, 3.1), and arithmetic on sequence numbers.
module HaLVM.Net.Tcp.Segment
  ( Segment (..), decodeSegment, readSegment, putSegment, putUnsummed
  , segmentLength, cutSegment
    -- * Flags
  , hasFin, hasSyn, hasRst, hasAck, flagFin, flagSyn, flagRst, flagPsh, flagAck
    -- * Sequence numbers
  , minus, before, atMost
  ) where

import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Unsafe as BU
import Data.Bits
import Data.Int
import Data.Word
import Foreign.Ptr
import Foreign.Storable

import HaLVM.Net.Bytes
import HaLVM.Net.Checksum
import HaLVM.Net.Persona (OptionKind)
import HaLVM.Net.Tcp.Options
import HaLVM.Net.Types

data Segment = Segment
  { segSource :: Word16
  , segTarget :: Word16
  , segSeq :: Word32
  , segAck :: Word32
  , segFlags :: Word8
  , segWindow :: Word16 -- ^ as in the header, not scaled
  , segOptions :: Options
  , segPayload :: ByteString
  } deriving (Eq, Show)

flagFin, flagSyn, flagRst, flagPsh, flagAck :: Word8
flagFin = 1
flagSyn = 2
flagRst = 4
flagPsh = 8
flagAck = 16

hasFin, hasSyn, hasRst, hasAck :: Segment -> Bool
hasFin s = testBit (segFlags s) 0
hasSyn s = testBit (segFlags s) 1
hasRst s = testBit (segFlags s) 2
hasAck s = testBit (segFlags s) 4

-- | In sequence numbers: payload, SYN and FIN.
segmentLength :: Segment -> Int
segmentLength s = B.length (segPayload s) + bit0 hasSyn + bit0 hasFin
  where bit0 f = if f s then 1 else 0

-- | How far the first number is ahead of the second; negative when behind.
minus :: Word32 -> Word32 -> Int
minus a b = fromIntegral (fromIntegral (a - b) :: Int32)
{-# INLINE minus #-}

before, atMost :: Word32 -> Word32 -> Bool
before a b = minus a b < 0
atMost a b = minus a b <= 0
{-# INLINE before #-}
{-# INLINE atMost #-}

-- | Checks length and checksum. The urgent pointer is not looked at: urgent
-- data is ordinary data (RFC 6093).
decodeSegment :: Addr -> Addr -> ByteString -> Maybe Segment
decodeSegment = readSegment False

-- | The same; of one whose checksum is known to be good, it is not looked at.
readSegment :: Bool -> Addr -> Addr -> ByteString -> Maybe Segment
readSegment good source target b
  | size < 20 || header < 20 || header > size = Nothing
  | not good && not (isValid (sumBytes b + pseudo source target 6 size)) = Nothing
  | otherwise = Just Segment
      { segSource = u16 b 0
      , segTarget = u16 b 2
      , segSeq = u32 b 4
      , segAck = u32 b 8
      , segFlags = u8 b 13
      , segWindow = u16 b 14
      , segOptions = if header == 20 then noOptions
          else decodeOptions (BU.unsafeTake (header - 20) (BU.unsafeDrop 20 b))
      , segPayload = BU.unsafeDrop header b
      }
  where
    size = B.length b
    header = fromIntegral (u8 b 12 `unsafeShiftR` 4) * 4

-- | The order of options is of interest in a SYN only.
putSegment :: [OptionKind] -> Addr -> Addr -> Segment -> Put
putSegment order source target s = Put size $ \p -> do
  write p
  total <- sumPtr p size (pseudo source target 6 size)
  poke16 p 16 (finish total)
  where Put size write = putHeaders order s

-- | The same, but in the place of the checksum the sum of the pseudo header:
-- the interface does the rest.
putUnsummed :: [OptionKind] -> Addr -> Addr -> Segment -> Put
putUnsummed order source target s = Put size $ \p -> do
  write p
  poke16 p 16 (begun (pseudo source target 6 size))
  where Put size write = putHeaders order s

-- Without a checksum.
putHeaders :: [OptionKind] -> Segment -> Put
putHeaders order s = Put size $ \p -> do
  poke16 p 0 (segSource s)
  poke16 p 2 (segTarget s)
  poke32 p 4 (segSeq s)
  poke32 p 8 (segAck s)
  pokeByteOff p 12 (fromIntegral (header `unsafeShiftL` 2) :: Word8)
  pokeByteOff p 13 (segFlags s)
  poke16 p 14 (segWindow s)
  poke32 p 16 0
  options (p `plusPtr` 20)
  body (p `plusPtr` header)
  where
    Put n options = putOptions order (hasSyn s) (segOptions s)
    Put len body = putBytes (segPayload s)
    header = 20 + n
    size = header + len

-- | Segments of so many bytes that are together the one; FIN and PSH are the
-- last's.
cutSegment :: Int -> Segment -> [Segment]
cutSegment most s
  | B.length (segPayload s) <= most = [s]
  | otherwise =
      s { segPayload = BU.unsafeTake most (segPayload s)
        , segFlags = segFlags s .&. complement (flagFin .|. flagPsh) }
      : cutSegment most s { segPayload = BU.unsafeDrop most (segPayload s)
                          , segSeq = segSeq s + fromIntegral most }
