-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Disks, sector by sector.
--
-- > import System.HaLVM.Block
-- >
-- > main = do
-- >   name : _ <- listDisks
-- >   disk <- openDisk name
-- >   bytes <- readSectors disk 0 8
-- >   writeSectors disk 8 bytes
-- >   flushDisk disk
--
-- In a unikernel these are the machine's disks, @\/dev\/vda@ and so on. As a Linux
-- process they are the files or block devices that the environment variable
-- @HALVM_DISKS@ names, with blanks between.
--
-- The calls wait for the disk. In the threaded runtime other Haskell threads go
-- on meanwhile.
module System.HaLVM.Block
  ( Disk, DiskName, listDisks, openDisk, withDisk, closeDisk
  , diskName, diskSectors, diskReadOnly, sectorSize
  , readSectors, writeSectors, flushDisk
  ) where

import Control.Concurrent.MVar
import Control.Exception (bracket, mask_)
import Control.Monad (filterM, unless, void, when)
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Internal as I
import qualified Data.ByteString.Unsafe as U
import Data.Word (Word64, Word8)
import Foreign.C.Error (Errno, eBADF, eINVAL, eROFS)
import Foreign.C.String (CString, withCString)
import Foreign.C.Types (CInt (..))
import Foreign.Marshal.Alloc (alloca)
import Foreign.Ptr (Ptr, castPtr)
import Foreign.Storable (peek)
import System.Directory (doesPathExist)
import System.Environment (lookupEnv)
import System.Posix.IO (closeFd)
import System.Posix.Types (Fd (..))

import System.HaLVM (isUnikernel)
import System.HaLVM.Service (check, failWith)

foreign import ccall safe "hs_block_open"
  c_open :: CString -> Ptr Word64 -> Ptr CInt -> IO CInt
foreign import ccall safe "hs_block_read"
  c_read :: CInt -> Ptr Word8 -> Word64 -> Word64 -> IO CInt
foreign import ccall safe "hs_block_write"
  c_write :: CInt -> Ptr Word8 -> Word64 -> Word64 -> IO CInt
foreign import ccall safe "hs_block_flush" c_flush :: CInt -> IO CInt

-- | As 'listDisks' gives it: a path.
type DiskName = FilePath

data Disk = Disk
  { diskName :: DiskName
  , diskSectors :: Word64 -- ^ of 512 bytes
  , diskReadOnly :: Bool
  , diskFd :: MVar (Maybe CInt)
  }

-- | Bytes of a sector: 512.
sectorSize :: Int
sectorSize = 512

-- | What there is to open.
listDisks :: IO [DiskName]
listDisks = do
  unikernel <- isUnikernel
  if unikernel
    then filterM doesPathExist ["/dev/vd" ++ [c] | c <- ['a' .. 'p']]
    else maybe [] words <$> lookupEnv "HALVM_DISKS"

-- | Throws an 'IOError' if it is not there, or no disk.
openDisk :: DiskName -> IO Disk
openDisk name = mask_ $ alloca $ \sectors -> alloca $ \readOnly -> do
  fd <- withCString name (\s -> c_open s sectors readOnly) >>= check name
  Disk name <$> peek sectors <*> ((/= 0) <$> peek readOnly)
    <*> newMVar (Just fd)

-- | A second time does nothing. Waits for calls that are at work.
closeDisk :: Disk -> IO ()
closeDisk disk = mask_ $ do
  fd <- swapMVar (diskFd disk) Nothing
  maybe (pure ()) (closeFd . Fd) fd

withDisk :: DiskName -> (Disk -> IO a) -> IO a
withDisk name = bracket (openDisk name) closeDisk

fails :: Disk -> Errno -> IO a
fails disk = failWith (diskName disk)

-- | One call at a time, as core does it; none on a descriptor that is closed.
working :: Disk -> (CInt -> IO CInt) -> IO ()
working disk action = withMVar (diskFd disk) $ \fd -> case fd of
  Nothing -> fails disk eBADF
  Just n -> action n >>= void . check (diskName disk)

inside :: Disk -> Word64 -> Word64 -> IO ()
inside disk sector count =
  unless (sector <= diskSectors disk && count <= diskSectors disk - sector) $
    fails disk eINVAL

-- | From a sector on, so many. Throws if they are not all on the disk.
readSectors :: Disk -> Word64 -> Int -> IO ByteString
readSectors disk sector count = do
  when (count < 0) $ fails disk eINVAL
  inside disk sector (fromIntegral count)
  I.create (count * sectorSize) $ \p ->
    working disk $ \fd -> c_read fd p sector (fromIntegral count)

-- | Whole sectors, from a sector on. When it returns they are on the device,
-- perhaps in its cache: 'flushDisk'.
writeSectors :: Disk -> Word64 -> ByteString -> IO ()
writeSectors disk sector bytes = do
  let (count, rest) = B.length bytes `divMod` sectorSize
  when (rest /= 0) $ fails disk eINVAL
  when (diskReadOnly disk) $ fails disk eROFS
  inside disk sector (fromIntegral count)
  U.unsafeUseAsCStringLen bytes $ \(p, _) -> working disk $ \fd ->
    c_write fd (castPtr p) sector (fromIntegral count)

-- | What was written is on the disk for good.
flushDisk :: Disk -> IO ()
flushDisk disk = working disk c_flush
