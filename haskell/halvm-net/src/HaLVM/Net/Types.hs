-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Types
--
-- What every layer of the stack speaks of: addresses, time, errors.
--
-- >>> showAddr <$> parseAddr "10.0.0.1"
-- Just "10.0.0.1"
-- >>> showAddr <$> parseAddr "fe80::1"
-- Just "fe80::1"
module HaLVM.Net.Types
  ( -- * Time
    Time, never, seconds, millis
    -- * Link addresses
  , Mac (..), broadcastMac, isGroupMac, showMac, parseMac
    -- * Internet addresses
  , Addr (..), Endpoint (..), Prefix (..)
  , parseAddr, showAddr, showEndpoint, anyV4, anyV6, isV4, isAny
  , isMulticast, isLoopback, isLinkLocal, isBroadcastV4, inPrefix, maskV4
  , directedBroadcast, solicitedNode, linkLocalAll, linkLocalRouters
    -- * Protocols and sockets
  , Proto (..), protoNumber, SockId, Error (..)
  ) where

import Data.Bits
import Data.Char (intToDigit, isHexDigit)
import Data.List (foldl', intercalate)
import Data.Word
import Numeric (readHex, showHex)
import Text.Read (readMaybe)

-- | Microseconds of a clock that never goes back. The stack never looks at a
-- clock: every event brings its time along.
type Time = Int

-- | Later than every deadline.
never :: Time
never = maxBound

seconds, millis :: Int -> Time
seconds n = n * 1000000
millis n = n * 1000

-- | An Ethernet address, in the low 48 bits.
newtype Mac = Mac Word64 deriving (Eq, Ord)

instance Show Mac where
  show = showMac

broadcastMac :: Mac
broadcastMac = Mac 0xffffffffffff

-- | Broadcast or multicast.
isGroupMac :: Mac -> Bool
isGroupMac (Mac m) = testBit m 40

showMac :: Mac -> String
showMac (Mac m) =
  intercalate ":" [two (fromIntegral (m `shiftR` s) .&. 0xff) | s <- [40, 32 .. 0]]
  where
    two :: Int -> String
    two b = [intToDigit (b `shiftR` 4), intToDigit (b .&. 15)]

-- | Six bytes in hexadecimal, with colons between them.
parseMac :: String -> Maybe Mac
parseMac text = case mapM byte (splitOn ':' text) of
  Just bytes | length bytes == 6 ->
    Just (Mac (foldl' (\m b -> m `shiftL` 8 .|. b) 0 bytes))
  _ -> Nothing
  where
    byte s | length s == 2, [(b, "")] <- readHex s = Just b
    byte _ = Nothing

-- | An IPv4 or IPv6 address, in host order: the first byte is the highest.
data Addr
  = V4 {-# UNPACK #-} !Word32
  | V6 {-# UNPACK #-} !Word64 {-# UNPACK #-} !Word64
  deriving (Eq, Ord)

instance Show Addr where
  show = showAddr

-- | An address and a port.
data Endpoint = Endpoint
  { endAddr :: !Addr
  , endPort :: {-# UNPACK #-} !Word16
  } deriving (Eq, Ord)

instance Show Endpoint where
  show = showEndpoint

-- | A network: an address of it, and how many bits name the network.
data Prefix = Prefix !Addr !Int deriving (Eq, Ord, Show)

anyV4, anyV6 :: Addr
anyV4 = V4 0
anyV6 = V6 0 0

isV4 :: Addr -> Bool
isV4 (V4 _) = True
isV4 _ = False

isAny :: Addr -> Bool
isAny (V4 a) = a == 0
isAny (V6 a b) = a == 0 && b == 0

isMulticast :: Addr -> Bool
isMulticast (V4 a) = a `shiftR` 28 == 0xe
isMulticast (V6 a _) = a `shiftR` 56 == 0xff

isLoopback :: Addr -> Bool
isLoopback (V4 a) = a `shiftR` 24 == 127
isLoopback (V6 a b) = a == 0 && b == 1

-- | fe80::/10
isLinkLocal :: Addr -> Bool
isLinkLocal (V6 a _) = a `shiftR` 54 == 0x3fa
isLinkLocal _ = False

isBroadcastV4 :: Addr -> Bool
isBroadcastV4 (V4 a) = a == 0xffffffff
isBroadcastV4 _ = False

maskV4 :: Int -> Word32
maskV4 n
  | n <= 0 = 0
  | n >= 32 = 0xffffffff
  | otherwise = complement (0xffffffff `unsafeShiftR` n)

mask64 :: Int -> Word64
mask64 n
  | n <= 0 = 0
  | n >= 64 = maxBound
  | otherwise = complement (maxBound `unsafeShiftR` n)

-- | Whether an address belongs to a network.
inPrefix :: Prefix -> Addr -> Bool
inPrefix (Prefix (V4 p) n) (V4 a) = (p `xor` a) .&. maskV4 n == 0
inPrefix (Prefix (V6 p q) n) (V6 a b) =
  (p `xor` a) .&. mask64 n == 0 && (q `xor` b) .&. mask64 (n - 64) == 0
inPrefix _ _ = False

-- | The broadcast address of an IPv4 network that has one.
directedBroadcast :: Prefix -> Maybe Addr
directedBroadcast (Prefix (V4 p) n)
  | n < 31, n > 0 = Just (V4 (p .|. complement (maskV4 n)))
directedBroadcast _ = Nothing

-- | The multicast address at which a neighbour is asked for (RFC 4291, 2.7.1).
solicitedNode :: Addr -> Addr
solicitedNode (V6 _ b) =
  V6 0xff02000000000000 (0x00000001ff000000 .|. (b .&. 0xffffff))
solicitedNode a = a

-- | ff02::1 and ff02::2.
linkLocalAll, linkLocalRouters :: Addr
linkLocalAll = V6 0xff02000000000000 1
linkLocalRouters = V6 0xff02000000000000 2

showAddr :: Addr -> String
showAddr (V4 a) =
  intercalate "." [show ((a `shiftR` s) .&. 0xff) | s <- [24, 16, 8, 0]]
showAddr (V6 a b) = case longestZeros groups of
  Just (at, size) ->
    colons (take at groups) ++ "::" ++ colons (drop (at + size) groups)
  Nothing -> colons groups
  where
    groups = [w `shiftR` s .&. 0xffff | w <- [a, b], s <- [48, 32, 16, 0]]
    colons = intercalate ":" . map (`showHex` "")

-- The first of the longest runs of two or more zeros (RFC 5952).
longestZeros :: [Word64] -> Maybe (Int, Int)
longestZeros groups = foldl' best Nothing (runs 0 groups)
  where
    best found (at, size)
      | size >= 2, maybe True ((< size) . snd) found = Just (at, size)
      | otherwise = found
    runs _ [] = []
    runs at rest@(g : more)
      | g == 0 = let size = length (takeWhile (== 0) rest)
                 in (at, size) : runs (at + size) (drop size rest)
      | otherwise = runs (at + 1 :: Int) more

showEndpoint :: Endpoint -> String
showEndpoint (Endpoint a@(V4 _) p) = showAddr a ++ ":" ++ show p
showEndpoint (Endpoint a p) = "[" ++ showAddr a ++ "]:" ++ show p

-- | Dotted IPv4, or IPv6 with at most one @::@.
parseAddr :: String -> Maybe Addr
parseAddr text
  | ':' `elem` text = parseV6 text
  | otherwise = V4 <$> parseV4 text

parseV4 :: String -> Maybe Word32
parseV4 text = case mapM byte (splitOn '.' text) of
  Just bytes | length bytes == 4 ->
    Just (foldl' (\a b -> a `shiftL` 8 .|. b) 0 bytes)
  _ -> Nothing
  where
    byte s
      | not (null s), length s <= 3, all (`elem` ['0' .. '9']) s
      , Just n <- readMaybe s, n < (256 :: Word32) = Just n
    byte _ = Nothing

parseV6 :: String -> Maybe Addr
parseV6 text = do
  (before, after) <- pure (halves text)
  left <- groupsOf before
  case after of
    Nothing | length left == 8 -> Just (pack left)
    Just rest -> do
      right <- groupsOf rest
      let missing = 8 - length left - length right
      if missing >= 1
        then Just (pack (left ++ replicate missing 0 ++ right))
        else Nothing
    _ -> Nothing
  where
    pack gs = let (x, y) = splitAt 4 gs in V6 (join x) (join y)
    join = foldl' (\a g -> a `shiftL` 16 .|. g) 0
    groupsOf "" = Just []
    groupsOf s = concat <$> mapM group (splitOn ':' s)
    group s
      | '.' `elem` s = do
          a <- parseV4 s
          pure [fromIntegral (a `shiftR` 16), fromIntegral (a .&. 0xffff)]
      | not (null s), length s <= 4, all isHexDigit s
      , [(g, "")] <- readHex s = Just [g]
      | otherwise = Nothing
    halves s = go [] s
      where
        go seen (':' : ':' : rest) = (reverse seen, Just rest)
        go seen (c : rest) = go (c : seen) rest
        go seen [] = (reverse seen, Nothing)

splitOn :: Char -> String -> [String]
splitOn c s = case break (== c) s of
  (part, _ : rest) -> part : splitOn c rest
  (part, []) -> [part]

-- | What a socket speaks.
data Proto = Tcp | Udp deriving (Eq, Ord, Show)

protoNumber :: Proto -> Word8
protoNumber Tcp = 6
protoNumber Udp = 17

-- | A socket's number: positive, and not used again while the stack lives.
type SockId = Int

-- | Why a call failed; the names are those of errno.
data Error
  = Again | InProgress | Already | IsConnected | NotConnected | Refused | Reset
  | TimedOut | AddrInUse | AddrNotAvail | NetUnreachable | HostUnreachable
  | Invalid | BadSocket | NotSupported | BrokenPipe | MessageSize | NoBuffers
  | Aborted | DestinationRequired
  deriving (Eq, Ord, Show, Enum, Bounded)
