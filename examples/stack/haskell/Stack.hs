-- SPDX-License-Identifier: BSD-3-Clause
-- halvm-net, with DHCP, or with the address that HALVM_NET says:
-- ADDRESS/PREFIX, and after a comma a gateway.
module Stack (begin) where

import Control.Monad (void)
import System.Environment (lookupEnv)

import HaLVM.Net
import HaLVM.Net.Types

begin :: IO ()
begin = do
  fixed <- lookupEnv "HALVM_NET"
  void (install (maybe defaults static fixed))

static :: String -> Setup
static text = defaults { setupInterface = \mac -> (setupInterface defaults mac)
    { ifcDhcp = False
    , ifcAddrs = [(a, read size) | Just a <- [parseAddr host]]
    , ifcGateways = [g | Just g <- [parseAddr (drop 1 gateway)]] } }
  where
    (net, gateway) = break (== ',') text
    (host, rest) = break (== '/') net
    size = if null rest then "24" else drop 1 rest
