-- SPDX-License-Identifier: BSD-3-Clause
-- | hans as the program's network, with DHCP, or with the address that HALVM_NET
-- says: ADDRESS/PREFIX, and after a comma a gateway.
module Stack (begin) where

import Control.Concurrent (forkIO)
import Control.Exception (SomeException, catch)
import Control.Monad
import Hans
import Hans.IP4.Dhcp.Client (DhcpLease (..), defaultDhcpConfig, dhcpClient)
import Hans.IP4.Packet (readIP4, showIP4)
import Hans.Types (getNameServers4)
import System.Environment (lookupEnv)
import System.HaLVM (isUnikernel)
import System.HaLVM.NIC
import System.HaLVM.Network (inet, installProvider)
import System.IO

import Device
import Sockets

begin :: IO ()
begin = do
  names <- listNICs
  name <- case names of
    first : _ -> pure first
    [] -> fatal "no network interface; as a Linux process, name one: \
                \HALVM_NIC=tap:NAME"
  nic <- openNIC name
  stack <- newNetworkStack defaultConfig
  device <- nicDevice stack nic
  void (forkIO (process stack))
  startDevice device
  own <- lookupEnv "HALVM_NET" >>= maybe (dhcp stack device) (static stack device)
  unikernel <- isUnikernel
  when unikernel $ do
    servers <- getNameServers4 stack
    unless (null servers) $ writeFile "/etc/resolv.conf" $
      unlines ["nameserver " ++ showIP4 a "" | a <- servers]
  void (installProvider (Sockets stack own) [inet]
    [toAddress own 0, toAddress (packIP4 127 0 0 1) 0])

-- | The stack's own thread: a packet that hans fails at does not end it.
process :: NetworkStack -> IO ()
process stack = forever $ processPackets stack `catch` \e ->
  hPutStrLn stderr ("hans: a packet: " ++ show (e :: SomeException))

dhcp :: NetworkStack -> Device -> IO IP4
dhcp stack device = dhcpClient stack defaultDhcpConfig device
  >>= maybe (fatal "no answer by DHCP") (pure . dhcpAddr)

static :: NetworkStack -> Device -> String -> IO IP4
static stack device text = case
  [ (address, size, gateway)
  | (address, '/' : more) <- readIP4 text, (size, end) <- reads more
  , size <= 32, gateway <- after end ] of
  (address, size, gateway) : _ -> do
    addIP4Route stack False (Route (IP4Mask address size) Direct device)
    forM_ gateway $ \next ->
      addIP4Route stack True (Route (IP4Mask address 0) (Indirect next) device)
    pure address
  [] -> fatal ("HALVM_NET=" ++ text ++ " is not ADDRESS/PREFIX[,GATEWAY]")
  where
    after "" = [Nothing]
    after (',' : more) = [Just next | (next, "") <- readIP4 more]
    after _ = []

fatal :: String -> IO a
fatal = ioError . userError
