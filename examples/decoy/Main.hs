-- SPDX-License-Identifier: BSD-3-Clause
-- A decoy: several machines that nobody has business with, on one interface.
-- Whoever touches one is told of, as a line of JSON and as a datagram. See
-- README.md.
module Main (main) where

import Control.Concurrent
import Control.Concurrent.STM
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import Data.Char (intToDigit, isDigit)
import Data.Maybe (fromMaybe)
import qualified Data.Map.Strict as M
import Data.Word
import System.Environment
import System.Exit
import System.IO
import System.Posix.Time (epochTime)
import System.Timeout (timeout)

import HaLVM.Net.Persona
import HaLVM.Net.Run
import HaLVM.Net.Socket
import HaLVM.Net.Stack
import HaLVM.Net.Wire
import Interface (openWire)

-- | One machine that is played: its address, how it looks, what it answers on.
data Decoy = Decoy
  { decoyAddr :: Addr
  , decoyPrefix :: Int
  , decoyPersona :: Persona
  , decoyPorts :: [Word16]
  }

data Options = Options
  { optAlert :: Maybe Endpoint
  , optDecoys :: [Decoy]
  }

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  args <- getArgs
  case args of
    wire : rest | Just o <- parse (Options Nothing []) rest, not (null (optDecoys o)) ->
      play wire o
    _ -> do
      hPutStrLn stderr "usage: decoy INTERFACE [--alert ADDRESS:PORT] \
        \ADDRESS/PREFIX=PERSONA[:PORT,PORT...] ..."
      hPutStrLn stderr ("personas: " ++ unwords (map personaName personas))
      exitFailure

parse :: Options -> [String] -> Maybe Options
parse o args = case args of
  [] -> Just o { optDecoys = reverse (optDecoys o) }
  "--alert" : to : rest -> do
    e <- endpoint to
    parse o { optAlert = Just e } rest
  d : rest -> do
    decoy <- decoyOf d
    parse o { optDecoys = decoy : optDecoys o } rest

endpoint :: String -> Maybe Endpoint
endpoint s = case break (== ':') (reverse s) of
  (port, _ : host) -> Endpoint <$> parseAddr (reverse host) <*> number (reverse port)
  _ -> Nothing

number :: String -> Maybe Word16
number s
  | not (null s), length s <= 5, all isDigit s
  , n <- read s :: Int, n <= 65535 = Just (fromIntegral n)
  | otherwise = Nothing

-- ADDRESS/PREFIX=PERSONA[:PORT,PORT...]
decoyOf :: String -> Maybe Decoy
decoyOf s = do
  (net, look) <- cut '=' s
  (host, size) <- cut '/' net
  a <- parseAddr host
  n <- number size
  let (name, ports) = fromMaybe (look, "") (cut ':' look)
  p <- personaNamed name
  ps <- if null ports then Just [] else mapM number (pieces ports)
  if n <= (if isV4 a then 32 else 128) then Just (Decoy a (fromIntegral n) p ps) else Nothing
  where
    pieces x = case break (== ',') x of
      (y, _ : more) -> y : pieces more
      (y, []) -> [y]

cut :: Char -> String -> Maybe (String, String)
cut c s = case break (== c) s of
  (a, _ : b) -> Just (a, b)
  _ -> Nothing

-- What is told, in the order of its fields.
type Line = [(String, String)]

-- Lines that wait to be told; more are counted, and thrown away.
queueMax :: Int
queueMax = 1024

-- Connections that are listened to at the same time.
guestsMax :: Int
guestsMax = 64

play :: String -> Options -> IO ()
play name o = do
  wire <- openWire name
  let decoys = optDecoys o
      table = M.fromList [(decoyAddr d, d) | d <- decoys]
      i = (interface (wireMac wire))
        { ifcMtu = wireMtu wire, ifcDhcp = False, ifcIpv6 = any (not . isV4 . decoyAddr) decoys
        , ifcAddrs = [(decoyAddr d, decoyPrefix d) | d <- decoys]
        , ifcPersonas = [(decoyAddr d, decoyPersona d) | d <- decoys] }
      config = (defaultConfig [i]) { cfgWatch = True }
  queue <- newTBQueueIO (fromIntegral queueMax)
  dropped <- newTVarIO (0 :: Int)
  guests <- newTVarIO (0 :: Int)
  let put line = atomically $ do
        full <- isFullTBQueue queue
        if full then modifyTVar' dropped (+ 1) else writeTBQueue queue line
  net <- start config [wire]
  setTouchHook net (\t -> unless (ourOwn o t) (put (touchLine table t)))
  forM_ decoys $ \d -> forM_ (decoyPorts d) $ \port -> do
    l <- listenOn net (Endpoint (decoyAddr d) port) 64
    forkIO (forever (answer guests put d port l))
  alerts <- case optAlert o of
    Just to -> do
      s <- datagramOn net (Endpoint (if isV4 (endAddr to) then anyV4 else anyV6) 0)
      pure (Just (s, to))
    Nothing -> pure Nothing
  putStrLn (json [("kind", str "ready"), ("decoys", show (length decoys))])
  tellAll queue dropped alerts M.empty

-- What we do ourselves, and what the one who is told answers.
ourOwn :: Options -> Touch -> Bool
ourOwn o t = endAddr (touchFrom t) `elem` map decoyAddr (optDecoys o)
  || (touchKind t == TouchUdp && Just (touchFrom t) == optAlert o)

touchLine :: M.Map Addr Decoy -> Touch -> Line
touchLine table t =
  [ ("kind", str kind)
  , ("from", str (showAddr (endAddr (touchFrom t)))) ]
  ++ [("from_port", show (endPort (touchFrom t))) | endPort (touchFrom t) /= 0]
  ++ [("to", str (showAddr (endAddr (touchTo t))))]
  ++ [("port", show (endPort (touchTo t))) | touchKind t `elem` [TouchTcp, TouchUdp]]
  ++ [("open", if touchOpen t then "true" else "false")]
  ++ [("persona", str (personaName (decoyPersona d))) | Just d <- [M.lookup (endAddr (touchTo t)) table]]
  where
    kind = case touchKind t of
      TouchArp -> "arp"
      TouchPing -> "ping"
      TouchTcp -> "tcp"
      TouchUdp -> "udp"
      TouchOther -> "other"

-- One connection: a greeting, then what the guest says, for ten seconds and a
-- kibibyte at most.
answer :: TVar Int -> (Line -> IO ()) -> Decoy -> Word16 -> Socket -> IO ()
answer guests put d port l = do
  (c, peer) <- accept l
  free <- atomically $ do
    n <- readTVar guests
    if n >= guestsMax then pure False else True <$ writeTVar guests (n + 1)
  if not free then abort c else void $ forkIO $
    (handle (\e -> let _ = e :: NetError in pure ()) (listen c peer) `finally` close c)
      `finally` atomically (modifyTVar' guests (subtract 1))
  where
    listen c peer = do
      unless (B.null (greeting port)) (sendAll c (greeting port))
      said <- timeout 10000000 (recv c 1024)
      put [ ("kind", str "said"), ("from", str (showAddr (endAddr peer)))
          , ("from_port", show (endPort peer)), ("to", str (showAddr (decoyAddr d)))
          , ("port", show port), ("bytes", str (C.unpack (fromMaybe B.empty said))) ]
      unless (B.null (farewell port)) (sendAll c (farewell port))

greeting, farewell :: Word16 -> B.ByteString
greeting port = C.pack $ case port of
  21 -> "220 FTP server ready.\r\n"
  22 -> "SSH-2.0-OpenSSH_8.4p1\r\n"
  23 -> "\r\nlogin: "
  25 -> "220 mail ESMTP\r\n"
  _ -> ""
farewell port = C.pack $ case port of
  80 -> "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"admin\"\r\n\
        \Content-Length: 0\r\nConnection: close\r\n\r\n"
  _ -> ""

-- Tells of everything: a line for all, a datagram for what is new. The same
-- guest at the same door is news once a minute.
tellAll :: TBQueue Line -> TVar Int -> Maybe (Socket, Endpoint) -> M.Map Line Integer -> IO ()
tellAll queue dropped alerts told = do
  line <- atomically (readTBQueue queue)
  time <- (toInteger . fromEnum) <$> epochTime
  lost <- atomically (swapTVar dropped 0)
  when (lost > 0) $ putStrLn (json [("kind", str "lost"), ("lines", show lost)])
  let text = json (("time", show time) : line)
      what = filter ((`notElem` ["from_port", "bytes"]) . fst) line
      news = maybe True (\t -> time - t >= 60) (M.lookup what told)
      told' | M.size told >= 4096 = M.singleton what time
            | otherwise = M.insert what time told
  putStrLn text
  case alerts of
    -- Who asks for our address may be the one whom we want to tell.
    Just (s, to) | news, lookup "kind" line /= Just (str "arp") ->
      handle (\e -> hPutStrLn stderr ("decoy: " ++ show (e :: NetError)))
        (sendTo s to (C.pack (text ++ "\n")))
    _ -> pure ()
  tellAll queue dropped alerts (if news then told' else told)

json :: Line -> String
json line = "{" ++ drop 1 (concat [',' : str k ++ ":" ++ v | (k, v) <- line]) ++ "}"

-- A string of JSON; bytes that are not ASCII are escaped as if Latin-1.
str :: String -> String
str s = '"' : concatMap escape s ++ "\""
  where
    escape c = case c of
      '"' -> "\\\""
      '\\' -> "\\\\"
      _ | c >= ' ', c < '\DEL' -> [c]
        | otherwise -> "\\u" ++ reverse (take 4 (reverse ("0000" ++ hex (fromEnum c))))
    hex n | n == 0 = ""
          | otherwise = hex (n `quot` 16) ++ [intToDigit (n `rem` 16)]
