-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Module: HaLVM.Net.Run
--
-- The stack with a world around it: wires, a clock, random numbers. One lock
-- holds the stack; a thread for each wire receives, one keeps the time, and
-- calls are made by whoever wants something.
--
-- > net <- start config [wire]
-- > Opened s <- request net (Open Tcp False)
-- > answer <- waiting net s (Receive s 4096)
-- > stop net
module HaLVM.Net.Run
  ( Net, start, startWith, stop, request, waiting, receiving, wakeOf, inspect, now
  , setWakeHook, setTouchHook, setAddressHook, waitAddress, randomNumber
  ) where

import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.IORef
import qualified Data.IntMap.Strict as I
import Data.Word
import GHC.Clock (getMonotonicTimeNSec)
import System.IO
import System.Timeout (timeout)

import HaLVM.Net.Bytes
import HaLVM.Net.Stack
import HaLVM.Net.Stack.State (random32)
import HaLVM.Net.Wire

data Net = Net
  { netStack :: MVar Stack
  , netWires :: I.IntMap Wire
  , netWaiters :: IORef (I.IntMap [MVar ()]) -- with the stack's lock
  , netReaders :: IORef (I.IntMap (MVar ())) -- full: perhaps there is something
  , netKick :: MVar ()       -- an earlier deadline
  , netSleep :: IORef Time   -- until when the clock's thread sleeps
  , netWake :: IORef (SockId -> Ready -> IO ())
  , netTouch :: IORef (Touch -> IO ())
  , netMoved :: IORef (IO ())
  , netThreads :: IORef [ThreadId]
  }

-- | Microseconds of the monotonic clock.
now :: IO Time
now = (\n -> fromIntegral (n `quot` 1000)) <$> getMonotonicTimeNSec

-- | A stack on wires, which are its interfaces 1, 2, ... in their order, with
-- a secret from @/dev/urandom@.
start :: Config -> [Wire] -> IO Net
start config wires = do
  bytes <- withBinaryFile "/dev/urandom" ReadMode (`B.hGet` 16)
  when (B.length bytes < 16) (throwIO (userError "halvm-net: no random numbers"))
  startWith (Key (u64 bytes 0) (u64 bytes 8)) config wires

-- | The same with a secret of one's own.
startWith :: Key -> Config -> [Wire] -> IO Net
startWith key config wires = do
  time <- now
  let (stack, actions) = newStack time key config
  net <- Net <$> newMVar stack <*> pure (I.fromList (zip [1 ..] wires))
    <*> newIORef I.empty <*> newIORef I.empty <*> newEmptyMVar <*> newIORef 0
    <*> newIORef (\_ _ -> pure ()) <*> newIORef (\_ -> pure ()) <*> newIORef (pure ()) <*> newIORef []
  perform net actions
  threads <- mapM (\(i, w) -> forkIO (receiver net i w)) (I.toList (netWires net))
  clock <- forkIO (keepTime net)
  writeIORef (netThreads net) (clock : threads)
  pure net

-- | Ends the threads. Connections are not closed.
stop :: Net -> IO ()
stop net = do
  threads <- atomicModifyIORef' (netThreads net) (\ts -> ([], ts))
  mapM_ killThread threads

-- | What is told of every socket that becomes ready, in the stack's lock: it
-- must not call the stack, and not wait.
setWakeHook :: Net -> (SockId -> Ready -> IO ()) -> IO ()
setWakeHook net = writeIORef (netWake net)

-- | The same for whoever touches an address, if the configuration watches.
setTouchHook :: Net -> (Touch -> IO ()) -> IO ()
setTouchHook net = writeIORef (netTouch net)

-- | The same when addresses of ours come or go.
setAddressHook :: Net -> IO () -> IO ()
setAddressHook net = writeIORef (netMoved net)

-- All that touches the stack comes here: the lock, the step, its actions.
locked :: Net -> (Time -> Stack -> (a, Stack, [Action])) -> (a -> IO b) -> IO b
locked net f after = mask_ $ do
  stack <- takeMVar (netStack net)
  (a, stack', actions) <- flip onException (putMVar (netStack net) stack) $ do
    time <- now
    let result@(_, stack', _) = f time stack
    result <$ evaluate stack'
  -- It has happened: whatever comes of the actions, there is no way back.
  flip onException (void (tryPutMVar (netStack net) stack')) $ do
    uninterruptibleMask_ (perform net actions)
    b <- after a
    putMVar (netStack net) stack'
    sleeping <- readIORef (netSleep net)
    when (nextDeadline stack' < sleeping) (void (tryPutMVar (netKick net) ()))
    pure b

perform :: Net -> [Action] -> IO ()
perform _ [] = pure ()
perform net [Transmit i f] = transmitTo net i [f]
perform net actions = do
  transmit [(i, f) | Transmit i f <- actions]
  forM_ actions $ \a -> case a of
    Woken s now' -> do
      wakeOf net s
      when (readyRead now' || readyError now') (wakeReader net s)
      hook <- readIORef (netWake net)
      hook s now'
    Touched t -> readIORef (netTouch net) >>= ($ t)
    AddressesChanged -> join (readIORef (netMoved net))
    Transmit _ _ -> pure ()
  where
    -- Together what goes together.
    transmit [] = pure ()
    transmit frames@((i, _) : _) = do
      let (here, others) = span ((== i) . fst) frames
      transmitTo net i (map snd here)
      transmit others

-- What a wire does not take is lost, and is no error of whoever speaks.
transmitTo :: Net -> Int -> [B.ByteString] -> IO ()
transmitTo net i frames = forM_ (I.lookup i (netWires net)) $ \w ->
  wireSend w frames `catch` \e -> const (pure ()) (e :: IOException)

-- | Wakes whoever waits for a socket.
wakeOf :: Net -> SockId -> IO ()
wakeOf net s = do
  found <- atomicModifyIORef' (netWaiters net) $ \m ->
    (I.delete s m, I.findWithDefault [] s m)
  mapM_ (`tryPutMVar` ()) found

wakeReader :: Net -> SockId -> IO ()
wakeReader net s = do
  readers <- readIORef (netReaders net)
  forM_ (I.lookup s readers) (`tryPutMVar` ())

-- | A call, answered at once.
request :: Net -> Call -> IO Answer
request net c = locked net (`call` c) $ \answer -> do
  case c of
    Close s -> closing s
    Abort s -> closing s
    _ -> pure ()
  pure answer
  where
    closing s = do
      wakeOf net s
      wakeReader net s
      atomicModifyIORef' (netReaders net) (\m -> (I.delete s m, ()))

-- | Waits for at least a byte of a stream, or its end, and gives so many bytes at
-- most. It asks only when there may be something, where 'waiting' asks first.
receiving :: Net -> SockId -> Int -> IO Answer
receiving net s most = do
  readers <- readIORef (netReaders net)
  maybe (newReader >>= go) go (I.lookup s readers)
  where
    newReader = do
      new <- newMVar ()
      atomicModifyIORef' (netReaders net) $ \m -> case I.lookup s m of
        Just old -> (m, old)
        Nothing -> (I.insert s new m, new)
    go reader = mask_ $ do
      takeMVar reader
      answer <- locked net
        (\t st -> let (a, st', as) = call t (Receive s most) st
                  in ((a, readyRead (readyNow s st') || failed a), st', as))
        (\(a, more) -> a <$ when more (void (tryPutMVar reader ())))
        `onException` tryPutMVar reader ()
      case answer of
        Failed Again -> go reader
        _ -> pure answer
    failed a = case a of { Failed e -> e /= Again; _ -> False }

-- | A call that waits while its answer is 'Again'; the socket is the one that
-- it waits for.
waiting :: Net -> SockId -> Call -> IO Answer
waiting net s c = do
  (answer, waiter) <- locked net (`call` c) $ \answer -> case answer of
    Failed Again -> do
      w <- newEmptyMVar
      atomicModifyIORef' (netWaiters net) $ \m ->
        (I.insertWith (++) s [w] m, ())
      pure (answer, Just w)
    _ -> pure (answer, Nothing)
  case waiter of
    Nothing -> pure answer
    Just w -> do
      takeMVar w `onException` atomicModifyIORef' (netWaiters net)
        (\m -> (I.update (nonEmpty . filter (/= w)) s m, ()))
      waiting net s c
  where
    nonEmpty xs = if null xs then Nothing else Just xs

-- | A number that nobody can guess who does not know the secret.
randomNumber :: Net -> IO Word32
randomNumber net =
  locked net (\_ s -> let (w, s') = random32 s in (w, s', [])) pure

-- | Looks at the stack as it is now.
inspect :: Net -> (Time -> Stack -> a) -> IO a
inspect net f = do
  stack <- readMVar (netStack net)
  time <- now
  pure (f time stack)

-- | Waits until there is an address that is not link-local, so many
-- microseconds at most; whether there is.
waitAddress :: Net -> Time -> IO Bool
waitAddress net limit = go (limit `quot` 20000)
  where
    go n = do
      found <- inspect net (\_ s -> not (null (usable s)))
      if found || n <= 0 then pure found else threadDelay 20000 >> go (n - 1)
    usable s = [a | (_, a, _) <- addresses s, not (isLinkLocal a)]

receiver :: Net -> Int -> Wire -> IO ()
receiver net i wire = do
  frames <- wireReceive wire
  unless (null frames) $ do
    locked net (\t s -> let (s', as) = step t (Frames i frames) s in ((), s', as)) pure
    receiver net i wire

keepTime :: Net -> IO ()
keepTime net = forever $ do
  next <- announced =<< deadline
  time <- now
  if next <= time
    then locked net (\t s -> let (s', as) = step t TimePasses s in ((), s', as)) pure
    else if next == never
      then takeMVar (netKick net)
      else void (timeout (next - time) (takeMVar (netKick net)))
  where
    deadline = nextDeadline <$> readMVar (netStack net)
    -- The stack may have changed before it was written down until when it is
    -- slept; who changes it later looks at that.
    announced next = do
      writeIORef (netSleep net) next
      again <- deadline
      if again == next then pure next else announced again
