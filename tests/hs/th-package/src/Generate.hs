-- SPDX-License-Identifier: BSD-3-Clause
-- What runs while the package is compiled.
{-# LANGUAGE TemplateHaskell #-}
module Generate (primesBelow, selector, power) where

import Control.Monad (replicateM)
import Language.Haskell.TH

-- | A list literal of the primes below n.
primesBelow :: Int -> Q Exp
primesBelow n = listE [litE (integerL (toInteger p)) | p <- sieve [2 .. n - 1]]
  where
    sieve (p : xs) = p : sieve [x | x <- xs, x `mod` p /= 0]
    sieve [] = []

-- | The i-th selector of an n-tuple.
selector :: Int -> Int -> Q Exp
selector n i = do
  names <- replicateM n (newName "x")
  lamE [tupP (map varP names)] (varE (names !! i))

-- | \\x -> x * x * ... n times.
power :: Int -> Q Exp
power 0 = [| const 1 |]
power n = [| \x -> x * $(power (n - 1)) x |]
