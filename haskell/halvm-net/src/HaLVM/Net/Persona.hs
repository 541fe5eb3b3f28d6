-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Persona
--
-- How a stack looks from outside. A persona belongs to an address, so that one
-- stack can be several machines.
--
-- >>> personaTtl windows
-- 128
-- >>> personaName (linux { personaName = "mine" })
-- "mine"
module HaLVM.Net.Persona
  ( Persona (..), OptionKind (..), IsnRule (..), IpIdRule (..), PortRule (..)
  , ClosedPort (..)
    -- * Ready-made ones
  , linux, windows, freebsd, printer, personas, personaNamed
    -- * Link addresses
  , vendorMac
  ) where

import Data.Bits
import Data.List (find)
import Data.Word

import HaLVM.Net.Types

-- | An option of a SYN, in the order in which it is written.
data OptionKind = OptMss | OptScale | OptSackOk | OptTimestamps | OptNop | OptEnd
  deriving (Eq, Show)

-- | How the initial sequence number is chosen.
data IsnRule
  = IsnHashed        -- ^ RFC 6528: a clock, and a keyed hash of the connection
  | IsnRandom        -- ^ a new random number each time
  | IsnStep Word32   -- ^ the last one and this much: old and weak systems
  | IsnConstant Word32
  deriving (Eq, Show)

-- | How the identification of an IPv4 packet is chosen.
data IpIdRule
  = IpIdZero    -- ^ 0 where a packet must not be fragmented, else random
  | IpIdCount   -- ^ one counter for everybody
  | IpIdRandom
  deriving (Eq, Show)

-- | How a port of our own is chosen.
data PortRule
  = PortHashed     -- ^ RFC 6056, algorithm 3, from 32768 to 60999
  | PortCount      -- ^ one after the other, from 49152 on
  deriving (Eq, Show)

-- | What a segment or datagram for a port that nobody has gets.
data ClosedPort
  = ClosedAnswers -- ^ a reset, or "port unreachable"
  | ClosedSilent  -- ^ nothing: a firewall
  deriving (Eq, Show)

data Persona = Persona
  { personaName :: String
  , personaTtl :: Word8            -- ^ IPv4's time to live
  , personaHops :: Word8           -- ^ IPv6's hop limit
  , personaDf :: Bool              -- ^ "do not fragment" on TCP and ICMP echo
  , personaIpId :: IpIdRule
  , personaWindow :: Int           -- ^ in SYN and SYN-ACK; at most 65535
  , personaScale :: Maybe Int      -- ^ window scale offered, 0 to 14
  , personaMss :: Maybe Int        -- ^ instead of what the MTU allows
  , personaTimestamps :: Bool
  , personaSack :: Bool
  , personaOptions :: [OptionKind] -- ^ of a SYN; what was not agreed is left out
  , personaIsn :: IsnRule
  , personaPorts :: PortRule
  , personaClosed :: ClosedPort
  , personaEcho :: Bool            -- ^ answers a ping
  , personaEchoBroadcast :: Bool   -- ^ one to a broadcast address, too
  , personaEchoCode :: Bool        -- ^ gives a code that is not 0 back
  , personaTimestampReply :: Bool  -- ^ answers ICMP timestamp requests
  , personaQuote :: Int            -- ^ bytes that an ICMP error quotes
  , personaVendor :: Maybe Word32  -- ^ the first three bytes of its MAC address
  } deriving (Eq, Show)

-- | What Linux 6 does; the default.
linux :: Persona
linux = Persona
  { personaName = "linux"
  , personaTtl = 64
  , personaHops = 64
  , personaDf = True
  , personaIpId = IpIdZero
  , personaWindow = 64240
  , personaScale = Just 7
  , personaMss = Nothing
  , personaTimestamps = True
  , personaSack = True
  , personaOptions = [OptMss, OptSackOk, OptTimestamps, OptNop, OptScale]
  , personaIsn = IsnHashed
  , personaPorts = PortHashed
  , personaClosed = ClosedAnswers
  , personaEcho = True
  , personaEchoBroadcast = False
  , personaEchoCode = True
  , personaTimestampReply = True
  , personaQuote = 548
  , personaVendor = Nothing
  }

-- | Windows 10 and its servers, with their firewall on.
windows :: Persona
windows = linux
  { personaName = "windows"
  , personaTtl = 128
  , personaHops = 128
  , personaIpId = IpIdCount
  , personaWindow = 64240
  , personaScale = Just 8
  , personaTimestamps = False
  , personaOptions = [OptMss, OptNop, OptScale, OptNop, OptNop, OptSackOk]
  , personaIsn = IsnRandom
  , personaClosed = ClosedSilent
  , personaEchoCode = False
  , personaTimestampReply = False
  , personaQuote = 28
  , personaVendor = Just 0x00155d
  }

freebsd :: Persona
freebsd = linux
  { personaName = "freebsd"
  , personaIpId = IpIdZero
  , personaWindow = 65535
  , personaScale = Just 6
  , personaOptions = [OptMss, OptNop, OptScale, OptSackOk, OptTimestamps]
  , personaTimestampReply = True
  , personaQuote = 28
  , personaVendor = Just 0x002590
  }

-- | A network printer of some age: everything answers, nothing is random.
printer :: Persona
printer = linux
  { personaName = "printer"
  , personaTtl = 60
  , personaDf = False
  , personaIpId = IpIdCount
  , personaWindow = 8192
  , personaScale = Nothing
  , personaTimestamps = False
  , personaSack = False
  , personaOptions = [OptMss]
  , personaMss = Just 1460
  , personaIsn = IsnStep 64000
  , personaPorts = PortCount
  , personaEchoBroadcast = True
  , personaQuote = 28
  , personaVendor = Just 0x001b78
  }

personas :: [Persona]
personas = [linux, windows, freebsd, printer]

personaNamed :: String -> Maybe Persona
personaNamed name = find ((== name) . personaName) personas

-- | The vendor's three bytes, and three from a number.
--
-- >>> vendorMac 0x001b78 0x0102030405
-- 00:1b:78:03:04:05
vendorMac :: Word32 -> Word64 -> Mac
vendorMac vendor number =
  Mac (fromIntegral (vendor .&. 0xffffff) `shiftL` 24 .|. (number .&. 0xffffff))
