-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Stack.Addresses
--
-- How an interface comes by its addresses: fixed ones, DHCP, SLAAC with
-- duplicate address detection; and what neighbour discovery says.
module HaLVM.Net.Stack.Addresses
  ( startInterfaces, addAddress, dropAddress, addressTaken
  , dhcpDo, dhcpTicks, ndpArrives, ndpTicks, dnsServers
  ) where

import qualified Data.IntMap.Strict as I
import Data.List (foldl')
import qualified Data.Map.Strict as M
import Data.Word

import HaLVM.Net.Arp
import HaLVM.Net.Dhcp
import HaLVM.Net.Ethernet
import HaLVM.Net.Ipv4
import HaLVM.Net.Ndp
import HaLVM.Net.Neighbour (noNeighbours)
import HaLVM.Net.Persona
import HaLVM.Net.Route
import HaLVM.Net.SipHash
import HaLVM.Net.Stack.Connections (narrow)
import HaLVM.Net.Stack.Link
import HaLVM.Net.Stack.State
import HaLVM.Net.Types
import HaLVM.Net.Udp

-- | Makes the interfaces of the configuration; their numbers begin at 1.
startInterfaces :: Time -> Stack -> Stack
startInterfaces now s0 =
  ndpTicks now (dhcpTicks now (foldl' one (rebuildLocal s0)
    (zip [1 ..] (cfgInterfaces (sConfig s0)))))
  where
    one s (index, c) =
      let (xid, s1) = random32 s
          iface = Iface
            { ifIndex = index
            , ifConfig = c
            , ifMtu = max 576 (ifcMtu c)
            , ifMacs = [ifcMac c]
            , ifAddrs = []
            , ifNeighbours = noNeighbours
            , ifDhcp = if ifcDhcp c
                then Just (dhcpStart now (ifcMac c) (cfgHostname (sConfig s)) xid)
                else Nothing
            , ifSolicits = if ifcIpv6 c then 3 else 0
            , ifSolicitAt = if ifcIpv6 c then now + seconds 1 else never
            , ifCollisions = 0
            }
          s2 = s1 { sIfaces = I.insert index iface (sIfaces s1) }
          s3 = foldl' (\x (a, n) -> addAddress now index Manual a n never never x)
                 s2 (ifcAddrs c)
          s4 = foldl' (gateway index) s3 (ifcGateways c)
      in if ifcIpv6 c
           then addAddress now index Manual (linkLocal s4 iface) 64 never never s4
           else s4
    gateway index s g = s { sRoutes = addRoute
      (Route (Prefix (if isV4 g then anyV4 else anyV6) 0) (Just g) index never)
      (sRoutes s) }

linkLocal :: Stack -> Iface -> Addr
linkLocal s i = withIdentifier prefix
    (stableIdentifier (sKey s) prefix (ifcMac (ifConfig i)) (ifCollisions i))
  where prefix = V6 0xfe80000000000000 0

-- | Gives an interface an address, with the route to its network. IPv6's are
-- looked for on the link first (RFC 4862, 5.4); IPv4's are announced.
addAddress :: Time -> Int -> Origin -> Addr -> Int -> Time -> Time -> Stack -> Stack
addAddress now index origin addr size preferred valid s = case ifaceAt index s of
  Nothing -> s
  Just i
    | any ((== addr) . iaAddr) (ifAddrs i) -> rebuildLocal (modifyIface index
        (\x -> x { ifAddrs = map renew (ifAddrs x) }) s)
    | M.member addr (sLocal s) || length (ifAddrs i) >= addressesMax -> s
    | otherwise ->
        let c = ifConfig i
            persona = maybe (ifcPersona c) id (lookup addr (ifcPersonas c))
            a = IfAddr
              { iaAddr = addr, iaPrefix = size, iaIface = index
              , iaMac = case (lookup addr (ifcPersonas c), personaVendor persona) of
                  (Just _, Just v) -> vendorMac v (hashOf addr)
                  _ -> ifcMac c
              , iaPersona = persona, iaOrigin = origin
              , iaTentative = if isV4 addr then 0 else now + seconds 1
              , iaPreferred = preferred, iaValid = valid }
            s1 = rebuildLocal (modifyIface index
                   (\x -> x { ifAddrs = ifAddrs x ++ [a] }) s)
            s2 = s1 { sRoutes = addRoute (Route (Prefix addr size) Nothing index never)
                                  (sRoutes s1) }
        in announce a s2
  where
    hashOf a = sipHash (sKey s) (9 : case a of
      V4 w -> [fromIntegral w]
      V6 x y -> [x, y])
    renew a | iaAddr a == addr = a { iaPreferred = preferred, iaValid = valid }
            | otherwise = a
    announce a x
      | isV4 addr = sendFrame index broadcastMac (iaMac a) typeArp
          (putArp (Arp ArpRequest (iaMac a) addr (Mac 0) addr)) x
      | otherwise = setTimer timerNdp (now + seconds 1)
          (sendIcmp6 now index anyV6 (iaMac a) (solicitedNode addr) Nothing
             (putNdp (Solicit addr Nothing)) x)

addressesMax :: Int
addressesMax = 64

dropAddress :: Int -> Addr -> Stack -> Stack
dropAddress index addr s = rebuildLocal (modifyIface index without s)
    { sRoutes = dropRoutes ours (sRoutes s) }
  where
    without x = x { ifAddrs = filter ((/= addr) . iaAddr) (ifAddrs x) }
    ours r = routeInterface r == index && routeVia r == Nothing
      && not (any (inPrefix (routePrefix r)) others)
      && inPrefix (routePrefix r) addr
    others = maybe [] (filter (/= addr) . map iaAddr . ifAddrs) (ifaceAt index s)

-- | Another machine has an address of ours: one of DHCP's is declined, one
-- that is not ours yet is given up, the others are defended (RFC 5227, 2.4).
addressTaken :: Time -> Int -> IfAddr -> Stack -> Stack
addressTaken now index a s
  | iaOrigin a == FromDhcp = case ifaceAt index s >>= ifDhcp of
      Just d -> let (d', outs) = dhcpDecline now d
                in dhcpDo now index outs
                     (modifyIface index (\i -> i { ifDhcp = Just d' }) s)
      Nothing -> s
  | iaTentative a /= 0 = case ifaceAt index s of
      Just i | isLinkLocal (iaAddr a), ifCollisions i < 3 ->
        let s1 = modifyIface index (\x -> x { ifCollisions = ifCollisions x + 1 })
                   (dropAddress index (iaAddr a) s)
        in case ifaceAt index s1 of
             Just i' -> addAddress now index Manual (linkLocal s1 i') 64 never never s1
             Nothing -> s1
      _ -> dropAddress index (iaAddr a) s
  | isV4 (iaAddr a), Just s' <- spend now s =
      sendFrame index broadcastMac (iaMac a) typeArp
        (putArp (Arp ArpRequest (iaMac a) (iaAddr a) (Mac 0) (iaAddr a))) s'
  | otherwise = s

-- -- DHCP

-- | Lets every client do what is due.
dhcpTicks :: Time -> Stack -> Stack
dhcpTicks now s0 = foldl' one s0 (I.elems (sIfaces s0))
  where
    one s i = case ifDhcp i of
      Nothing -> s
      Just d ->
        let (d', outs) = dhcpTick now d
        in dhcpDo now (ifIndex i) outs
             (modifyIface (ifIndex i) (\x -> x { ifDhcp = Just d' }) s)

-- | Does what a client says, and sets its timer.
dhcpDo :: Time -> Int -> [DhcpOut] -> Stack -> Stack
dhcpDo now index outs s0 = case ifaceAt index s1 >>= ifDhcp of
    Just d -> setTimer timerDhcp (dhcpNext d) s1
    Nothing -> s1
  where
    s1 = foldl' one s0 outs
    one s out = case out of
      DhcpBroadcast bytes -> raw anyV4 (V4 0xffffffff) bytes s
      DhcpUnicast server bytes -> case leased s of
        a : _ -> sendPacket now Packet
          { pkSource = a, pkTarget = server, pkProto = 17, pkWhole = False
          , pkHops = 0, pkLeft = Nothing, pkBody = putUdp a server 68 67 bytes } s
        [] -> s
      DhcpTake l -> takeLease l (foldl' (flip (dropAddress index))
        s (filter (/= leaseAddr l) (leased s)))
      DhcpGiveBack -> foldl' (flip (dropAddress index)) (noGateways s) (leased s)
    raw from to bytes s = case ifaceAt index s of
      Nothing -> s
      Just i -> sendFrame index broadcastMac (ifcMac (ifConfig i)) typeIpv4
        (putIpv4 (Ipv4 0 0 0 0 64 17 from to mempty) (putUdp from to 68 67 bytes)) s
    leased s = case ifaceAt index s of
      Just i -> [iaAddr a | a <- ifAddrs i, iaOrigin a == FromDhcp]
      Nothing -> []
    noGateways s = s { sRoutes = dropRoutes
      (\r -> routeInterface r == index && isDefault r && isV4 (prefixAddr r)
             && routeVia r `notElem` map Just (configured s)) (sRoutes s) }
    configured s = maybe [] (ifcGateways . ifConfig) (ifaceAt index s)
    prefixAddr r = case routePrefix r of Prefix a _ -> a
    takeLease l s =
      let s2 = addAddress now index FromDhcp (leaseAddr l) (leasePrefix l)
                 (leaseEnd l) (leaseEnd l) (noGateways s)
          s3 = case leaseRouters l of
            g : _ -> s2 { sRoutes = addRoute (Route (Prefix anyV4 0) (Just g) index never)
                                      (sRoutes s2) }
            [] -> s2
          s4 = s3 { sDns = take 8 ([(a, leaseEnd l) | a <- leaseDns l]
                     ++ [d | d@(a, _) <- sDns s3, a `notElem` leaseDns l]) }
      in case leaseMtu l of
           Just m -> linkMtu now index (\i -> min (ifcMtu (ifConfig i)) m) s4
           Nothing -> s4

-- What a link takes, as a server or a router says.
linkMtu :: Time -> Int -> (Iface -> Int) -> Stack -> Stack
linkMtu now index of' s = case ifaceAt index s of
  Just i | of' i < ifMtu i -> narrow now (const True) changed
  _ -> changed
  where changed = modifyIface index (\i -> i { ifMtu = of' i }) s

-- | Name servers that are known now.
dnsServers :: Time -> Stack -> [Addr]
dnsServers now s = cfgDns (sConfig s) ++ [a | (a, til) <- sDns s, til > now]

-- -- Neighbour discovery

-- | A message whose hop limit was 255.
ndpArrives :: Time -> Int -> Ether -> Addr -> Addr -> Ndp -> Stack -> Stack
ndpArrives now index e source target ndp s = case ndp of
  Solicit addr link
    | Just a <- ours addr ->
        if iaTentative a /= 0
          -- Two of us look for the same address at the same time.
          then if isAny source && etherSource e /= iaMac a
                 then addressTaken now index a s else s
          else
            let s1 = case link of
                  Just mac | not (isAny source) ->
                    learnNeighbour now index True source mac s
                  _ -> s
                (to, known)
                  | isAny source = (linkLocalAll, Nothing)
                  | otherwise = (source, Just (maybe (etherSource e) id link))
            in sendIcmp6 now index addr (iaMac a) to known
                 (putNdp (Advertise False (not (isAny source)) True addr
                            (Just (iaMac a)))) s1
  Advertise _ _ _ addr link
    | Just a <- ours addr -> if etherSource e == iaMac a then s
                             else addressTaken now index a s
    | Just mac <- link -> learnNeighbour now index False addr mac s
    | not (isMulticast target) ->
        learnNeighbour now index False addr (etherSource e) s
  RouterAdvert a
    | isLinkLocal source, Just i <- ifaceAt index s, ifcIpv6 (ifConfig i) ->
        routerSays now index source a s
  _ -> s
  where
    ours addr = case localAddr addr s of
      Just a | iaIface a == index -> Just a
      _ -> Nothing

routerSays :: Time -> Int -> Addr -> Advert -> Stack -> Stack
routerSays now index router a s0 = foldl' prefix s4 (take 8 (advPrefixes a))
  where
    s1 = linkMtu now index
      (\i -> case advMtu a of
          Just m | m >= 1280, m <= ifcMtu (ifConfig i) -> m
          _ -> ifMtu i)
      (modifyIface index (\i -> i { ifSolicits = 0, ifSolicitAt = never }) s0)
    s2 = case advMac a of
      Just mac -> learnNeighbour now index True router mac s1
      Nothing -> s1
    s3 | advLifetime a == 0 = s2 { sRoutes = dropRoutes default' (sRoutes s2) }
       | otherwise = s2 { sRoutes = addRoute
           (Route (Prefix anyV6 0) (Just router) index
              (now + seconds (advLifetime a))) (sRoutes s2) }
    s4 = s3 { sDns = take 8 ([(d, now + seconds t) | (d, t) <- advDns a, t > 0]
                ++ [d | d@(x, _) <- sDns s3, x `notElem` map fst (advDns a)]) }
    default' r = isDefault r && routeVia r == Just router
    prefix s p
      | isLinkLocal (preAddr p) || isMulticast (preAddr p) = s
      | prePreferred p > preValid p = s
      | otherwise = auto p (onLink p s)
    onLink p s
      | preOnLink p, preValid p > 0 = s { sRoutes = addRoute
          (Route (Prefix (preAddr p) (preLength p)) Nothing index
             (til (preValid p))) (sRoutes s) }
      | otherwise = s
    auto p s
      | preAuto p, preLength p == 64, Just i <- ifaceAt index s =
          let addr = withIdentifier (preAddr p) (stableIdentifier (sKey s)
                       (masked (preAddr p)) (ifcMac (ifConfig i)) (ifCollisions i))
              old = [x | x <- ifAddrs i, iaAddr x == addr]
              valid = case old of
                -- Nobody shortens a life to less than two hours (4862, 5.5.3).
                x : _ | seconds (preValid p) < seconds 7200
                      , iaValid x - now > seconds (preValid p) ->
                          min (iaValid x) (now + seconds 7200)
                _ -> til (preValid p)
          in if preValid p == 0 && null old then s
             else setTimer timerNdp valid
               (addAddress now index FromRouter addr 64 (til (prePreferred p)) valid s)
      | otherwise = s
    til n | n >= 0xffffffff = never
          | otherwise = now + seconds n
    masked (V6 x _) = V6 x (0 :: Word64)
    masked x = x

-- | Router solicitations, the end of tentative times and of lives.
ndpTicks :: Time -> Stack -> Stack
ndpTicks now s0 = setTimer timerNdp next s3
  where
    s1 = foldl' one s0 (I.keys (sIfaces s0))
    s2 | any ((<= now) . routeUntil) (routeList (sRoutes s1)) =
           s1 { sRoutes = dropRoutes ((<= now) . routeUntil) (sRoutes s1) }
       | otherwise = s1
    s3 = s2
    one s index = case ifaceAt index s of
      Nothing -> s
      Just i ->
        let gone = [iaAddr a | a <- ifAddrs i, iaValid a <= now]
            sA | any (\a -> iaTentative a /= 0 && iaTentative a <= now) (ifAddrs i) =
                   rebuildLocal (modifyIface index (\x -> x { ifAddrs =
                     [ if iaTentative a <= now then a { iaTentative = 0 } else a
                     | a <- ifAddrs x ] }) s)
               | otherwise = s
            sB = foldl' (flip (dropAddress index)) sA gone
        in if ifSolicits i > 0 && ifSolicitAt i <= now then solicit index sB else sB
    solicit index s = case ifaceAt index s of
      Just i | a : _ <- [x | x <- ifAddrs i, isLinkLocal (iaAddr x), iaTentative x == 0] ->
        sendIcmp6 now index (iaAddr a) (iaMac a) linkLocalRouters Nothing
          (putNdp (RouterSolicit (Just (iaMac a)))) (later index s)
      _ -> later index s
    later index = modifyIface index (\x -> x
      { ifSolicits = ifSolicits x - 1, ifSolicitAt = now + seconds 4 })
    next = minimum (never
      : [ t | i <- I.elems (sIfaces s3)
            , t <- [ifSolicitAt i | ifSolicits i > 0]
                ++ [iaTentative a | a <- ifAddrs i, iaTentative a /= 0]
                ++ map iaValid (ifAddrs i) ]
      ++ map routeUntil (routeList (sRoutes s3)))
