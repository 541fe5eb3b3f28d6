-- SPDX-License-Identifier: BSD-3-Clause
-- Reads sector 1 of the first disk, writes it to sector 5, as test.sh expects.
module Main (main) where

import qualified Data.ByteString.Char8 as C
import System.HaLVM.Block

main :: IO ()
main = do
  name : _ <- listDisks
  withDisk name $ \d -> do
    print (diskSectors d, diskReadOnly d)
    bytes <- readSectors d 1 1
    C.putStrLn (C.take 5 bytes)
    writeSectors d 5 bytes
    flushDisk d
    again <- readSectors d 4 3
    print (C.take 512 (C.drop 512 again) == bytes)
