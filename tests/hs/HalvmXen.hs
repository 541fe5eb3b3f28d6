-- SPDX-License-Identifier: BSD-3-Clause
-- | System.HaLVM.Xen: event channels and grants of a domain to itself, their
-- errors, and what waits when one is closed. Where there is no Xen all of it
-- throws that there is no such thing. XenStore and channels want another domain:
-- tests/xen/t-channel.
--
-- ways: 2
module Main (main) where

import Check

import Control.Concurrent
import Control.Exception (IOException, bracket, try)
import Control.Monad (forM_, replicateM_, void)
import Data.Word (Word8)
import Foreign.Storable (peekByteOff, pokeByteOff)
import System.Directory (doesPathExist)
import System.HaLVM.Xen.EventChannel
import System.HaLVM.Xen.Grant
import System.HaLVM.Xen.Store (withStore)
import System.IO.Error (isAlreadyInUseError, isDoesNotExistError)
import System.Timeout (timeout)

main :: IO ()
main = do
  xen <- doesPathExist "/dev/xen/evtchn"
  if xen then inGuest else elsewhere

fails :: (IOException -> Bool) -> IO a -> IO Bool
fails kind action = either kind (const False) <$> try action

elsewhere :: IO ()
elsewhere = do
  check "no store" =<< fails isDoesNotExistError (withStore pure)
  check "no event channel" =<<
    fails isDoesNotExistError (allocateChannel (DomainId 0))
  check "no pages" =<<
    fails isDoesNotExistError (sharePages (DomainId 0) ReadWrite 1)
  check "no mapping" =<<
    fails isDoesNotExistError (mapPages (DomainId 0) ReadOnly [9])

-- DOMID_SELF; and its number, since these tests run in the first domain
self, own :: DomainId
self = DomainId 0x7ff0
own = DomainId 0

inGuest :: IO ()
inGuest = do
  events
  closing
  grants

pair :: (EventChannel -> EventChannel -> IO a) -> IO a
pair action =
  bracket (allocateChannel self) closeChannel $ \one ->
    bracket (bindChannel self (channelPort one)) closeChannel $ \two -> do
      waitEvent two -- that it is bound
      action one two

events :: IO ()
events = pair $ \one two -> do
  check "quiet" . not =<< tryEvent two
  replicateM_ 5 (notify one)
  waitEvent two
  _ <- tryEvent two -- of those that came after the first was told
  check "told" . not =<< tryEvent two
  -- others go on while one waits
  heard <- newEmptyMVar
  void (forkIO (waitEvent one >> putMVar heard ()))
  forM_ [1 .. 10 :: Int] $ \_ -> yield
  check "not yet" . maybe True (const False) =<< tryTakeMVar heard
  notify two
  takeMVar heard
  -- back and forth
  void $ forkIO $ replicateM_ 500 (waitEvent two >> notify two)
  replicateM_ 500 (notify one >> waitEvent one)
  check "no event, no end" . maybe True (const False) =<<
    timeout 50000 (waitEvent one)
  check "a port that is none" =<<
    fails (const True) (bindChannel self 4000000)

closing :: IO ()
closing = do
  one <- allocateChannel self
  result <- newEmptyMVar
  void (forkIO (fails (const True) (waitEvent one) >>= putMVar result))
  threadDelay 20000
  closeChannel one
  closeChannel one
  check "who waits is told" =<< takeMVar result
  check "closed" =<< fails (const True) (notify one)

grants :: IO ()
grants = do
  share <- sharePages own ReadWrite 2
  check "size" (shareSize share == 2 * pageSize)
  forM_ [0, 1] $ \page ->
    pokeByteOff (sharePointer share) (page * pageSize) (7 :: Word8)
  mapped <- try (mapPages own ReadWrite (shareReferences share))
  case mapped of
    -- only a PV guest can map pages of its own
    Left e -> check "refused" (not (isDoesNotExistError (e :: IOException)))
    Right mapping -> do
      value <- peekByteOff (mappingPointer mapping) pageSize
      check "seen" (value == (7 :: Word8))
      pokeByteOff (mappingPointer mapping) 1 (8 :: Word8)
      back <- peekByteOff (sharePointer share) 1
      check "seen back" (back == (8 :: Word8))
      check "busy" =<< fails isAlreadyInUseError (endShare share)
      unmapPages mapping
      unmapPages mapping
  endShare share
  endShare share
  check "ended" =<<
    fails (const True) (mapPages own ReadOnly (shareReferences share))
  check "none" =<< fails (const True) (sharePages own ReadWrite 0)
  check "too many" =<< fails (const True) (sharePages own ReadWrite 100000)
