-- SPDX-License-Identifier: BSD-3-Clause
-- halvm-net on a tap device, for tests/run to speak with:
--
--   interop TAP [OPTION ...] COMMAND
--
--   serve PORT        an HTTP server: /N answers N bytes of a pattern,
--                     /census the state of the stack, PUT counts and checks;
--                     and port 7 gives back what it gets, TCP and UDP
--   fetch ADDR PORT N fetches /N of such a server, and checks it
--   echo ADDR PORT N  sends N bytes of the pattern to a port that gives them
--                     back, and checks them
--   dhcp              prints the address that DHCP gave
--   resolve NAME      prints the addresses of a name
--   sit               answers pings
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import Data.IORef
import Data.Maybe (fromMaybe)
import System.Environment
import System.Exit
import System.IO

import HaLVM.Net.Persona
import HaLVM.Net.Run
import HaLVM.Net.SipHash
import HaLVM.Net.Socket
import HaLVM.Net.Stack
import HaLVM.Net.Tcp (TcpState (..))
import HaLVM.Net.Wire
import HaLVM.Net.Wire.Tap

data Options = Options
  { oAddr :: Maybe (Addr, Int), oAddr6 :: Maybe (Addr, Int), oGw :: Maybe Addr
  , oDns :: [Addr], oTrouble :: Trouble, oAlgorithm :: Algorithm
  , oPersona :: Persona, oWait :: Int, oBuffer :: Int }

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  args <- getArgs
  case args of
    tap : rest -> uncurry (run tap) (options (Options Nothing Nothing Nothing []
                    noTrouble Cubic linux 60 (256 * 1024)) rest)
    _ -> die "usage: interop TAP [OPTION ...] COMMAND"

options :: Options -> [String] -> (Options, [String])
options o args = case args of
  "--addr" : a : rest -> options o { oAddr = Just (net a) } rest
  "--addr6" : a : rest -> options o { oAddr6 = Just (net a) } rest
  "--gw" : a : rest -> options o { oGw = parseAddr a } rest
  "--dns" : a : rest -> options o { oDns = [addr a] } rest
  "--loss" : n : rest -> options o { oTrouble = (oTrouble o) { lose = mille n } } rest
  "--dup" : n : rest -> options o { oTrouble = (oTrouble o) { duplicate = mille n } } rest
  "--reorder" : n : rest -> options o { oTrouble = (oTrouble o) { reorder = mille n } } rest
  "--corrupt" : n : rest -> options o { oTrouble = (oTrouble o) { corrupt = mille n } } rest
  "--newreno" : rest -> options o { oAlgorithm = NewReno } rest
  "--persona" : n : rest -> options o { oPersona = fromMaybe linux (personaNamed n) } rest
  "--time-wait" : n : rest -> options o { oWait = read n } rest
  "--buffer" : n : rest -> options o { oBuffer = read n } rest
  _ -> (o, args)
  where
    net a = let (x, y) = break (== '/') a in (addr x, read (drop 1 y))
    mille n = read n * 1024 `quot` 100

addr :: String -> Addr
addr a = fromMaybe (error ("no address: " ++ a)) (parseAddr a)

run :: String -> Options -> [String] -> IO ()
run name o command = do
  wire <- openTap name (Mac 0x020000000a02) >>= troubled (Key 7 9) (oTrouble o)
  let dhcp = command == ["dhcp"]
      i = (interface (wireMac wire))
        { ifcAddrs = [a | Just a <- [oAddr o, oAddr6 o]]
        , ifcGateways = [g | Just g <- [oGw o]]
        , ifcPersona = oPersona o
        , ifcDhcp = dhcp }
      config = (defaultConfig [i])
        { cfgDns = oDns o, cfgHostname = "interop"
        , cfgTcp = defaultTcpConfig { tcpAlgorithm = oAlgorithm o
            , tcpTimeWait = seconds (oWait o)
            , tcpSendBuffer = oBuffer o, tcpReceiveBuffer = oBuffer o } }
  stack <- start config [wire]
  case command of
    ["serve", port] -> serve stack (read port)
    ["fetch", a, port, n] -> fetch stack (Endpoint (addr a) (read port)) (read n)
    ["echo", a, port, n] -> echo stack (Endpoint (addr a) (read port)) (read n)
    ["dhcp"] -> do
      found <- waitAddress stack (seconds 10)
      unless found (die "no address")
      as <- inspect stack (\_ s -> [a | (_, a, _) <- addresses s, isV4 a])
      putStrLn (unwords (map showAddr as))
    ["resolve", host] -> resolve stack host >>= putStrLn . unwords . map showAddr
    ["sit"] -> forever (threadDelay 1000000)
    _ -> die ("no such command: " ++ unwords command)

-- Byte n of the pattern is n modulo 251.
block :: B.ByteString
block = B.pack (take (251 * 256) (cycle [0 .. 250]))

pattern :: Int -> Int -> B.ByteString
pattern at n = B.take n (B.drop (at `rem` 251) block)

sendPattern :: Socket -> Int -> IO ()
sendPattern s total = go 0
  where go at | at >= total = pure ()
              | otherwise = do
                  let piece = pattern at (min 60000 (total - at))
                  sendAll s piece
                  go (at + B.length piece)

-- How many bytes came, and whether they are the pattern.
checkPattern :: IO B.ByteString -> Int -> B.ByteString -> IO (Int, Bool)
checkPattern more limit = go 0 True
  where
    go at good b
      | B.null b = pure (at, good)
      | otherwise = do
          let good' = good && same at b
              at' = at + B.length b
          if at' >= limit then pure (at', good') else more >>= go at' good'
    same at b
      | B.null b = True
      | otherwise = let (x, y) = B.splitAt 60000 b
                    in x == pattern at (B.length x) && same (at + B.length x) y

serve :: Net -> Int -> IO ()
serve net port = do
  l <- listenOn net (Endpoint anyV6 (fromIntegral port)) 1024
  _ <- forkIO (echoes net)
  putStrLn "ready"
  served <- newIORef (0 :: Int)
  forever $ do
    (c, _) <- accept l
    forkIO $ handle (\e -> let _ = e :: NetError in pure ()) $
      (setOption c (NoDelay True) >> talk net served c B.empty) `finally` close c

talk :: Net -> IORef Int -> Socket -> B.ByteString -> IO ()
talk net served c old = do
  got <- headers old
  case got of
    Nothing -> pure ()
    Just (request', rest) -> do
      atomicModifyIORef' served (\n -> (n + 1, ()))
      let fields = C.lines request'
          ws = case fields of { f : _ -> C.words f; [] -> [] }
      case ws of
        [method, path, version] | method == C.pack "GET" -> do
          answer path
          if version == C.pack "HTTP/1.1" && not (any (closing . lower) fields)
            then talk net served c rest else pure ()
        [method, _, _] | method == C.pack "PUT" || method == C.pack "POST" -> do
          let size = sum [ read (C.unpack (C.dropWhile (== ' ') (C.takeWhile (/= '\r') v)))
                         | f <- fields, let (k, v) = C.splitAt 15 f
                         , lower k == C.pack "content-length:" ]
          when (any ((== C.pack "expect:") . lower . C.take 7) fields) $
            sendAll c (C.pack "HTTP/1.1 100 Continue\r\n\r\n")
          first <- if B.null rest then recv c 65536 else pure rest
          (n, good) <- checkPattern (recv c 262144) size first
          reply (C.pack (show n ++ (if good then " good\n" else " bad\n")))
        _ -> sendAll c (C.pack "HTTP/1.0 400 Bad Request\r\n\r\n")
  where
    closing f = C.pack "connection: close" `C.isPrefixOf` f
    lower = C.map (\x -> if x >= 'A' && x <= 'Z' then toEnum (fromEnum x + 32) else x)
    headers b = case B.breakSubstring (C.pack "\r\n\r\n") b of
      (h, t) | not (B.null t) -> pure (Just (h, B.drop 4 t))
             | B.length b > 65536 -> pure Nothing
      _ -> do
        more <- recv c 65536
        if B.null more then pure Nothing else headers (b <> more)
    reply body = sendAll c (C.pack ("HTTP/1.1 200 OK\r\nContent-Length: "
                   ++ show (B.length body) ++ "\r\n\r\n") <> body)
    answer path
      | path == C.pack "/census" = do
          n <- readIORef served
          x <- inspect net (const census)
          reply (C.pack (unwords
            [ "sockets", show (cenSockets x), "connections", show (cenConnections x)
            , "timewait", show (length (filter (== TimeWait) (cenStates x)))
            , "timers", show (cenTimers x), "served", show n ] ++ "\n"))
      | otherwise = case C.readInt (B.drop 1 path) of
          Just (n, _) -> do
            let first = pattern 0 (min n 1000)
            sendAll c (C.pack ("HTTP/1.1 200 OK\r\nContent-Length: " ++ show n
                         ++ "\r\n\r\n") <> first)
            when (n > 1000) (sendRest n)
          Nothing -> reply (C.pack "hello\n")
    sendRest n = go 1000
      where go at | at >= n = pure ()
                  | otherwise = do
                      let piece = pattern at (min 60000 (n - at))
                      sendAll c piece
                      go (at + B.length piece)

fetch :: Net -> Endpoint -> Int -> IO ()
fetch net to n = do
  c <- connectTo net to
  sendAll c (C.pack ("GET /" ++ show n ++ " HTTP/1.0\r\n\r\n"))
  rest <- skipHead c B.empty
  (got, good) <- checkPattern (recv c 262144) n rest
  close c
  putStrLn (show got ++ (if good then " good" else " bad"))
  unless (good && got == n) exitFailure
  where
    skipHead c b = case B.breakSubstring (C.pack "\r\n\r\n") b of
      (_, t) | B.length t > 4 -> pure (B.drop 4 t)
      _ -> do
        more <- recv c 65536
        when (B.null more) (die "no answer")
        skipHead c (b <> more)

echo :: Net -> Endpoint -> Int -> IO ()
echo net to n = do
  -- Duplicates of an IPv6 address are looked for during the first second.
  unless (isV4 (endAddr to)) (threadDelay 1200000)
  c <- connectTo net to
  finished <- newEmptyMVar
  _ <- forkIO ((sendPattern c n >> shutdown c HowSend) `finally` putMVar finished ())
  first <- recv c 262144
  (got, good) <- checkPattern (recv c 262144) n first
  takeMVar finished
  end <- recv c 1
  close c
  putStrLn (show got ++ (if good then " good" else " bad"))
  unless (good && got == n && B.null end) exitFailure

-- What comes goes back.
echoes :: Net -> IO ()
echoes net = do
  l <- listenOn net (Endpoint anyV6 7) 128
  u <- datagramOn net (Endpoint anyV6 7)
  _ <- forkIO $ forever $ do
    (from, _, b) <- recvFrom u
    handle (\e -> let _ = e :: NetError in pure ()) (sendTo u from b)
  forever $ do
    (c, _) <- accept l
    let go = recv c 262144 >>= \b -> unless (B.null b) (sendAll c b >> go)
    forkIO (handle (\e -> let _ = e :: NetError in pure ()) go `finally` close c)
