-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Network interfaces, frame by frame: for a network stack, a decoy, a bridge of
-- one's own.
--
-- > import System.HaLVM.NIC
-- >
-- > main = do
-- >   name : _ <- listNICs
-- >   nic <- openNIC name
-- >   forever $ do
-- >     frames <- receiveFrames nic 32
-- >     sendFrames nic (mapMaybe answer frames)
--
-- In a unikernel these are the machine's interfaces. One that is opened is no
-- more the built-in stack's (sockets see it go down), until it is closed.
--
-- As a Linux process they are what the environment variable @HALVM_NIC@ names,
-- one or more, with blanks between:
--
--   [@tap:NAME@] a tap device (which needs access to @\/dev\/net\/tun@)
--   [@fd:NUMBER@] an inherited socket whose messages are frames: one end of
--     @socketpair(AF_UNIX, SOCK_SEQPACKET)@ or @SOCK_DGRAM@, as a wire for tests
--   [@packet:NAME@] a packet socket on an interface; it gets copies of frames
--
-- each perhaps followed by @,mac=02:00:00:00:00:01@ and @,mtu=1500@.
--
-- A frame is a whole Ethernet frame from the destination's address on, without
-- the checksum at its end. It is copied once, between the device and a
-- 'ByteString'; twice where the device joins segments of TCP, which come cut.
--
-- A stack that can leave checksums and the cutting of large segments to the
-- interface opens it with 'openLargeNIC'. Then ('nicLarge' says whether) each
-- frame has a header in front, Linux's @struct virtio_net_hdr@ of 10 bytes in
-- the machine's byte order, and one that the header says to be TCP that is cut
-- later, or was joined, may have up to 64 KiB. See @packet(7)@ (@PACKET_VNET_HDR@).
module System.HaLVM.NIC
  ( NIC, NICName, MAC (..), listNICs, openNIC, openLargeNIC, withNIC, closeNIC
  , nicName, nicMAC, nicMTU, nicLarge
  , sendFrames, receiveFrames, tryReceiveFrames, waitFrames
  ) where

import Control.Concurrent (threadWaitRead, threadWaitWrite)
import Control.Concurrent.MVar
import Control.Exception (bracket, mask_)
import Control.Monad (filterM, unless, void, when)
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Internal as I
import qualified Data.ByteString.Unsafe as U
import Data.List (intercalate, isPrefixOf)
import Data.Word (Word8)
import Foreign.C.Error (eAGAIN, eBADF, Errno (..))
import Foreign.C.String (CString, withCString)
import Foreign.C.Types (CInt (..), CLong (..), CSize (..), CUInt (..))
import Foreign.ForeignPtr (ForeignPtr, withForeignPtr)
import Foreign.ForeignPtr.Unsafe (unsafeForeignPtrToPtr)
import Foreign.Marshal.Alloc (alloca)
import Foreign.Marshal.Array (allocaArray, peekArray)
import Foreign.Ptr (Ptr, castPtr)
import Foreign.Storable (peek, peekByteOff, poke, pokeByteOff)
import GHC.Conc (closeFdWith)
import GHC.IOArray (IOArray, newIOArray, readIOArray, writeIOArray)
import Numeric (readHex, showHex)
import System.Environment (lookupEnv)
import System.Posix.IO (closeFd)
import System.Posix.Process (getProcessID)
import System.Posix.Types (Fd (..))

import System.HaLVM (isUnikernel)
import System.HaLVM.Service (check, failWith)

foreign import ccall unsafe "hs_nic_facts"
  c_facts :: CUInt -> Ptr Word8 -> Ptr CInt -> IO CInt
foreign import ccall unsafe "hs_nic_packet"
  c_packet :: CString -> Ptr Word8 -> Ptr CInt -> Ptr CInt -> IO CInt
foreign import ccall unsafe "hs_nic_tap"
  c_tap :: CString -> Ptr CInt -> IO CInt
foreign import ccall unsafe "hs_nic_wire" c_wire :: CInt -> IO CInt
foreign import ccall unsafe "hs_nic_send_one"
  c_send_one :: CInt -> CInt -> Ptr Word8 -> CSize -> IO CLong
foreign import ccall unsafe "hs_nic_send"
  c_send :: CInt -> CInt -> Ptr () -> CUInt -> IO CLong
foreign import ccall unsafe "hs_nic_receive"
  c_receive :: CInt -> CInt -> Ptr () -> CUInt -> IO CLong
foreign import ccall unsafe "hs_nic_receive_one"
  c_receive_one :: CInt -> CInt -> Ptr Word8 -> CSize -> IO CLong

-- | As 'listNICs' gives it.
type NICName = String

-- | A hardware address: six bytes.
newtype MAC = MAC ByteString
  deriving (Eq, Ord)

instance Show MAC where
  show (MAC bytes) = intercalate ":" (map two (B.unpack bytes))
    where two b = (if b < 16 then ('0' :) else id) (showHex b "")

-- | An interface that is open.
data NIC = NIC
  { nicName :: NICName
  , nicMAC :: MAC
  , nicMTU :: Int -- ^ bytes after Ethernet's header
  , nicLarge :: Int
    -- ^ 0, or: frames have a header, after which they may have so many bytes
  , nicFd :: MVar (Maybe CInt)
  , nicSocket :: Bool
  , nicBuffers :: MVar Buffers
  , nicSpare :: MVar (Maybe (ForeignPtr Word8)) -- room for a large frame
  }

-- | Where frames come to: @vectors@ is an array of @struct iovec@, a buffer each
-- for those before @ready@, which @owners@ keeps alive; of these the first
-- @taken@ have gone out with frames.
data Buffers = Buffers
  { vectors :: !(ForeignPtr Word8)
  , owners :: !(IOArray Int (ForeignPtr Word8))
  , taken :: !Int
  , ready :: !Int
  }

noBuffers :: IO Buffers
noBuffers = do
  array <- I.mallocByteString (batch * vectorSize)
  none <- I.mallocByteString 0
  own <- newIOArray (0, batch - 1) none
  pure (Buffers array own 0 0)

-- | What there is to open.
listNICs :: IO [NICName]
listNICs = do
  unikernel <- isUnikernel
  if unikernel
    then map (("eth" ++) . show) <$> filterM isThere [0 .. 7]
    else maybe [] words <$> lookupEnv "HALVM_NIC"
  where
    isThere n = allocaArray 6 $ \mac -> alloca $ \mtu ->
      (== 0) <$> c_facts n mac mtu

-- | Opens one. Throws an 'IOError' if it is not there, or taken already.
openNIC :: NICName -> IO NIC
openNIC = open 0

-- | The same, for frames with headers where the interface does what they may
-- ask for: 'nicLarge' says whether it does.
openLargeNIC :: NICName -> IO NIC
openLargeNIC = open 1

open :: CInt -> NICName -> IO NIC
open wish name = mask_ $ alloca $ \large -> do
  poke large wish
  unikernel <- isUnikernel
  let (kind, rest) = break (== ':') (takeWhile (/= ',') name)
      target = drop 1 rest
  case kind of
    _ | unikernel -> packet name large
    "packet" -> packet target large
    "tap" -> do
      fd <- withCString target (`c_tap` large)
      plain False large fd
    "fd" | [(n, "")] <- reads target -> do
      poke large 0
      c_wire n >>= plain True large
    _ -> ioError (userError ("openNIC: " ++ name ++ " is none of tap:NAME, \
        \fd:NUMBER and packet:NAME"))
  where
    options = splitOn ',' (drop 1 (dropWhile (/= ',') name))
    option key = case [drop (length key + 1) o
                      | o <- options, (key ++ "=") `isPrefixOf` o] of
      value : _ -> Just value
      [] -> Nothing
    packet interface large = allocaArray 6 $ \mac -> alloca $ \mtu -> do
      fd <- withCString interface (\s -> c_packet s mac mtu large) >>= check name
      bytes <- B.pack <$> peekArray 6 mac
      size <- peek mtu
      peek large >>= make fd True (MAC bytes) (fromIntegral size)
    plain socket large result = do
      fd <- check name result
      own <- defaultMAC
      peek large >>= make fd socket own 1500
    make fd socket mac mtu large = do
      chosen <- maybe (pure mac) parseMAC (option "mac")
      size <- case option "mtu" of
        Just text | [(n, "")] <- reads text, n >= 68, n <= 9000 -> pure n
        Just text -> ioError (userError ("openNIC: no MTU: " ++ text))
        Nothing -> pure mtu
      NIC name chosen size (if large == 0 then 0 else largest)
        <$> newMVar (Just fd) <*> pure socket <*> (noBuffers >>= newMVar)
        <*> newMVar Nothing
    -- locally administered, and another for each process and name
    defaultMAC = do
      pid <- fromIntegral <$> getProcessID
      let salt = sum (zipWith (*) [1 ..] (map fromEnum name)) :: Int
          byte n = fromIntegral ((pid * 8 + salt) `div` (256 ^ (n :: Int)))
      pure (MAC (B.pack [2, 0x48, byte 3, byte 2, byte 1, byte 0 :: Word8]))

splitOn :: Char -> String -> [String]
splitOn c text = case break (== c) text of
  (part, _ : rest) -> part : splitOn c rest
  (part, []) -> [part]

parseMAC :: String -> IO MAC
parseMAC text = case mapM byte (splitOn ':' text) of
  Just bytes | length bytes == 6 -> pure (MAC (B.pack bytes))
  _ -> ioError (userError ("openNIC: no hardware address: " ++ text))
  where
    byte two = case readHex two of
      [(n, "")] | n < (256 :: Int) -> Just (fromIntegral n)
      _ -> Nothing

-- | Gives it back; who waits for frames gets an error. A second time does
-- nothing.
closeNIC :: NIC -> IO ()
closeNIC nic = mask_ $ do
  fd <- swapMVar (nicFd nic) Nothing
  case fd of
    Just n -> closeFdWith closeFd (Fd n)
    Nothing -> pure ()

withNIC :: NICName -> (NIC -> IO a) -> IO a
withNIC name = bracket (openNIC name) closeNIC

descriptor :: NIC -> IO CInt
descriptor nic = readMVar (nicFd nic) >>= maybe (failWith (nicName nic) eBADF) pure

-- @struct iovec@
vectorSize :: Int
vectorSize = 16

batch :: Int
batch = 32

-- | Bytes of the largest frame, without its header: one of core's in a
-- unikernel. Linux has a few more to give ('largeRoom').
largest :: Int
largest = 65535

-- | Room for the largest frame with its header.
largeRoom :: Int
largeRoom = 65600

-- | Room for any frame of the MTU with Ethernet's header and a VLAN tag; as
-- much as a device may want to write (LIMIT_FRAME_SIZE) at least.
bufferSize :: NIC -> Int
bufferSize nic = max 1536 (nicMTU nic + 18)

-- | Sends frames in order; waits while the device has no room. One that is too
-- long or too short throws.
sendFrames :: NIC -> [ByteString] -> IO ()
sendFrames _ [] = pure ()
sendFrames nic [frame] = sendOne nic frame
sendFrames nic frames = do
  let (now, rest) = splitAt batch frames
  sendBatch nic now
  sendFrames nic rest

sendOne :: NIC -> ByteString -> IO ()
sendOne nic frame = do
  fd <- descriptor nic
  sent <- U.unsafeUseAsCStringLen frame $ \(p, size) ->
    c_send_one fd (fromIntegral (fromEnum (nicSocket nic))) (castPtr p)
      (fromIntegral size)
  case sent of
    n | n >= 0 -> pure ()
      | again n -> threadWaitWrite (Fd fd) >> sendOne nic frame
      | otherwise -> void (check (nicName nic) n)

sendBatch :: NIC -> [ByteString] -> IO ()
sendBatch nic frames = unless (null frames) $ do
  fd <- descriptor nic
  let count = length frames
      fill _ [] _ action = action
      fill n (f : fs) vectors action =
        U.unsafeUseAsCStringLen f $ \(p, size) -> do
          pokeByteOff vectors (n * vectorSize) p
          pokeByteOff vectors (n * vectorSize + 8)
            (fromIntegral size :: CSize)
          fill (n + 1 :: Int) fs vectors action
  sent <- allocaArray (count * vectorSize) $ \vectors ->
    fill 0 frames (castPtr (vectors :: Ptr Word8)) $
      c_send fd (fromIntegral (fromEnum (nicSocket nic)))
        (castPtr vectors) (fromIntegral count)
  case sent of
    n | n > 0 -> sendBatch nic (drop (fromIntegral n) frames)
      | again n -> threadWaitWrite (Fd fd) >> sendBatch nic frames
      | otherwise -> void (check (nicName nic) n)

again :: CLong -> Bool
again n = let Errno e = eAGAIN in n == negate (fromIntegral e)

-- | Waits until there is a frame, and gives at most so many that are there (32
-- at a time, whatever is asked).
receiveFrames :: NIC -> Int -> IO [ByteString]
receiveFrames nic most = do
  frames <- tryReceiveFrames nic most
  case frames of
    [] | most > 0 -> waitFrames nic >> receiveFrames nic most
    _ -> pure frames

-- | Waits until there may be one.
waitFrames :: NIC -> IO ()
waitFrames nic = descriptor nic >>= threadWaitRead . Fd

-- | What is there now; perhaps nothing.
tryReceiveFrames :: NIC -> Int -> IO [ByteString]
tryReceiveFrames nic most
  | nicLarge nic > 0 = tryReceiveLarge nic most
  | otherwise = tryReceiveSmall nic most

-- | Into room for the largest frame. One that has a good part of it stays there,
-- one that has not is copied, and the next one has its place: so that what is
-- kept of a frame holds at most twice the memory.
tryReceiveLarge :: NIC -> Int -> IO [ByteString]
tryReceiveLarge nic most = mask_ $ do
  fd <- descriptor nic
  spare <- swapMVar (nicSpare nic) Nothing
  buffer <- maybe (I.mallocByteString largeRoom) pure spare
  go fd buffer (min batch most) []
  where
    socket = fromIntegral (fromEnum (nicSocket nic))
    done buffer frames = do
      void (swapMVar (nicSpare nic) (Just buffer))
      pure (reverse frames)
    go _ buffer 0 frames = done buffer frames
    go fd buffer left frames = do
      got <- withForeignPtr buffer $ \p ->
        c_receive_one fd socket p (fromIntegral largeRoom)
      let size = fromIntegral got
      case got of
        _ | size >= largeRoom `quot` 2 -> do
              next <- I.mallocByteString largeRoom
              go fd next (left - 1) (I.fromForeignPtr buffer 0 size : frames)
          | size > 0 -> do
              frame <- withForeignPtr buffer $ \p ->
                I.create size (\to -> I.memcpy to p size)
              go fd buffer (left - 1) (frame : frames)
          -- What was received before it is given first.
          | again got || not (null frames) -> done buffer frames
          | size == 0 -> failWith (nicName nic) eBADF
          | otherwise -> [] <$ check (nicName nic) got

tryReceiveSmall :: NIC -> Int -> IO [ByteString]
tryReceiveSmall nic most = mask_ $ do
  fd <- descriptor nic
  let count = max 1 (min batch most)
  (got, frames) <- modifyMVar (nicBuffers nic) $ \old -> do
    buffers <- prepare nic count old
    withForeignPtr (vectors buffers) $ \at -> do
      got <- c_receive fd (fromIntegral (fromEnum (nicSocket nic)))
        (castPtr at) (fromIntegral count)
      let filled = fromIntegral (max 0 got)
      frames <- collect buffers at (filled - 1) []
      pure (buffers { taken = filled }, (got, frames))
  when (got < 0 && not (again got)) $ void (check (nicName nic) got)
  -- a socket whose other end is gone gives empty messages
  when (any B.null frames) $ failWith (nicName nic) eBADF
  pure frames
  where
    collect buffers at n frames
      | n < 0 = pure frames
      | otherwise = do
          owner <- readIOArray (owners buffers) n
          size <- peekByteOff at (n * vectorSize + 8) :: IO CSize
          collect buffers at (n - 1)
            (I.fromForeignPtr owner 0 (fromIntegral size) : frames)

-- | Buffers for so many frames: in place of those that were taken, and further
-- ones.
prepare :: NIC -> Int -> Buffers -> IO Buffers
prepare nic count buffers = withForeignPtr (vectors buffers) $ \at -> do
  let size = bufferSize nic
      renew n = do
        owner <- I.mallocByteString size
        writeIOArray (owners buffers) n owner
        pokeByteOff at (n * vectorSize) (unsafeForeignPtrToPtr owner)
        pokeByteOff at (n * vectorSize + 8) (fromIntegral size :: CSize)
  mapM_ renew [0 .. taken buffers - 1]
  mapM_ renew [ready buffers .. count - 1]
  pure buffers { taken = 0, ready = max count (ready buffers) }
