-- SPDX-License-Identifier: BSD-3-Clause
{-# LANGUAGE StrictData #-}
-- |
-- Module: HaLVM.Net.Route
--
-- Where a packet goes next: the longest prefix wins.
--
-- >>> let Just (V4 a) = parseAddr "10.0.0.7"
-- >>> let t = addRoute (Route (Prefix (V4 a) 24) Nothing 1 never) noRoutes
-- >>> routeInterface <$> lookupRoute (V4 a) t
-- Just 1
module HaLVM.Net.Route
  ( Route (..), Routes, noRoutes, addRoute, dropRoutes, lookupRoute, routesMax
  , routeList, isDefault
  ) where

import Data.List (find, insertBy)

import HaLVM.Net.Types

data Route = Route
  { routePrefix :: Prefix
  , routeVia :: Maybe Addr -- ^ a router; Nothing: the target itself
  , routeInterface :: Int
  , routeUntil :: Time     -- ^ or 'never'
  } deriving (Eq, Show)

-- | At most 'routesMax', the longest prefix first.
newtype Routes = Routes [Route] deriving (Show)

routesMax :: Int
routesMax = 64

noRoutes :: Routes
noRoutes = Routes []

routeList :: Routes -> [Route]
routeList (Routes rs) = rs

isDefault :: Route -> Bool
isDefault r = case routePrefix r of Prefix _ n -> n == 0

-- | One more. The same prefix through the same router is replaced. A table
-- that is full stays as it is.
addRoute :: Route -> Routes -> Routes
addRoute r (Routes rs)
  | length others >= routesMax = Routes rs
  | otherwise = Routes (insertBy longest r others)
  where
    others = filter (not . same) rs
    same o = samePrefix (routePrefix o) (routePrefix r)
      && routeVia o == routeVia r && routeInterface o == routeInterface r
    samePrefix p@(Prefix _ n) (Prefix b m) = n == m && inPrefix p b
    longest a b = compare (size b) (size a)
    size x = case routePrefix x of Prefix _ n -> n

dropRoutes :: (Route -> Bool) -> Routes -> Routes
dropRoutes p (Routes rs) = Routes (filter (not . p) rs)

lookupRoute :: Addr -> Routes -> Maybe Route
lookupRoute a (Routes rs) = find (\r -> inPrefix (routePrefix r) a) rs
