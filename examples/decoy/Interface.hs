-- SPDX-License-Identifier: BSD-3-Clause
-- Where the decoy's frames come from: a tap device.
module Interface (openWire) where

import HaLVM.Net.Types
import HaLVM.Net.Wire
import HaLVM.Net.Wire.Tap

-- | @tap:NAME@, or just the name.
openWire :: String -> IO Wire
openWire name = openTap device (Mac 0x02000000dec0)
  where device = case break (== ':') name of
          ("tap", _ : rest) -> rest
          _ -> name
