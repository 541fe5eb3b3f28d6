-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Stack.State
--
-- All that a stack is: configuration, interfaces, sockets, timers. The other
-- modules under HaLVM.Net.Stack change it; "HaLVM.Net.Stack" is what one
-- imports.
module HaLVM.Net.Stack.State
  ( -- * Configuration
    Config (..), IfConfig (..), defaultConfig, interface
    -- * State
  , Stack (..), Iface (..), IfAddr (..), Origin (..), Socket (..), Body (..)
  , Listener (..), Datagrams (..), Way (..), ConnKey (..), TimerKey, Budget (..)
  , Ready (..), Action (..), Touch (..), TouchKind (..)
  , emptyStack, act, setTimer, dropTimer, random32, randomBelow
  , timerNeighbours, timerFragments, timerDhcp, timerNdp, timerNat, timerLoop
  , localAddr, ifaceAt, modifyIface, rebuildLocal, touch, spend
  , modifySocket, indexSource
  ) where

import Data.ByteString (ByteString)
import qualified Data.IntMap.Strict as I
import qualified Data.IntPSQ as Q
import qualified Data.IntSet as IS
import qualified Data.Map.Strict as M
import Data.Sequence (Seq)
import qualified Data.Sequence as S
import Data.Word

import HaLVM.Net.Dhcp (Dhcp)
import HaLVM.Net.Ipv4.Reassembly
import HaLVM.Net.Nat (Forward, Nat, newNat)
import HaLVM.Net.Neighbour
import HaLVM.Net.Persona
import HaLVM.Net.Route
import HaLVM.Net.SipHash
import HaLVM.Net.Tcp.Block
import HaLVM.Net.Types

-- | What a stack is told at its beginning.
data Config = Config
  { cfgInterfaces :: [IfConfig]
  , cfgTcp :: TcpConfig
  , cfgHostname :: String       -- ^ told to the DHCP server; "": not told
  , cfgDns :: [Addr]            -- ^ name servers, before those that are found
  , cfgForwards :: [Forward]    -- ^ ports that belong to others
  , cfgSocketsMax :: Int        -- ^ of all kinds, half-open ones included
  , cfgWatch :: Bool            -- ^ tell of everybody who touches an address
  } deriving (Show)

data IfConfig = IfConfig
  { ifcMac :: Mac
  , ifcMtu :: Int               -- ^ bytes of an IP packet; at least 576
  , ifcLarge :: Int             -- ^ 0, or: frames have the header of
                                -- "HaLVM.Net.Offload", and those that are to
                                -- be cut may have so many bytes
  , ifcAddrs :: [(Addr, Int)]   -- ^ fixed addresses, with their prefix lengths
  , ifcPersonas :: [(Addr, Persona)] -- ^ for some of those; else 'ifcPersona'
  , ifcPersona :: Persona
  , ifcGateways :: [Addr]
  , ifcDhcp :: Bool
  , ifcIpv6 :: Bool             -- ^ link-local address, SLAAC
  } deriving (Show)

-- | One interface with DHCP and IPv6.
--
-- >>> ifcDhcp (interface (Mac 0x020000000001))
-- True
interface :: Mac -> IfConfig
interface mac = IfConfig
  { ifcMac = mac, ifcMtu = 1500, ifcLarge = 0, ifcAddrs = [], ifcPersonas = []
  , ifcPersona = linux, ifcGateways = [], ifcDhcp = True, ifcIpv6 = True }

defaultConfig :: [IfConfig] -> Config
defaultConfig ifs = Config
  { cfgInterfaces = ifs, cfgTcp = defaultTcpConfig, cfgHostname = ""
  , cfgDns = [], cfgForwards = [], cfgSocketsMax = 65536, cfgWatch = False }

data Origin = Manual | FromDhcp | FromRouter deriving (Eq, Show)

data IfAddr = IfAddr
  { iaAddr :: Addr
  , iaPrefix :: Int
  , iaIface :: Int
  , iaMac :: Mac
  , iaPersona :: Persona
  , iaOrigin :: Origin
  , iaTentative :: Time  -- ^ duplicates are looked for until then; 0: it is ours
  , iaPreferred :: Time  -- ^ not for new connections after that
  , iaValid :: Time
  } deriving (Show)

data Iface = Iface
  { ifIndex :: Int
  , ifConfig :: IfConfig
  , ifMtu :: Int
  , ifMacs :: [Mac]
  , ifAddrs :: [IfAddr]
  , ifNeighbours :: Neighbours
  , ifDhcp :: Maybe Dhcp
  , ifSolicits :: Int     -- ^ router solicitations still to be sent
  , ifSolicitAt :: Time
  , ifCollisions :: Int   -- ^ of addresses of ours
  }

-- | A connection: our port and theirs first, since they differ soonest.
data ConnKey = ConnKey Word16 Word16 Addr Addr deriving (Eq, Ord, Show)

-- | What is expected of a socket now.
data Ready = Ready
  { readyRead :: Bool
  , readyWrite :: Bool
  , readyError :: Bool
  } deriving (Eq, Show)

data Socket = Socket
  { skProto :: Proto
  , skIpv6 :: Bool          -- ^ made for IPv6; takes IPv4 as well unless:
  , skOnlyV6 :: Bool
  , skLocal :: Endpoint     -- ^ as bound; port 0: not bound
  , skBody :: Body
  , skReady :: Ready        -- ^ as told last
  , skUser :: Bool          -- ^ the user has its number
  , skKeepAlive :: Maybe (Int, Int, Int) -- ^ for a connection that is to come
  , skNoDelay :: Bool
  }

data Body
  = Fresh
  | Listening Listener
  | Stream Tcb
  | Datagram Datagrams

data Listener = Listener
  { lsBacklog :: Int
  , lsHalf :: IS.IntSet -- ^ SYN received
  , lsQueue :: Seq SockId -- ^ established, not accepted
  }

-- | How a datagram came: the interface (0: the loopback), hops that were left,
-- traffic class.
data Way = Way
  { wayInterface :: !Int
  , wayHops :: !Word8
  , wayClass :: !Word8
  } deriving (Eq, Show)

data Datagrams = Datagrams
  { dgRemote :: Maybe Endpoint
  , dgQueue :: Seq (Endpoint, Endpoint, Way, ByteString) -- ^ from, to, payload
  , dgBytes :: Int
  , dgLimit :: Int
  , dgError :: Maybe Error
  , dgBroadcast :: Bool
  , dgDropped :: Int
  }

-- | A number of answers that may still be given in this second.
data Budget = Budget Time Int

-- | What touched an address, for those who watch.
data TouchKind = TouchArp | TouchPing | TouchTcp | TouchUdp | TouchOther
  deriving (Eq, Show)

data Touch = Touch
  { touchAt :: Time
  , touchKind :: TouchKind
  , touchFrom :: Endpoint -- ^ port 0 where there is none
  , touchTo :: Endpoint
  , touchOpen :: Bool     -- ^ somebody listens there
  } deriving (Eq, Show)

-- | What the world is to do.
data Action
  = Transmit Int ByteString -- ^ a frame, through an interface
  | Woken SockId Ready      -- ^ the socket is ready for something new
  | Touched Touch
  | AddressesChanged
  deriving (Eq, Show)

type TimerKey = Int

-- | Timers that belong to no socket.
timerNeighbours, timerFragments, timerDhcp, timerNdp, timerNat, timerLoop
  :: TimerKey
timerNeighbours = -1
timerFragments = -2
timerDhcp = -3
timerNdp = -4
timerNat = -5
timerLoop = -6

data Stack = Stack
  { sConfig :: Config
  , sKey :: Key
  , sRandom :: Random
  , sIfaces :: I.IntMap Iface
  , sLocal :: M.Map Addr IfAddr    -- ^ of all interfaces, and loopback's
  , sRoutes :: Routes
  , sDns :: [(Addr, Time)]         -- ^ found ones, until when
  , sSockets :: I.IntMap Socket
  , sConns :: M.Map ConnKey SockId
  , sBound :: M.Map (Proto, Word16) [SockId] -- ^ listeners and datagrams
  , sNextSock :: SockId
  , sTimers :: Q.IntPSQ Time ()
  , sFragments :: Reassembly
  , sTimeWaits :: Seq SockId       -- ^ the oldest first; may have left already
  , sPathMtu :: M.Map Addr (Int, Time)
  , sIpId :: Word16
  , sIsnStep :: Word32
  , sPortStep :: Word32
  , sNat :: Nat
  , sErrors :: Budget              -- ^ ICMP errors and resets
  , sDirty :: IS.IntSet            -- ^ connections whose output is due
  , sLoop :: Seq (Int, Word16, ByteString) -- ^ packets to ourselves
  , sActions :: [Action]           -- ^ the latest first
  }

emptyStack :: Key -> Config -> Stack
emptyStack key config = Stack
  { sConfig = config
  , sKey = key
  , sRandom = newRandom (derive 1)
  , sIfaces = I.empty
  , sLocal = M.empty
  , sRoutes = noRoutes
  , sDns = []
  , sSockets = I.empty
  , sConns = M.empty
  , sBound = M.empty
  , sNextSock = 1
  , sTimers = Q.empty
  , sFragments = emptyReassembly
  , sTimeWaits = S.empty
  , sPathMtu = M.empty
  , sIpId = fromIntegral (sipHash key [2])
  , sIsnStep = fromIntegral (sipHash key [3])
  , sPortStep = 0
  , sNat = newNat (cfgForwards config)
  , sErrors = Budget 0 0
  , sDirty = IS.empty
  , sLoop = S.empty
  , sActions = []
  }
  where derive n = Key (sipHash key [n, 0]) (sipHash key [n, 1])

act :: Action -> Stack -> Stack
act a s = s { sActions = a : sActions s }
{-# INLINE act #-}

-- | The timer of this key is looked at then; a time before stays.
setTimer :: TimerKey -> Time -> Stack -> Stack
setTimer key at s
  | at == never = s
  | otherwise = case Q.lookup key (sTimers s) of
      Just (old, _) | old <= at -> s
      _ -> s { sTimers = Q.insert key at () (sTimers s) }

dropTimer :: TimerKey -> Stack -> Stack
dropTimer key s = s { sTimers = Q.delete key (sTimers s) }

random32 :: Stack -> (Word32, Stack)
random32 s = case nextWord32 (sRandom s) of (w, r) -> (w, s { sRandom = r })

randomBelow :: Int -> Stack -> (Int, Stack)
randomBelow n s = case nextBelow n (sRandom s) of (w, r) -> (w, s { sRandom = r })

localAddr :: Addr -> Stack -> Maybe IfAddr
localAddr a s = M.lookup a (sLocal s)
{-# INLINE localAddr #-}

ifaceAt :: Int -> Stack -> Maybe Iface
ifaceAt i s = I.lookup i (sIfaces s)

modifyIface :: Int -> (Iface -> Iface) -> Stack -> Stack
modifyIface i f s = s { sIfaces = I.adjust f i (sIfaces s) }

modifySocket :: SockId -> (Socket -> Socket) -> Stack -> Stack
modifySocket i f s = s { sSockets = I.adjust f i (sSockets s) }

-- | After addresses of interfaces have changed.
rebuildLocal :: Stack -> Stack
rebuildLocal s = act AddressesChanged s
  { sLocal = M.fromList ([(iaAddr a, a) | a <- loop] ++
      [(iaAddr a, a) | i <- I.elems (sIfaces s), a <- ifAddrs i])
  , sIfaces = I.map macs (sIfaces s) }
  where
    macs i = i { ifMacs = ifcMac (ifConfig i) : map iaMac (ifAddrs i) }
    loop = [ IfAddr a n 0 (Mac 0) linux Manual 0 never never
           | (a, n) <- [(V4 0x7f000001, 8), (V6 0 1, 128)] ]

touch :: Time -> TouchKind -> Endpoint -> Endpoint -> Bool -> Stack -> Stack
touch now kind from to open s
  | cfgWatch (sConfig s) = act (Touched (Touch now kind from to open)) s
  | otherwise = s
{-# INLINE touch #-}

-- | Takes one from the answers to strangers' mistakes: 200 a second.
spend :: Time -> Stack -> Maybe Stack
spend now s = case sErrors s of
  Budget since n
    | now - since >= seconds 1 || since == 0 ->
        Just s { sErrors = Budget (max 1 now) 199 }
    | n > 0 -> Just s { sErrors = Budget since (n - 1) }
    | otherwise -> Nothing

-- | The persona of an address of ours.
indexSource :: Addr -> Stack -> Persona
indexSource a s = maybe linux iaPersona (localAddr a s)
{-# INLINE indexSource #-}
