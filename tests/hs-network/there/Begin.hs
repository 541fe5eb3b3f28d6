-- SPDX-License-Identifier: BSD-3-Clause
-- What is there: the kernel's sockets, or lwIP's.
module Begin (begin) where

begin :: IO ()
begin = pure ()
