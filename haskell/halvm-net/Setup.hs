-- SPDX-License-Identifier: BSD-3-Clause
import Distribution.Simple

main :: IO ()
main = defaultMain
