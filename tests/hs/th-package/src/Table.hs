-- SPDX-License-Identifier: BSD-3-Clause
-- What the library offers; uses the splices itself, and a function in C.
{-# LANGUAGE ForeignFunctionInterface #-}
{-# LANGUAGE TemplateHaskell #-}
module Table (primes, third, cube, mix) where

import Data.Word (Word32)

import Generate

primes :: [Int]
primes = $(primesBelow 100)

third :: (a, b, c, d) -> c
third = $(selector 4 2)

cube :: Int -> Int
cube = $(power 3)

foreign import ccall unsafe "th_package_mix" mix :: Word32 -> Word32
