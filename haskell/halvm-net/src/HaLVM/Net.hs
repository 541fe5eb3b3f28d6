-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE TypeFamilies #-}
{-# OPTIONS_GHC -Wno-orphans #-}
-- |
-- Module: HaLVM.Net
--
-- One line at the top of @main@, and every socket of the program is this
-- stack's: those of the package @network@, of warp, http-client and of
-- @getaddrinfo@, unmodified.
--
-- > import qualified HaLVM.Net as Net
-- >
-- > main = do
-- >   _ <- Net.install Net.defaults
-- >   Warp.run 8080 application
--
-- Its interfaces are those of "System.HaLVM.NIC": in a unikernel the machine's,
-- as a Linux process what @HALVM_NIC@ names. Needs halvm-ghc, which leaves lwIP
-- out of a program that uses 'install': before it, there are no sockets of IP.
module HaLVM.Net
  ( install, Setup (..), defaults, nicWire
    -- * What can be set
  , Config (..), IfConfig (..), TcpConfig (..), Persona, personaNamed
    -- * The stack beneath
  , Net
  ) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import Data.Bits
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import Data.IORef
import Foreign.C.Error
import System.HaLVM (isUnikernel)
import System.HaLVM.FileSystem (Entry (Contents), mount, setEntry)
import System.HaLVM.NIC
import System.HaLVM.Network (Address (..), Kind (..), Provider)
import qualified System.HaLVM.Network as P

import HaLVM.Net.Bytes
import HaLVM.Net.Persona
import HaLVM.Net.Run
import HaLVM.Net.Stack
import HaLVM.Net.Wire

-- | How the stack is set up.
data Setup = Setup
  { setupNICs :: IO [NICName]          -- ^ all that there are
  , setupInterface :: Mac -> IfConfig  -- ^ DHCP and IPv6
  , setupConfig :: Config -> Config    -- ^ as it is
  , setupWait :: Int                   -- ^ seconds to wait for an address
  }

defaults :: Setup
defaults = Setup listNICs interface id 10

-- | From here on the sockets are the stack's. Returns when it has an address,
-- or when the time for that is over; throws an 'IOError' when there is no
-- interface, or when the program was not built with halvm-ghc.
install :: Setup -> IO Net
install setup = do
  P.withoutLwip
  names <- setupNICs setup
  when (null names) $ ioError (userError "HaLVM.Net.install: no network \
    \interface; as a Linux process, name one: HALVM_NIC=tap:NAME")
  wires <- mapM (openLargeNIC >=> nicWire) names
  let interfaces =
        [ (setupInterface setup (wireMac w)) { ifcMtu = wireMtu w, ifcLarge = wireLarge w }
        | w <- wires ]
  net <- start (setupConfig setup (defaultConfig interfaces)) wires
  installed <- P.installProvider (Stack' net) [P.inet, P.inet6] []
  servers <- serversFile
  moved <- newEmptyMVar
  setAddressHook net (void (tryPutMVar moved ()))
  _ <- waitAddress net (seconds (setupWait setup))
  tell net installed servers
  _ <- forkIO (forever (takeMVar moved >> threadDelay 1000
    >> tell net installed servers))
  pure net

-- What writes the file in which the C library looks for name servers. In a
-- unikernel that is the program's; as a Linux process one of ours takes the
-- place of the host's, whose servers are not of this network.
serversFile :: IO (B.ByteString -> IO ())
serversFile = do
  unikernel <- isUnikernel
  if unikernel
    then pure (\text -> void (try (B.writeFile path text)
      :: IO (Either IOException ())))
    else do
      file <- mount path [("", Contents B.empty)]
      pure (setEntry file "" . Contents)
  where path = "/etc/resolv.conf"

-- The addresses go to bind and getsockname, the name servers to the C library.
tell :: Net -> P.Installed -> (B.ByteString -> IO ()) -> IO ()
tell net installed setServers = do
  as <- inspect net (\_ s -> [a | (_, a, _) <- addresses s])
  P.setAddresses installed
    (map (\a -> toAddress (Endpoint a 0))
       (filter (not . isLinkLocal) as ++ filter isLinkLocal as ++ [V4 0x7f000001, V6 0 1]))
  answer <- request net NameServers
  case answer of
    Servers servers -> setServers (C.pack
      (unlines ["nameserver " ++ showAddr a | a <- servers]))
    _ -> pure ()

-- | An interface as a wire. It asks for one frame after it had to wait, and for
-- more and more as long as there are some: to ask in vain costs, too.
nicWire :: NIC -> IO Wire
nicWire nic = do
  most <- newIORef 1
  let receive = do
        n <- readIORef most
        frames <- tryReceiveFrames nic n
        case frames of
          [] -> do
            writeIORef most (max 1 (n `quot` 4))
            waitFrames nic
            receive
          _ -> do
            when (length frames == n) (writeIORef most (min 32 (2 * n)))
            pure frames
  pure Wire
    { wireReceive = receive
    , wireSend = sendFrames nic
    , wireMac = case nicMAC nic of MAC bytes -> macAt bytes 0
    , wireMtu = nicMTU nic
    , wireLarge = nicLarge nic
    }

-- -- The provider

newtype Stack' = Stack' Net

-- | A socket: its number, and whether it is of IPv6.
data Sock = Sock SockId Bool

instance Provider Stack' where
  type Socket Stack' = Sock

  openSocket (Stack' net) family kind _ = do
    proto <- case kind of
      Stream -> pure Tcp
      Datagram -> pure Udp
      Raw -> failing "socket" NotSupported
    let v6 = family == P.inet6
    request net (Open proto v6) >>= \answer -> case answer of
      Opened i -> pure (Sock i v6)
      other -> wrong "socket" other

  bindSocket (Stack' net) (Sock i _) local = bindAt net i local

  -- Of a socket that was not bound the C side knows the port; the address is
  -- that of the route.
  connectSocket (Stack' net) (Sock i v6) remote local = do
    bindAt net i (anyAt v6 local)
    to <- fromAddress remote
    onceSettled net to (request net (Connect i to)) >>= \answer -> case answer of
      Failed InProgress -> waiting net i (Send i B.empty) >>= \done -> case done of
        Sent _ -> pure ()
        other -> wrong "connect" other
      Done -> pure ()
      other -> wrong "connect" other

  listenSocket (Stack' net) (Sock i _) local backlog = do
    bindAt net i local
    request net (Listen i backlog) >>= expect "listen"

  acceptSocket (Stack' net) (Sock i v6) = waiting net i (Accept i) >>= \answer ->
    case answer of
      Accepted c ours theirs ->
        pure (Sock c v6, toAddress (seen v6 theirs), toAddress (seen v6 ours))
      other -> wrong "accept" other

  sendStream (Stack' net) (Sock i _) = go
    where
      go bytes
        | B.null bytes = pure ()
        | otherwise = waiting net i (Send i bytes) >>= \answer -> case answer of
            Sent n -> go (B.drop n bytes)
            other -> wrong "send" other

  receiveStream (Stack' net) (Sock i _) =
    receiving net i 65536 >>= \answer -> case answer of
      Received [b] -> pure b
      Received bs -> pure (B.concat bs)
      other -> wrong "recv" other

  finishStream (Stack' net) (Sock i _) = void (request net (Shutdown i HowSend))

  sendDatagram (Stack' net) (Sock i _) to bytes = do
    e <- if isNoAddress to then pure Nothing else Just <$> fromAddress to
    let send = request net (SendTo i e bytes)
    maybe send (\target -> onceSettled net target send) e >>= \answer -> case answer of
      Sent _ -> pure ()
      other -> wrong "sendto" other

  receiveArrival p@(Stack' net) s@(Sock i v6) =
    waiting net i (ReceiveFrom i) >>= \answer -> case answer of
      ReceivedFrom from to way bytes -> pure
        (toAddress (seen v6 from), Just (arrival (seen v6 to) way), bytes)
      -- An ICMP error: told to nobody here.
      Failed e | e `elem` [Refused, HostUnreachable, NetUnreachable, MessageSize] ->
        P.receiveArrival p s
      other -> wrong "recvfrom" other

  setOption (Stack' net) (Sock i _) level name value = case (level, name) of
    (6, 1) -> set (NoDelay on)
    (1, 9) -> set (KeepAlive on 7200 75 9)
    (1, 6) -> set (Broadcast on)
    (1, 7) -> set (SendBuffer number)
    (1, 8) -> set (ReceiveBuffer number)
    (41, 26) -> set (OnlyV6 on)
    _ -> pure ()
    where
      set o = void (request net (SetOption i o))
      on = number /= 0
      number | B.length value >= 4 = fromIntegral (byteSwapped (u32 value 0))
             | otherwise = 0
      byteSwapped w = (w `shiftL` 24) .|. ((w .&. 0xff00) `shiftL` 8)
        .|. ((w `shiftR` 8) .&. 0xff00) .|. (w `shiftR` 24)

  closeSocket (Stack' net) (Sock i _) = void (request net (Close i))

-- The numbers of a unikernel's interfaces: 1 is the loopback's, 0 here.
arrival :: Endpoint -> Way -> P.Arrival
arrival to way = P.Arrival
  { P.arrivalTo = toAddress to, P.arrivalInterface = wayInterface way + 1
  , P.arrivalHopLimit = max 1 (wayHops way), P.arrivalClass = wayClass way }

-- The C side knows the port; a socket that has one already keeps it.
bindAt :: Net -> SockId -> Address -> IO ()
bindAt net i local = request net (LocalName i) >>= \answer -> case answer of
  Name e | endPort e == 0, not (isNoAddress local) -> do
    at <- fromAddress local
    when (endPort at /= 0) (request net (Bind i at) >>= expect "bind")
  _ -> pure ()

-- No address, but the port.
anyAt :: Bool -> Address -> Address
anyAt v6 local
  | isNoAddress local = local
  | otherwise = toAddress (Endpoint (if v6 then anyV6 else anyV4)
      (fromIntegral (P.addressPort local)))

-- For the first second or two an interface has no addresses of IPv6 to send
-- from: whoever wants to waits for them.
onceSettled :: Net -> Endpoint -> IO Answer -> IO Answer
onceSettled net to call' = go (80 :: Int)
  where
    go n = do
      answer <- call'
      case answer of
        Failed NetUnreachable | not (isV4 (endAddr to)), n > 0 -> do
          more <- inspect net settling
          if more then threadDelay 50000 >> go (n - 1) else pure answer
        _ -> pure answer

expect :: String -> Answer -> IO ()
expect _ Done = pure ()
expect what other = wrong what other

wrong :: String -> Answer -> IO a
wrong what answer = case answer of
  Failed e -> failing what e
  _ -> failing what Invalid

failing :: String -> Error -> IO a
failing what e = ioError (errnoToIOError what (errnoFor e) Nothing Nothing)

errnoFor :: Error -> Errno
errnoFor e = case e of
  Again -> eAGAIN
  InProgress -> eINPROGRESS
  Already -> eALREADY
  IsConnected -> eISCONN
  NotConnected -> eNOTCONN
  Refused -> eCONNREFUSED
  Reset -> eCONNRESET
  TimedOut -> eTIMEDOUT
  AddrInUse -> eADDRINUSE
  AddrNotAvail -> eADDRNOTAVAIL
  NetUnreachable -> eNETUNREACH
  HostUnreachable -> eHOSTUNREACH
  Invalid -> eINVAL
  BadSocket -> eBADF
  NotSupported -> ePROTONOSUPPORT
  BrokenPipe -> ePIPE
  MessageSize -> eMSGSIZE
  NoBuffers -> eNOBUFS
  Aborted -> eCONNABORTED
  DestinationRequired -> eDESTADDRREQ

-- -- struct sockaddr_in and sockaddr_in6

isNoAddress :: Address -> Bool
isNoAddress (Address b) = B.length b < 8

seen :: Bool -> Endpoint -> Endpoint
seen v6 (Endpoint a p) = Endpoint (if v6 then mapped a else a) p

toAddress :: Endpoint -> Address
toAddress (Endpoint a p) = Address (runPut (case a of
  V4 _ -> family 2 <> put16 p <> putAddr a <> putZeros 8
  V6 _ _ -> family 10 <> put16 p <> put32 0 <> putAddr a <> put32 0))
  where family n = put8 n <> put8 0

fromAddress :: Address -> IO Endpoint
fromAddress (Address b)
  | B.length b >= 8, B.head b == 2 = pure (Endpoint (addrV4 b 4) (u16 b 2))
  | B.length b >= 24, B.head b == 10 = pure (Endpoint (unmapped (addrV6 b 8)) (u16 b 2))
  | otherwise = failing "address" Invalid
