-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Pages of memory that two domains of Xen share.
--
-- One domain shares pages with another and tells it their references, by
-- XenStore for instance; that one maps them.
--
-- > -- in domain 3
-- > share <- sharePages (DomainId 5) ReadWrite 2
-- > pokeByteOff (sharePointer share) 0 (42 :: Word8)
-- > print (shareReferences share)             -- [9,10], say
-- >
-- > -- in domain 5
-- > mapping <- mapPages (DomainId 3) ReadWrite [9, 10]
-- > peekByteOff (mappingPointer mapping) 0 :: IO Word8
--
-- What the other domain writes may change at any time, and may be anything:
-- copy first, then look.
--
-- In a guest of Xen, and as a Linux process where there are
-- @\/dev\/xen\/gntalloc@ and @\/dev\/xen\/gntdev@. A domain can map pages of its
-- own in a PV guest only.
module System.HaLVM.Xen.Grant
  ( DomainId (..), Access (..), GrantRef, pageSize
  , Share, sharePages, endShare, abandonShare
  , sharePointer, shareSize, shareReferences
  , Mapping, mapPages, unmapPages, mappingPointer, mappingSize
  ) where

import Control.Concurrent.MVar
import Control.Exception (mask_, onException)
import Control.Monad (void, when)
import Data.Word (Word32, Word64, Word8)
import Foreign.C.Error (Errno (..), eINVAL)
import Foreign.C.Types (CInt (..))
import Foreign.Marshal.Alloc (alloca)
import Foreign.Marshal.Array (allocaArray, peekArray, withArrayLen)
import Foreign.Ptr (Ptr)
import Foreign.Storable (peek)

import System.HaLVM.Xen.Device

foreign import ccall unsafe "hs_xen_share"
  c_share :: CInt -> Word32 -> CInt -> Word32 -> Ptr Word32 -> Ptr Word64
    -> Ptr (Ptr Word8) -> IO CInt
foreign import ccall unsafe "hs_xen_unshare"
  c_unshare :: CInt -> Word64 -> Word32 -> Ptr Word8 -> IO CInt
foreign import ccall unsafe "hs_xen_map"
  c_map :: CInt -> Word32 -> CInt -> Word32 -> Ptr Word32 -> Ptr (Ptr Word8)
    -> IO CInt
foreign import ccall unsafe "hs_xen_unmap"
  c_unmap :: Ptr Word8 -> Word32 -> IO CInt

-- | The number by which a domain knows a page that it may map.
type GrantRef = Word32

-- | Bytes of a page: 4096.
pageSize :: Int
pageSize = 4096

countMax :: Int
countMax = 512

-- | Pages of ours that another domain may map.
data Share = Share
  { shareDevice :: Device
  , shareIndex :: Word64
  , sharePointer :: Ptr Word8 -- ^ where they are, one after the other
  , shareReferences :: [GrantRef] -- ^ one a page
  , shareEnded :: MVar Bool
  }

-- | Bytes of it.
shareSize :: Share -> Int
shareSize share = pageSize * length (shareReferences share)

flag :: Access -> CInt
flag access = if access == ReadWrite then 1 else 0

-- | So many zeroed pages (512 at most), to be mapped by the domain, which may
-- write them or not.
sharePages :: DomainId -> Access -> Int -> IO Share
sharePages (DomainId domain) access count = mask_ $ do
  when (count < 1 || count > countMax) $ xenFail "sharePages" eINVAL
  device <- openDevice "gntalloc"
  flip onException (closeDevice device) $
    allocaArray count $ \references -> alloca $ \index -> alloca $ \at -> do
      result <- withDevice device $ \fd -> c_share fd (fromIntegral domain)
        (flag access) (fromIntegral count) references index at
      checked "sharePages" result
      Share device <$> peek index <*> peek at <*> peekArray count references
        <*> newMVar False

-- | Takes the pages back. Throws, and ends nothing, as long as the other domain
-- has pages mapped (an error that satisfies
-- 'System.IO.Error.isAlreadyInUseError'); a Linux does not know, and frees them
-- when they are not mapped any more. A second time does nothing.
endShare :: Share -> IO ()
endShare share = modifyMVar_ (shareEnded share) $ \ended ->
  if ended then pure True else do
    result <- withDevice (shareDevice share) $ \fd ->
      c_unshare fd (shareIndex share) (shareCount share) (sharePointer share)
    checked "endShare" result
    True <$ closeDevice (shareDevice share)

-- | Gives the pages up: they are freed when the other domain has no more of
-- them mapped.
abandonShare :: Share -> IO ()
abandonShare share = modifyMVar_ (shareEnded share) $ \ended ->
  if ended then pure True else do
    void (c_unmap (sharePointer share) (shareCount share))
    True <$ closeDevice (shareDevice share)

shareCount :: Share -> Word32
shareCount = fromIntegral . length . shareReferences

-- | Pages of another domain's that are mapped here.
data Mapping = Mapping
  { mappingDevice :: Device
  , mappingPointer :: Ptr Word8 -- ^ where they are, one after the other
  , mappingSize :: Int -- ^ bytes
  , mappingEnded :: MVar Bool
  }

-- | Maps pages of the domain's (512 at most), all or none. Throws if they are
-- not granted to us, or not for writing.
mapPages :: DomainId -> Access -> [GrantRef] -> IO Mapping
mapPages (DomainId domain) access references = mask_ $
  withArrayLen references $ \n array -> alloca $ \at -> do
    when (n < 1 || n > countMax) $ xenFail "mapPages" eINVAL
    device <- openDevice "gntdev"
    flip onException (closeDevice device) $ do
      result <- withDevice device $ \fd -> c_map fd (fromIntegral domain)
        (flag access) (fromIntegral n) array at
      checked "mapPages" result
      Mapping device <$> peek at <*> pure (n * pageSize) <*> newMVar False

-- | A second time does nothing. The memory must not be used any more.
unmapPages :: Mapping -> IO ()
unmapPages mapping = modifyMVar_ (mappingEnded mapping) $ \ended ->
  if ended then pure True else do
    void (c_unmap (mappingPointer mapping)
      (fromIntegral (mappingSize mapping `div` pageSize)))
    True <$ closeDevice (mappingDevice mapping)

checked :: String -> CInt -> IO ()
checked what result =
  when (result < 0) $ xenFail what (Errno (negate result))
