-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Files served from Haskell, to everybody in the program: C libraries, other
-- threads, 'readFile'.
--
-- A read-only map of contents, and a file that is made when it is opened:
--
-- > import System.HaLVM.FileSystem
-- >
-- > main = do
-- >   m <- mount "/proc/app"
-- >     [ ("version", Contents "1.2\n")
-- >     , ("requests", Generated (pack . show <$> readIORef counter))
-- >     , ("control", Sink obey)
-- >     , ("assets/logo.svg", Contents logo) ]
-- >   readFile "/proc/app/version" >>= putStr
-- >   unmount m
--
-- A writable tree in memory, and what others do to it:
--
-- >   t <- mountTree "/data" (\change -> print change)
-- >   writeFile "/data/log" "one\n"
-- >   readTree t "log"          -- Just "one\n"
--
-- Names and contents are kept in C, so that no call waits for Haskell but the
-- reading of a 'Generated' file; and that waits as one waits for a pipe: a
-- 'System.IO.Handle' does so without blocking other Haskell threads, in either
-- runtime. A C library that reads such a file with a blocking descriptor in the
-- only thread of the non-threaded runtime gets @EAGAIN@.
module System.HaLVM.FileSystem
  ( -- * Files
    Entry (..), Mount, mount, unmount, setEntry, removeEntry
    -- * A writable tree
  , Tree, Change (..), mountTree, unmountTree, readTree, writeTree, removeTree
    -- * What the files do when Haskell is stuck
  , mountPatience
  ) where

import Control.Concurrent (forkIO, forkIOWithUnmask)
import Control.Concurrent.MVar
import Control.Exception (SomeException, mask_, onException, try)
import Control.Monad (forM_, forever, void, when)
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import qualified Data.ByteString.Unsafe as U
import Data.Bits ((.&.))
import Data.Int (Int64)
import qualified Data.Map.Strict as Map
import Data.Word (Word64)
import Foreign.C.Error (eNOMEM)
import Foreign.C.Types (CInt, CLong, CUInt)
import Foreign.Marshal.Alloc (allocaBytes)
import Foreign.Ptr (Ptr, castPtr, nullPtr)
import System.Posix.Internals (peekFilePath, withFilePath)

import System.HaLVM.Foreign
import System.HaLVM.Service

-- | What a file is.
data Entry
  = Contents ByteString
    -- ^ these bytes
  | Generated (IO ByteString)
    -- ^ what the action gives, each time the file is opened for reading. It
    -- runs in a thread of its own; if it throws, reading fails
  | Sink (ByteString -> IO ())
    -- ^ every write is given to the function, in order, in one thread for each
    -- open file; if it throws, the next write, @fsync@ or read fails
  | Directory
    -- ^ an empty one; directories that files need are made without being asked

-- | Files that are mounted.
data Mount = Mount
  { mountService :: Service
  , mountTreePointer :: Ptr CTree
  , mountEntries :: MVar (Map.Map ByteString Entry)
  , mountIdent :: CLong
  }

bytesIn :: ByteString -> (Ptr a -> Int -> IO b) -> IO b
bytesIn bytes f = U.unsafeUseAsCStringLen bytes $ \(p, n) -> f (castPtr p) n

-- | Serves files under an absolute path, in place of what is there. Names are
-- relative, with slashes between directories; the only one may be @""@, and is
-- what is at the path itself. Throws an 'IOError' if it cannot.
mount :: FilePath -> [(FilePath, Entry)] -> IO Mount
mount path entries = do
  known <- newMVar Map.empty
  writers <- newMVar Map.empty
  service <- newService "files" (serve known writers) (pure ())
  flip onException (endService service) $ do
    tree <- newTree service 0
    ident <- withFilePath path (c_tree_mount tree) >>= check path
    let m = Mount service tree known ident
    forM_ entries (uncurry (setEntry m))
      `onException` c_file_unmount ident
    pure m

newTree :: Service -> CInt -> IO (Ptr CTree)
newTree service flags = do
  tree <- c_tree_new (servicePointer service) flags
  when (tree == nullPtr) $ failWith "mount" eNOMEM
  pure tree

-- | A name as the files' calls have it: in the file system's encoding, as all
-- paths.
nameBytes :: FilePath -> IO ByteString
nameBytes name = withFilePath name B.packCString

bytesName :: ByteString -> IO FilePath
bytesName bytes = B.useAsCString bytes peekFilePath

-- | Puts a file there, or another in its place. Who has 'Contents' open reads the
-- new ones from then on, if it gets such; who has another open keeps that.
setEntry :: Mount -> FilePath -> Entry -> IO ()
setEntry m name entry = do
  key <- nameBytes name
  modifyMVar_ (mountEntries m) (pure . Map.insert key entry)
  result <- withFilePath name $ \path -> case entry of
    Contents bytes -> bytesIn bytes $ \p n ->
      c_tree_put (mountTreePointer m) path p (fromIntegral n) 0o444
    Generated _ -> c_tree_serve (mountTreePointer m) path 0o444
    Sink _ -> c_tree_serve (mountTreePointer m) path 0o222
    Directory -> c_tree_directory (mountTreePointer m) path 0o555
  void (check name result)

-- | Throws if it is not there, or a directory that is not empty.
removeEntry :: Mount -> FilePath -> IO ()
removeEntry m name = do
  result <- withFilePath name (c_tree_remove (mountTreePointer m))
  void (check name result)
  key <- nameBytes name
  modifyMVar_ (mountEntries m) (pure . Map.delete key)

-- | What was there before is in its place again. Files that are open fail from
-- then on, but for those whose contents are known.
unmount :: Mount -> IO ()
unmount m = do
  void (c_file_unmount (mountIdent m))
  endService (mountService m)

-- | After how many milliseconds in which the runtime answers nothing a reader
-- that waits gets @EIO@ (5,000 unless told).
mountPatience :: Mount -> Int -> IO ()
mountPatience m = setPatience (mountService m)

type Writers = MVar (Map.Map Word64 (MVar (Maybe ByteString)))

serve :: MVar (Map.Map ByteString Entry) -> Writers -> Service -> Event -> IO ()
serve known writers service event = case eventKind event of
  32 -> do
    entry <- Map.lookup (eventData event) <$> readMVar known
    case (entry, reads_) of
      (Just (Generated action), True) -> spawn $ do
        bytes <- action
        answer bytes
      (Just (Sink consume), _) -> do
        startWriter consume
        when reads_ $ answer B.empty -- there is nothing to read in it
      _ -> void (c_file_fail pointer ident 5) -- EIO: it changed meanwhile
  33 -> do
    writer <- Map.lookup ident <$> readMVar writers
    case writer of
      -- The writer's box is empty but for a moment: it only queues.
      Just box -> putMVar box (Just (eventData event))
      Nothing -> pure ()
  34 -> do
    writer <- modifyMVar writers $ \w ->
      pure (Map.delete ident w, Map.lookup ident w)
    maybe (pure ()) (`putMVar` Nothing) writer
  _ -> pure ()
  where
    pointer = servicePointer service
    ident = eventId event
    reads_ = case eventNumbers event of
      flags : _ -> flags .&. 3 /= (1 :: Int64) -- O_WRONLY
      [] -> False
    answer bytes = bytesIn bytes $ \p n ->
      void (c_file_answer pointer ident p (fromIntegral n) 1)
    failed e = void (c_file_fail pointer ident (errnoOf (e :: SomeException)))
    spawn action = void $ mask_ $ forkIOWithUnmask $ \unmask -> do
      result <- try (unmask action)
      either failed pure result
    startWriter consume = do
      box <- newEmptyMVar
      queue <- newMVar [] :: IO (MVar [ByteString])
      more <- newEmptyMVar :: IO (MVar ())
      over <- newMVar False
      modifyMVar_ writers (pure . Map.insert ident box)
      -- One thread empties the box at once, the other may take its time.
      void $ forkIO $ do
        let take_ = do
              bytes <- takeMVar box
              case bytes of
                Just b -> modifyMVar_ queue (pure . (b :))
                Nothing -> void (swapMVar over True)
              void (tryPutMVar more ())
              maybe (pure ()) (const take_) bytes
        take_
      void $ forkIOWithUnmask $ \unmask -> do
        let run = do
              takeMVar more
              bytes <- reverse <$> swapMVar queue []
              forM_ bytes $ \b ->
                try (unmask (consume b)) >>= either failed pure
              ended <- readMVar over
              left <- readMVar queue
              if ended && null left then pure ()
                else when ended (void (tryPutMVar more ())) >> run
        run

-- | A tree in memory that everybody may change.
data Tree = Tree
  { treeService :: Service
  , treePointer :: Ptr CTree
  , treeIdent :: CLong
  }

-- | What somebody did to it.
data Change
  = Written FilePath -- ^ it was open for writing, and is closed
  | Made FilePath -- ^ a directory
  | Removed FilePath
  | Moved FilePath FilePath
  deriving (Eq, Show)

-- | An empty tree under an absolute path. The function hears of changes, in
-- order, in a thread of its own.
mountTree :: FilePath -> (Change -> IO ()) -> IO Tree
mountTree path changed = do
  changes <- newMVar []
  more <- newEmptyMVar
  service <- flip (newService "tree") (pure ()) $ \_ event -> when (eventKind event == 35) $ do
    new <- change event
    modifyMVar_ changes (pure . (new :))
    void (tryPutMVar more ())
  void $ forkIO $ forever $ do
    takeMVar more
    new <- reverse <$> swapMVar changes []
    forM_ new $ \c -> try (changed c) :: IO (Either SomeException ())
  flip onException (endService service) $ do
    tree <- newTree service 1
    ident <- withFilePath path (c_tree_mount tree) >>= check path
    pure (Tree service tree ident)
  where
    change event = do
      let (first, rest) = C.break (== '\0') (eventData event)
      name <- bytesName first
      case eventNumbers event of
        1 : _ -> pure (Written name)
        2 : _ -> pure (Made name)
        3 : _ -> pure (Removed name)
        _ -> Moved name <$> bytesName (C.drop 1 rest)

-- | Its files are gone from sight.
unmountTree :: Tree -> IO ()
unmountTree t = do
  void (c_file_unmount (treeIdent t))
  endService (treeService t)

-- | A file's content as it is now.
readTree :: Tree -> FilePath -> IO (Maybe ByteString)
readTree t name = withFilePath name $ \path ->
  fmap B.concat <$> go path 0
  where
    size = 65536
    go path at = do
      part <- allocaBytes size $ \buffer -> do
        n <- c_tree_get (treePointer t) path buffer (fromIntegral size) at
        if n < 0
          then pure Nothing
          else Just <$> B.packCStringLen (castPtr buffer, fromIntegral n)
      case part of
        Nothing -> pure Nothing
        Just b
          | B.length b < size -> pure (Just [b])
          | otherwise -> fmap (b :) <$> go path (at + fromIntegral size)

-- | Makes a file, and directories for it, or gives it other content.
writeTree :: Tree -> FilePath -> ByteString -> IO ()
writeTree t name bytes = do
  result <- withFilePath name $ \path -> bytesIn bytes $ \p n ->
    c_tree_put (treePointer t) path p (fromIntegral n) (0o644 :: CUInt)
  void (check name result)

-- | A file or an empty directory.
removeTree :: Tree -> FilePath -> IO ()
removeTree t name =
  withFilePath name (c_tree_remove (treePointer t)) >>= void . check name
