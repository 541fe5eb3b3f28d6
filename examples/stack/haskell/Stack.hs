-- SPDX-License-Identifier: BSD-3-Clause
-- halvm-net, with DHCP, or with the addresses and gateways that HALVM_NET says:
-- ADDRESS/PREFIX or GATEWAY, with commas between. HALVM_DNS: name servers,
-- before those that DHCP tells.
module Stack (begin) where

import Control.Monad (void)
import Data.Maybe (mapMaybe)
import System.Environment (lookupEnv)

import HaLVM.Net
import HaLVM.Net.Types

begin :: IO ()
begin = do
  fixed <- lookupEnv "HALVM_NET"
  servers <- maybe [] parts <$> lookupEnv "HALVM_DNS"
  void (install (maybe defaults static fixed)
    { setupConfig = \c -> c { cfgDns = mapMaybe parseAddr servers } })

static :: String -> Setup
static text = defaults { setupInterface = \mac -> (setupInterface defaults mac)
    { ifcDhcp = False
    , ifcAddrs = [ (a, read (drop 1 size))
                 | p <- parts text, let (host, size) = break (== '/') p
                 , not (null size), Just a <- [parseAddr host] ]
    , ifcGateways = mapMaybe parseAddr (parts text) } }

parts :: String -> [String]
parts text = case break (== ',') text of
  (part, _ : rest) -> part : parts rest
  (part, []) -> [part]
