-- SPDX-License-Identifier: BSD-3-Clause
-- |
-- Event channels of Xen: a bell between two domains.
--
-- One domain allocates its end for another, and tells it the number of its
-- port, by XenStore for instance; that one binds its end to it. Then either may
-- ring, and the other hears it: at least once after it was rung last, but not as
-- often as it was rung.
--
-- > -- in domain 3                            -- in domain 5
-- > bell <- allocateChannel (DomainId 5)
-- > print (channelPort bell)                  -- 9, say
-- >                                           bell <- bindChannel (DomainId 3) 9
-- > waitEvent bell                            notify bell
--
-- The threads of the program go on while one waits, in both runtimes.
--
-- In a guest of Xen, and as a Linux process where there is
-- @\/dev\/xen\/evtchn@ (and one may open it). Elsewhere opening throws an error
-- that satisfies 'System.IO.Error.isDoesNotExistError'.
module System.HaLVM.Xen.EventChannel
  ( EventChannel, Port, DomainId (..)
  , allocateChannel, bindChannel, closeChannel, channelPort
  , notify, waitEvent, tryEvent
  ) where

import Control.Exception (mask_, onException)
import Control.Monad (unless, void)
import Data.Int (Int32)
import Data.Word (Word32)
import Foreign.C.Error (Errno (..), eINVAL)
import Foreign.C.Types (CInt (..))

import System.HaLVM.Xen.Device

foreign import ccall unsafe "hs_xen_event_bind"
  c_bind :: CInt -> Word32 -> Int32 -> IO CInt
foreign import ccall unsafe "hs_xen_event_notify"
  c_notify :: CInt -> Word32 -> IO CInt
foreign import ccall unsafe "hs_xen_event_take" c_take :: CInt -> IO CInt

-- | The number of one end of a channel, in its domain.
type Port = Word32

-- | One end of a channel.
data EventChannel = EventChannel
  { channelDevice :: Device
  , channelPort :: Port -- ^ for the other domain to bind to
  }

open :: String -> DomainId -> Int32 -> IO EventChannel
open what (DomainId domain) remote = mask_ $ do
  device <- openDevice "evtchn"
  port <- withDevice device
    (\fd -> c_bind fd (fromIntegral domain) remote >>= checked what)
    `onException` closeDevice device
  pure (EventChannel device (fromIntegral port))

-- | An end that the domain may bind to. Throws if there is no such domain.
allocateChannel :: DomainId -> IO EventChannel
allocateChannel domain = open "allocateChannel" domain (-1)

-- | An end bound to a port that the domain has allocated for us. There is an
-- event at once. Throws if it has not.
bindChannel :: DomainId -> Port -> IO EventChannel
bindChannel domain port
  | port > 0x7fffffff = xenFail "bindChannel" eINVAL
  | otherwise = open "bindChannel" domain (fromIntegral port)

-- | Ends it; who waits for events gets an error. The other end is then one that
-- nobody has bound. A second time does nothing.
closeChannel :: EventChannel -> IO ()
closeChannel = closeDevice . channelDevice

-- | An event for the other end. Nothing, if nobody has bound that.
notify :: EventChannel -> IO ()
notify channel = void $ withDevice (channelDevice channel) $ \fd ->
  c_notify fd (channelPort channel) >>= checked "notify"

-- | Waits until there has been an event since the last one was taken.
waitEvent :: EventChannel -> IO ()
waitEvent channel = do
  came <- tryEvent channel
  unless came $ waitReadable (channelDevice channel) >> waitEvent channel

-- | Takes the event, if there is one.
tryEvent :: EventChannel -> IO Bool
tryEvent channel = withDevice (channelDevice channel) $ \fd -> do
  result <- c_take fd
  if isAgain result
    then pure False
    else True <$ checked "waitEvent" result

checked :: String -> CInt -> IO CInt
checked what result
  | result < 0 = xenFail what (Errno (negate result))
  | otherwise = pure result
