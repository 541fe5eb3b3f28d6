-- SPDX-License-Identifier: BSD-3-Clause
-- The examples of the package network, under the names that hspec-discover
-- would give them, over the sockets that Begin has made (see run).
module Main (main) where

import Test.Hspec

import qualified Begin
import qualified Network.Socket.ByteString.LazySpec
import qualified Network.Socket.ByteStringSpec
import qualified Network.SocketSpec

main :: IO ()
main = do
  Begin.begin
  hspec $ do
    describe "Network.Socket" Network.SocketSpec.spec
    describe "Network.Socket.ByteString" Network.Socket.ByteStringSpec.spec
    describe "Network.Socket.ByteString.Lazy" Network.Socket.ByteString.LazySpec.spec
