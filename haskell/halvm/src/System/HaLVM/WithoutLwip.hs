-- SPDX-License-Identifier: BSD-3-Clause
-- | A module, and so an object, of its own: what is linked with it has no lwIP
-- (cbits/no_lwip.c), so nothing that others need may be here.
module System.HaLVM.WithoutLwip (withoutLwip) where

foreign import ccall unsafe "hs_halvm_without_lwip"
  c_without_lwip :: IO ()

-- | Leaves lwIP out of the image: a program that has a use of this in it is
-- linked without it, and has no sockets of IP (@EAFNOSUPPORT@) while no provider
-- is installed. For a provider of @inet@ and @inet6@ that is the program's only
-- network, beside its @installProvider@. Where there is no lwIP, nothing.
withoutLwip :: IO ()
withoutLwip = c_without_lwip
