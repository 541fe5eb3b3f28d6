-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Dns
--
-- Questions to name servers and their answers (RFC 1035, 3596) as bytes, and
-- what an answer means. Compressed names are followed backwards only, so
-- that none loops.
module HaLVM.Net.Dns
  ( RecordType (..), Response (..), Record (..), encodeQuery, decodeResponse
  , matchesQuery, addressesOf, nameOf
  ) where

import Data.Bits
import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import qualified Data.ByteString.Char8 as C
import Data.Char (toLower)
import Data.Word

import HaLVM.Net.Bytes
import HaLVM.Net.Types

data RecordType = TypeA | TypeAaaa deriving (Eq, Show)

typeNumber :: RecordType -> Word16
typeNumber TypeA = 1
typeNumber TypeAaaa = 28

data Record
  = Address Addr
  | Alias ByteString
  | OtherRecord Word16
  deriving (Eq, Show)

-- | Names are in lower case, without the last dot.
data Response = Response
  { dnsId :: Word16
  , dnsCode :: Int -- ^ 0: fine, 3: no such name
  , dnsTruncated :: Bool
  , dnsQuestion :: (ByteString, Word16)
  , dnsAnswers :: [(ByteString, Word32, Record)] -- ^ name, seconds to live
  } deriving (Eq, Show)

-- | Labels of a name as bytes. Nothing for what is no name: an empty label,
-- one of more than 63 bytes, or more than 253 altogether.
nameOf :: String -> Maybe Put
nameOf text
  | null labels || length text > 253 || not (all good labels) = Nothing
  | otherwise = Just (foldMap label labels <> put8 0)
  where
    labels = C.split '.' (C.pack (trim text))
    trim t = if not (null t) && last t == '.' then init t else t
    good l = not (B.null l) && B.length l <= 63
    label l = put8 (fromIntegral (B.length l)) <> putBytes l

-- | A question that asks for recursion. A name that is none asks for ".".
encodeQuery :: Word16 -> String -> RecordType -> ByteString
encodeQuery ident host kind = runPut
  (put16 ident <> put16 0x0100 <> put16 1 <> put16 0 <> put16 0 <> put16 0
    <> maybe (put8 0) id (nameOf host) <> put16 (typeNumber kind) <> put16 1)

-- | Whether an answer is for this question.
matchesQuery :: String -> RecordType -> Response -> Bool
matchesQuery host kind r = dnsQuestion r == (plainName host, typeNumber kind)

plainName :: String -> ByteString
plainName h = C.pack (map toLower (if not (null h) && last h == '.' then init h else h))

-- | The addresses that an answer gives a name, through at most eight aliases.
addressesOf :: String -> Response -> [Addr]
addressesOf host r = go (8 :: Int) (plainName host)
  where
    go 0 _ = []
    go n name = case [a | (x, _, Address a) <- dnsAnswers r, x == name] of
      [] -> case [t | (x, _, Alias t) <- dnsAnswers r, x == name] of
        t : _ -> go (n - 1) t
        [] -> []
      as -> as

-- | Nothing for what is no answer to one question; of records, those before
-- the first one that cannot be read, at most 64.
decodeResponse :: ByteString -> Maybe Response
decodeResponse b
  | B.length b < 12 || not (testBit flags 15) || u16 b 4 /= 1 = Nothing
  | otherwise = do
      (name, at) <- readName b 12
      if at + 4 > B.length b then Nothing else Just Response
        { dnsId = u16 b 0
        , dnsCode = fromIntegral (flags .&. 15)
        , dnsTruncated = testBit flags 9
        , dnsQuestion = (name, u16 b at)
        , dnsAnswers = records (min 64 (fromIntegral (u16 b 6) :: Int)) (at + 4)
        }
  where
    flags = u16 b 2
    records 0 _ = []
    records n at = case readName b at of
      Just (name, p)
        | p + 10 <= B.length b, p + 10 + size <= B.length b ->
            (name, u32 b (p + 4), record) : records (n - 1) (p + 10 + size)
        where
          size = fromIntegral (u16 b (p + 8))
          record = case u16 b p of
            1 | size == 4 -> Address (addrV4 b (p + 10))
            28 | size == 16 -> Address (addrV6 b (p + 10))
            5 | Just (t, _) <- readName b (p + 10) -> Alias t
            k -> OtherRecord k
      _ -> []

-- A name and what follows it. Pointers must go back, each further than the
-- last one.
readName :: ByteString -> Int -> Maybe (ByteString, Int)
readName b start = go start start Nothing [] 0
  where
    go at limit end labels total
      | at >= B.length b || total > 255 = Nothing
      | otherwise = case u8 b at of
          0 -> Just ( C.map toLower (B.intercalate (C.pack ".") (reverse labels))
                    , maybe (at + 1) id end )
          n | n < 64, at + 1 + size <= B.length b ->
                go (at + 1 + size) limit end
                  (B.take size (B.drop (at + 1) b) : labels) (total + size + 1)
            | n >= 192, at + 1 < B.length b, to < limit ->
                go to to (Just (maybe (at + 2) id end)) labels total
            | otherwise -> Nothing
            where size = fromIntegral n :: Int
                  to = fromIntegral (u16 b at .&. 0x3fff)
