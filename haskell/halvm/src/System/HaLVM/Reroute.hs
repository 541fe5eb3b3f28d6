-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- System calls taken over by Haskell functions.
--
-- > import System.HaLVM.Reroute
-- >
-- > main = do
-- >   Just mkdir <- callByName "mkdir"
-- >   r <- reroute mkdir $ \call -> do
-- >     path <- argumentString call 0
-- >     if "/etc" `B.isPrefixOf` path then pure (Fails eROFS) else pure Pass
-- >   ...
-- >   endReroute r
--
-- The handler runs in a Haskell thread of its own, one for each call. It may
-- block, throw (the call then fails with the exception's errno, or @EIO@) and
-- be killed (likewise). The thread that made the call waits for it, so what its
-- arguments point to stays as long as the handler runs; but where the patience
-- has ended ('reroutePatience') the caller has got its @EIO@ and gone on, and
-- what the arguments pointed to may be something else by then: a handler that
-- was late must not use them. Its own calls are ordinary calls: if the handler
-- makes the call that it handles it is called again.
--
-- Who can wait. A call from C threads and from @safe@ foreign calls of the
-- threaded runtime waits for the handler. From an @unsafe@ foreign call nothing
-- of Haskell can run before it returns, and in the non-threaded runtime from no
-- foreign call at all; such a call fails: with @EDEADLK@ at once in the
-- non-threaded runtime, with @EIO@ after the patience ('reroutePatience') in the
-- threaded one. So take over what C libraries and threads call; for sockets and
-- files see "System.HaLVM.Network" and "System.HaLVM.FileSystem", which answer
-- every caller.
--
-- Calls that the runtime itself stands on (memory, clock, threads, signals, its
-- I\/O manager) are refused: 'whyNot'.
module System.HaLVM.Reroute
  ( -- * Taking a call over
    Reroute, reroute, endReroute, reroutePatience
    -- * A call
  , CallNumber, Call (..), argument, argumentPointer, Answer (..)
  , argumentString, argumentBytes, giveBytes
    -- * Names
  , callByName, callName, whyNot
  ) where

import Control.Concurrent (forkIOWithUnmask)
import Control.Concurrent.MVar
import Control.Exception (SomeException, mask_, try)
import Control.Monad (filterM, void)
import Data.ByteString (ByteString)
import qualified Data.ByteString as B
import qualified Data.ByteString.Internal as I
import qualified Data.ByteString.Unsafe as U
import Data.Int (Int64)
import qualified Data.Map.Strict as Map
import Data.Maybe (listToMaybe)
import Foreign.C.Error (Errno (..), eIO)
import Foreign.C.String (peekCString)
import Foreign.C.Types (CLong)
import Foreign.Ptr (Ptr, WordPtr (..), castPtr, nullPtr, wordPtrToPtr)
import System.IO.Unsafe (unsafePerformIO)

import System.HaLVM.Foreign
import System.HaLVM.Service

-- | As in @\<sys\/syscall.h\>@.
type CallNumber = Int

-- | A call that somebody makes.
data Call = Call
  { callNumber :: CallNumber
  , callArguments :: [Int64] -- ^ six; those that it does not have: junk
  }

argument :: Call -> Int -> Int64
argument call n = callArguments call !! n

argumentPointer :: Call -> Int -> Ptr a
argumentPointer call n = wordPtrToPtr (WordPtr (fromIntegral (argument call n)))

-- | The string that an argument points to, a path for example. An argument may
-- point to nothing: these three throw then, so that the call fails with
-- @EFAULT@ as it would otherwise. A path that is too long is @ENAMETOOLONG@.
argumentString :: Call -> Int -> IO ByteString
argumentString call n = I.createAndTrim pathMax $ \p ->
  fromIntegral <$> (c_copy_string p (argumentPointer call n)
    (fromIntegral pathMax) >>= check "argument")
  where pathMax = 4096

-- | So many bytes at an argument.
argumentBytes :: Call -> Int -> Int -> IO ByteString
argumentBytes call n size = I.create size $ \p ->
  void (c_copy_in p (argumentPointer call n) (fromIntegral size)
    >>= check "argument")

-- | Puts bytes where an argument points to, as a @read@ does.
giveBytes :: Call -> Int -> ByteString -> IO ()
giveBytes call n bytes = U.unsafeUseAsCStringLen bytes $ \(p, size) ->
  void (c_copy_out (argumentPointer call n) (castPtr p) (fromIntegral size)
    >>= check "argument")

-- | What becomes of it.
data Answer
  = Returns Int64 -- ^ what the call returns, not negative
  | Fails Errno
  | Pass -- ^ as it would have been without the handler

-- | A call that is taken over.
data Reroute = Reroute CallNumber CLong

-- All calls are served by one service, for as long as the program runs.
data Calls = Calls
  { callsService :: Service
  , callsHandlers :: MVar (Map.Map CallNumber [(CLong, Call -> IO Answer)])
  }

calls :: MVar (Maybe Calls)
calls = unsafePerformIO (newMVar Nothing)
{-# NOINLINE calls #-}

getCalls :: IO Calls
getCalls = modifyMVar calls $ \old -> case old of
  Just c -> pure (old, c)
  Nothing -> do
    handlers <- newMVar Map.empty
    service <- newService "reroute" (serve handlers) (pure ())
    let c = Calls service handlers
    pure (Just c, c)

serve :: MVar (Map.Map CallNumber [(CLong, Call -> IO Answer)]) -> Service
      -> Event -> IO ()
serve handlers service event
  | eventKind event /= 64 = pure ()
  | otherwise = do
      known <- readMVar handlers
      let (number, arguments) = case eventNumbers event of
            n : rest -> (fromIntegral n, rest)
            [] -> (-1, [])
          call = Call number (take 6 arguments)
          pointer = servicePointer service
      case Map.lookup number known of
        Just handlersOfCall
          | Just handler <- lookup (registration event) handlersOfCall -> void $ mask_ $ forkIOWithUnmask $ \unmask -> do
          result <- try (unmask (handler call))
          void $ case result of
            Right (Returns value)
              | value >= 0 ->
                  c_call_answer pointer (eventId event) (fromIntegral value)
              | otherwise -> failed pointer (let Errno e = eIO in e)
            Right (Fails (Errno e)) -> failed pointer e
            Right Pass -> c_call_pass pointer (eventId event)
            Left err -> failed pointer (errnoOf (err :: SomeException))
        _ -> void $ c_call_pass pointer (eventId event)
  where
    -- eight bytes, the first the lowest
    registration = B.foldr' (\byte n -> n * 256 + fromIntegral byte) 0 . eventData
    failed pointer e =
      c_call_answer pointer (eventId event) (negate (fromIntegral e))

-- | Takes a call over. Throws an 'IOError' that says why not: no such call, one
-- that the runtime stands on, too many.
reroute :: CallNumber -> (Call -> IO Answer) -> IO Reroute
reroute number handler = mask_ $ do
  reason <- whyNot number
  case reason of
    Just text -> ioError (userError ("reroute: " ++ text))
    Nothing -> pure ()
  c <- getCalls
  modifyMVar (callsHandlers c) $ \known -> do
    ident <- c_service_reroute (servicePointer (callsService c))
      (fromIntegral number)
    _ <- check "reroute" ident
    pure (Map.insertWith (++) number [(ident, handler)] known
         , Reroute number ident)

-- | What was there before is in its place again. Handlers that still run answer
-- their callers. A second time does nothing.
endReroute :: Reroute -> IO ()
endReroute (Reroute number ident) = mask_ $ do
  c <- getCalls
  modifyMVar_ (callsHandlers c) $ \known -> do
    void $ c_reroute_leave ident
    pure (Map.adjust (filter ((/= ident) . fst)) number known)

-- | After how many milliseconds in which the runtime takes no call a caller
-- gets @EIO@ (5,000 unless told); all calls are then given back for good.
reroutePatience :: Int -> IO ()
reroutePatience ms = do
  c <- getCalls
  setPatience (callsService c) ms

-- | The call's number, by its name in the manual.
callByName :: String -> IO (Maybe CallNumber)
callByName name = listToMaybe <$> filterM named [0 .. 511]
  where named n = (== Just name) <$> callName n

callName :: CallNumber -> IO (Maybe String)
callName number = do
  text <- c_call_name (fromIntegral number)
  if text == nullPtr then pure Nothing else Just <$> peekCString text

-- | Why a call cannot be taken over by Haskell, if it cannot.
whyNot :: CallNumber -> IO (Maybe String)
whyNot number = do
  linked <- c_linked
  name <- callName number
  text <- c_call_runtime (fromIntegral number)
  case name of
    _ | linked == 0 -> pure (Just "the program is not linked with HaLVM's \
        \libraries; build it with halvm-ghc")
    Nothing -> pure (Just ("there is no system call " ++ show number))
    Just n | text /= nullPtr -> do
      what <- peekCString text
      pure (Just (n ++ " is what Haskell's runtime needs for " ++ what
        ++ ", so no Haskell function can answer it; take it over from C \
           \(halvm/reroute.h)"))
    _ -> pure Nothing
