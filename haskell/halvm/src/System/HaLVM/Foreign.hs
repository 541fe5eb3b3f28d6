-- SPDX-License-Identifier: BSD-3-Clause
-- | What is called in C (cbits/halvm.c). None of these waits, so they are
-- @unsafe@ imports, but for those that end something.
module System.HaLVM.Foreign where

import Data.Int (Int64)
import Data.Word (Word64, Word8)
import Foreign.C.String (CString)
import Foreign.C.Types (CInt (..), CLong (..), CSize (..), CUInt (..))
import Foreign.Ptr (Ptr)

-- | @struct halvm_service@, @struct halvm_event@, @struct halvm_tree@.
data CService
data CEvent
data CTree

foreign import ccall unsafe "hs_halvm_linked" c_linked :: IO CInt

foreign import ccall unsafe "hs_halvm_service_new"
  c_service_new :: CString -> IO (Ptr CService)
foreign import ccall unsafe "hs_halvm_service_fd"
  c_service_fd :: Ptr CService -> IO CInt
foreign import ccall unsafe "hs_halvm_service_own"
  c_service_own :: Ptr CService -> IO ()
foreign import ccall unsafe "hs_halvm_service_patience"
  c_service_patience :: Ptr CService -> CUInt -> IO ()
foreign import ccall unsafe "hs_halvm_service_take"
  c_service_take :: Ptr CService -> IO (Ptr CEvent)
foreign import ccall unsafe "hs_halvm_service_is_ended"
  c_service_is_ended :: Ptr CService -> IO CInt
foreign import ccall safe "hs_halvm_service_end"
  c_service_end :: Ptr CService -> IO ()
foreign import ccall unsafe "hs_halvm_event_free"
  c_event_free :: Ptr CEvent -> IO ()
foreign import ccall unsafe "hs_halvm_event_get"
  c_event_get :: Ptr CEvent -> Ptr Int64 -> IO (Ptr Word8)

foreign import ccall unsafe "hs_halvm_service_reroute"
  c_service_reroute :: Ptr CService -> CLong -> IO CLong
foreign import ccall unsafe "hs_halvm_reroute_leave"
  c_reroute_leave :: CLong -> IO CInt
foreign import ccall unsafe "hs_halvm_call_answer"
  c_call_answer :: Ptr CService -> Word64 -> CLong -> IO CInt
foreign import ccall unsafe "hs_halvm_call_pass"
  c_call_pass :: Ptr CService -> Word64 -> IO CInt
foreign import ccall unsafe "hs_halvm_call_name"
  c_call_name :: CLong -> IO CString
foreign import ccall unsafe "hs_halvm_call_runtime"
  c_call_runtime :: CLong -> IO CString

foreign import ccall unsafe "hs_halvm_copy_in"
  c_copy_in :: Ptr Word8 -> Ptr a -> CSize -> IO CLong
foreign import ccall unsafe "hs_halvm_copy_out"
  c_copy_out :: Ptr a -> Ptr Word8 -> CSize -> IO CLong
foreign import ccall unsafe "hs_halvm_copy_string"
  c_copy_string :: Ptr Word8 -> Ptr a -> CSize -> IO CLong

foreign import ccall unsafe "hs_halvm_net_install"
  c_net_install :: Ptr CService -> Ptr CInt -> CInt -> IO CInt
foreign import ccall unsafe "hs_halvm_net_addresses"
  c_net_addresses :: Ptr CService -> Ptr Word8 -> CSize -> IO CInt
foreign import ccall unsafe "hs_halvm_net_connected"
  c_net_connected :: Ptr CService -> Word64 -> IO CInt
foreign import ccall unsafe "hs_halvm_net_failed"
  c_net_failed :: Ptr CService -> Word64 -> CInt -> IO CInt
foreign import ccall unsafe "hs_halvm_net_broken"
  c_net_broken :: Ptr CService -> Word64 -> CInt -> IO CInt
foreign import ccall unsafe "hs_halvm_net_close"
  c_net_close :: Ptr CService -> Word64 -> IO CInt
foreign import ccall unsafe "hs_halvm_net_incoming"
  c_net_incoming
    :: Ptr CService -> Word64 -> Ptr Word8 -> CSize -> Ptr Word8 -> CSize
    -> Ptr Word64 -> IO CInt
foreign import ccall unsafe "hs_halvm_send"
  c_send :: CInt -> Ptr Word8 -> CSize -> IO CLong
foreign import ccall unsafe "hs_halvm_receive"
  c_receive :: CInt -> Ptr Word8 -> CSize -> IO CLong
foreign import ccall unsafe "hs_halvm_finish"
  c_finish :: CInt -> IO CInt

foreign import ccall unsafe "hs_halvm_tree_new"
  c_tree_new :: Ptr CService -> CInt -> IO (Ptr CTree)
foreign import ccall unsafe "hs_halvm_tree_mount"
  c_tree_mount :: Ptr CTree -> CString -> IO CLong
foreign import ccall safe "hs_halvm_file_unmount"
  c_file_unmount :: CLong -> IO CInt
foreign import ccall unsafe "hs_halvm_tree_put"
  c_tree_put :: Ptr CTree -> CString -> Ptr Word8 -> CSize -> CUInt -> IO CInt
foreign import ccall unsafe "hs_halvm_tree_directory"
  c_tree_directory :: Ptr CTree -> CString -> CUInt -> IO CInt
foreign import ccall unsafe "hs_halvm_tree_serve"
  c_tree_serve :: Ptr CTree -> CString -> CUInt -> IO CInt
foreign import ccall unsafe "hs_halvm_tree_remove"
  c_tree_remove :: Ptr CTree -> CString -> IO CInt
foreign import ccall unsafe "hs_halvm_tree_get"
  c_tree_get
    :: Ptr CTree -> CString -> Ptr Word8 -> CSize -> Int64 -> IO CLong
foreign import ccall unsafe "hs_halvm_file_answer"
  c_file_answer
    :: Ptr CService -> Word64 -> Ptr Word8 -> CSize -> CInt -> IO CInt
foreign import ccall unsafe "hs_halvm_file_fail"
  c_file_fail :: Ptr CService -> Word64 -> CInt -> IO CInt

foreign import ccall unsafe "hs_halvm_replace"
  c_replace :: CInt -> CInt -> IO CInt
