-- SPDX-License-Identifier: BSD-3-Clause
-- halvm-net, for its loopback: as a Linux process its interface is a wire that
-- nobody is at the other end of.
module Begin (begin) where

import Control.Monad (unless, void)
import Network.Socket
import System.Environment (setEnv)
import System.HaLVM (isUnikernel)

import HaLVM.Net

begin :: IO ()
begin = do
  unikernel <- isUnikernel
  unless unikernel $ do
    (wire, end) <- socketPair AF_UNIX Datagram defaultProtocol
    fd <- socketToFd wire
    void (socketToFd end)
    setEnv "HALVM_NIC" ("fd:" ++ show fd)
  void (install defaults { setupInterface = \mac ->
    (setupInterface defaults mac) { ifcDhcp = False }, setupWait = 0 })
