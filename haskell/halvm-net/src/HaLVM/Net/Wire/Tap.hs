-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE CApiFFI #-}
-- |
-- Module: HaLVM.Net.Wire.Tap
--
-- A tap device of Linux as a wire: a stack in an ordinary process, against the
-- host's own. Needs the right to make or to open the device.
--
-- > wire <- openTap "tap0" (Mac 0x020000000001)
-- > net <- start (defaultConfig [interface (wireMac wire)]) [wire]
module HaLVM.Net.Wire.Tap (openTap) where

import qualified Data.ByteString.Internal as BI
import Data.ByteString (ByteString)
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Unsafe as BU
import Control.Monad (unless, when)
import Foreign.C
import Foreign.Marshal.Alloc
import Foreign.Marshal.Utils (fillBytes, copyBytes)
import Foreign.Ptr
import Foreign.Storable
import Data.Word
import GHC.Conc (threadWaitRead)
import System.Posix.IO (OpenFileFlags (..), OpenMode (..), defaultFileFlags, openFd)
import System.Posix.Types (CSsize (..), Fd (..))

import HaLVM.Net.Types
import HaLVM.Net.Wire

foreign import capi unsafe "sys/ioctl.h ioctl"
  c_ioctl :: CInt -> CULong -> Ptr () -> IO CInt

foreign import ccall unsafe "read"
  c_read :: CInt -> Ptr Word8 -> CSize -> IO CSsize

foreign import ccall unsafe "write"
  c_write :: CInt -> Ptr Word8 -> CSize -> IO CSsize

-- | The device's name, at most 15 bytes, and the address that our end is to
-- have (the device itself has the host's). An 'IOError' when it cannot be
-- opened.
openTap :: String -> Mac -> IO Wire
openTap name mac = do
  fd@(Fd n) <- openFd "/dev/net/tun" ReadWrite Nothing
    defaultFileFlags { nonBlock = True }
  allocaBytes 40 $ \request -> do
    fillBytes request 0 40
    BU.unsafeUseAsCStringLen (C.pack (take 15 name)) $ \(p, size) ->
      copyBytes (castPtr request) p size
    -- IFF_TAP, IFF_NO_PI; then TUNSETIFF
    pokeByteOff request 16 (0x1002 :: Word16)
    throwErrnoIfMinus1_ ("openTap " ++ name) (c_ioctl n 0x400454ca request)
    -- TUNSETOFFLOAD: whole frames with checksums. That of others before us, who
    -- had headers that say what is left out, is still the device's.
    throwErrnoIfMinus1_ ("openTap " ++ name) (c_ioctl n 0x400454d0 nullPtr)
  pure Wire
    { wireReceive = receive fd
    , wireSend = mapM_ (send n)
    , wireMac = mac
    , wireMtu = 1500
    , wireLarge = 0
    }

-- At most this many frames together.
batchMax :: Int
batchMax = 64

frameMax :: Int
frameMax = 1518

receive :: Fd -> IO [ByteString]
receive fd@(Fd n) = do
  first <- readFrame
  case first of
    Just frame -> more (batchMax - 1) [frame]
    Nothing -> threadWaitRead fd >> receive fd
  where
    more left got
      | left == 0 = pure (reverse got)
      | otherwise = readFrame >>= maybe (pure (reverse got)) (more (left - 1) . (: got))
    readFrame = do
      frame <- BI.createAndTrim frameMax $ \p -> do
        size <- c_read n p (fromIntegral frameMax)
        if size >= 0 then pure (fromIntegral size) else do
          e <- getErrno
          unless (e == eAGAIN || e == eINTR) (throwErrno "tap: read")
          pure 0
      pure (if C.null frame then Nothing else Just frame)

-- What the device does not take is lost, as on any wire.
send :: CInt -> ByteString -> IO ()
send n frame = BU.unsafeUseAsCStringLen frame $ \(p, size) -> do
  done <- c_write n (castPtr p) (fromIntegral size)
  when (done < 0) $ do
    e <- getErrno
    unless (e `elem` [eAGAIN, eINTR, eIO, eNOBUFS]) (throwErrno "tap: write")
