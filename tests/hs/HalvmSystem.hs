-- SPDX-License-Identifier: BSD-3-Clause
-- What System.HaLVM says of the machine, System.HaLVM.Console, and
-- System.HaLVM.Block on a file as a Linux process (disks of a unikernel:
-- tests/base and tests/xen).
-- args: +RTS -V0 -RTS
-- ways: 2
module Main (main) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString.Char8 as C
import System.Directory
import System.Environment (setEnv)
import System.HaLVM
import System.HaLVM.Block
import System.HaLVM.Console
import System.IO

import Check

main :: IO ()
main = within 60 "the test" $ do
  unikernel <- inUnikernel
  base <- getBase
  isUnikernel >>= equal "unikernel" unikernel
  check "the base" ((base /= LinuxProcess) == unikernel)
  m <- getMemory
  check "memory" (memoryFree m > 0 && memoryFree m < memoryTotal m)
  when unikernel $ do
    equal "the sum of all accounts" (memoryTotal m)
      (sum (map ($ m) [ memoryFree, memoryImage, memoryCore, memoryProgram
                      , memoryFiles, memoryNetwork, memoryCache ]))
    getVersion >>= check "a version" . maybe False (not . null)
  before <- getUptime
  threadDelay 2000
  after <- getUptime
  check "uptime" (after >= before + 2000000)
  console
  unless unikernel disk
  done <- newEmptyMVar
  onShutdown (hPutStrLn stderr "second")
  onShutdown (hPutStrLn stderr "first" >> putMVar done ())
  void (forkIO shutdown)
  takeMVar done
  threadDelay 5000000
  check "it ended" False

console :: IO ()
console = do
  got <- newMVar []
  c <- takeConsole (\b -> modifyMVar_ got (pure . (b :)))
  putStr "hel"
  putStrLn "lo"
  hFlush stdout
  hPutStrLn stderr "error"
  writeConsole c (C.pack "to the real one\n")
  -- More than a pipe holds; without the runtime's timer (-V0) no signal of it
  -- interrupts a write that waits for what only this thread can take.
  let much = C.replicate 200000 'm'
  hPutStr stdout "x"
  C.hPut stdout much
  giveConsoleBack c
  text <- C.concat . reverse <$> readMVar got
  equal "what was written" text
    (C.pack "hello\nerror\nx" <> much)
  i <- takeInput
  feedInput i (C.pack "line one\nline two\n")
  feedInput i C.empty
  hGetLine stdin >>= \l -> equal "a line" l "line one"
  hGetLine stdin >>= \l -> equal "another" l "line two"
  isEOF >>= check "the end"
  giveInputBack i

disk :: IO ()
disk = do
  tmp <- getTemporaryDirectory
  let path = tmp ++ "/halvm-block-test"
  C.writeFile path (C.replicate (512 * 20) 'a')
  setEnv "HALVM_DISKS" path
  names <- listDisks
  equal "disks" names [path]
  flip finally (removeFile path) $ withDisk path $ \d -> do
    equal "sectors" (diskSectors d) 20
    check "writable" (not (diskReadOnly d))
    writeSectors d 3 (C.replicate 1024 'b')
    flushDisk d
    readSectors d 2 4 >>= \b -> equal "sectors 2 to 5" b
      (C.concat [C.replicate 512 'a', C.replicate 1024 'b', C.replicate 512 'a'])
    readSectors d 20 0 >>= \b -> equal "none" b C.empty
    bad (readSectors d 19 2)
    bad (readSectors d 0 (-1))
    bad (writeSectors d 0 (C.pack "x"))
    bad (writeSectors d 20 (C.replicate 512 'c'))
    closeDisk d
    closeDisk d
    bad (readSectors d 0 1)
  bad (openDisk path)
  bad (openDisk "/")
  where
    bad :: IO a -> IO ()
    bad action = void (throws "wrong use" action :: IO IOException)
