-- SPDX-License-Identifier: BSD-3-Clause
-- | Two domains of a Xen host that talk through a typed channel: README.md.
module Main (main) where

import Control.Exception (IOException, bracket, mask_, try)
import Control.Monad (forM_, forever, unless)
import qualified Data.ByteString as B
import Data.ByteString (ByteString)
import Data.Word (Word32)
import System.Environment (getArgs)
import System.Exit (die)
import System.IO (BufferMode (..), hSetBuffering, stdout)
import System.Timeout (timeout)

import System.HaLVM.Xen.Channel
import System.HaLVM.Xen.Store

-- | What is asked and answered: a number, and bytes.
type Message = (Word32, ByteString)

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  arguments <- getArgs
  withStore $ \store -> case arguments of
    ["server", name] -> server store name
    ["client", name] -> client store Anywhere name 3
    ["client", name, domain] ->
      client store (AtDomain (read domain)) name 3
    ["hold", name] -> forever (hold store name)
    ["impatient", name] -> impatient store name
    ["peer", name, domain] -> peer store (read domain) name
    _ -> die "usage: channel server|client|hold|impatient NAME, \
             \channel client|peer NAME DOMAIN"

say :: String -> IO ()
say = putStrLn . ("channel: " ++)

-- | Answers with the same bytes in reverse.
server :: Store -> String -> IO ()
server store name = do
  say ("serving " ++ name)
  serve store name answer
  where
    answer :: InOutChannel Message Message -> IO ()
    answer channel = do
      say ("a client in domain " ++ show (channelPeer channel))
      result <- try $ forever $ do
        (n, bytes) <- get channel
        put channel (n + 1, B.reverse bytes)
      say ("no client any more: " ++ either reason id result)
    reason :: IOException -> String
    reason = show

-- | Asks with messages of all sizes; then closes, and does it again.
client :: Store -> Server -> String -> Int -> IO ()
client store place name rounds = do
  forM_ [1 .. rounds] $ \n ->
    bracket (connect store place name) close $ \channel -> do
      forM_ sizes $ \size -> check channel (fromIntegral size) (pattern size)
      say ("round " ++ show n ++ " is right")
  say "all is well"
  where
    sizes = [0, 1, 2, 3, 100, 4091, 4092, 4093, 32768, 65536, 100003, 1048576]

pattern :: Int -> ByteString
pattern size = fst (B.unfoldrN size step (fromIntegral size))
  where step n = let m = n * 1103515245 + 12345 :: Word32
                 in Just (fromIntegral (m `div` 65536), m)

check :: InOutChannel Message Message -> Word32 -> ByteString -> IO ()
check channel n bytes = do
  put channel (n, bytes)
  get channel >>= checkAnswer n bytes

checkAnswer :: Word32 -> ByteString -> Message -> IO ()
checkAnswer n bytes (m, back) = unless (m == n + 1 && back == B.reverse bytes) $
  die ("channel: " ++ show (B.length bytes) ++ " bytes came back wrong")

-- | Gives up waiting again and again, in the middle of everything: nothing is
-- lost.
impatient :: Store -> String -> IO ()
impatient store name = bracket (connect store Anywhere name) close $ \channel -> do
  forM_ [1 .. 500] $ \n -> do
    let size = n * 331 `mod` 70000
        message = (fromIntegral n, pattern size) :: Message
        -- microseconds; more each time, or a slow machine never comes to get
        persist t = mask_ (timeout t (get channel))
          >>= maybe (persist (t + t `div` 8)) pure
    put channel message
    persist (20 + n * 97 `mod` 3000) >>= uncurry checkAnswer message
  say "patience was not needed"

-- | Keeps a channel, until the server is gone, and says so.
hold :: Store -> String -> IO ()
hold store name = bracket (connect store Anywhere name) close $ \channel -> do
  check channel 1 (pattern 1000)
  say ("connected to domain " ++ show (channelPeer channel))
  result <- try (get channel)
  case result of
    Left e | isPeerGone e -> say "the server is gone"
           | otherwise -> say ("an error: " ++ show e)
    Right message -> say ("unasked: " ++ show (message :: Message))

-- | Both sides do the same.
peer :: Store -> DomainId -> String -> IO ()
peer store other name =
  bracket (peerConnection store other name) close $ \channel -> do
    forM_ [1 .. 10 :: Int] $ \n -> do
      put channel (n, show n)
      answer <- get channel
      unless (answer == (n, show n)) $ die "channel: peers differ"
    say "the peers agree"
