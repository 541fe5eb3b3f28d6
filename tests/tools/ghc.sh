# SPDX-License-Identifier: BSD-3-Clause
# halvm-ghc: the stock GHC over our library directory; cabal with Template
# Haskell, hsc2hs and C sources.
. "$HERE/lib.sh"
command -v ghc >/dev/null || {
    skip "all" "no ghc"
    exit 0
}
cat >Main.hs <<'END'
import Control.Concurrent
import System.Exit
main :: IO ()
main = do
    v <- newEmptyMVar
    _ <- forkIO (putMVar v (product [1 .. 25 :: Integer]))
    takeMVar v >>= print
    exitWith (ExitFailure 7)
END
run "$GHC" --numeric-version
check "--numeric-version" "$out" = "$(ghc --numeric-version)"
for way in "" -threaded -debug; do
    rm -f ./*.o ./*.hi
    # shellcheck disable=SC2086
    run "$GHC" -v0 -O $way Main.hs -o main
    check "links $way" $status -eq 0
    run ./main
    check "runs $way" "$status $out" = "7 15511210043330985984000000"
done
has "static, at 1 MiB" "$(readelf -lW main)" 'LOAD  *0x000000 0x0*100000'
rm -f ./*.o ./*.hi
run "$GHC" -v0 -c Main.hs
check "-c" -f Main.o
rm -f ./*.o ./*.hi
run "$GHC" -v0 -dynamic Main.hs -o refused
has "-dynamic is refused" "$err" '^  fix: remove -dynamic'
check "with a status" $status -ne 0
run "$GHC" -e '6 * 7'
check "-e" "$out" = 42
has "--info names halvm-cc" "$("$GHC" --info)" \
    '"C compiler command",".*/halvm-cc"'

# The package halvm leaves lwIP where it is, unless it is told not to.
for first in provide withoutLwip; do
    rm -f ./*.o ./*.hi
    cat >Sockets.hs <<END
{-# LANGUAGE TypeFamilies #-}
import qualified Network.Socket as S
import System.HaLVM.Network
data None = None
instance Provider None where
  type Socket None = ()
provide, main :: IO ()
provide = installProvider None [77] [] >>= uninstallProvider
main = $first >> S.socket S.AF_INET S.Stream 0 >>= print
END
    run "$GHC" -v0 -w Sockets.hs -o sockets
    check "a program with $first links" $status -eq 0
    "$TOP/tests/net/lwip" "$PWD/sockets" >names
    case $first in
    provide) check "a provider leaves lwIP in" -s names ;;
    withoutLwip) check "withoutLwip leaves lwIP out" ! -s names ;;
    esac
done

run env HOME="$PWD" XDG_CACHE_HOME="$PWD/cache" HALVM_GHC=/usr/bin/ghc \
    "$GHC" --print-libdir
check "HALVM_GHC" $status -eq 0
run env HOME="$PWD" XDG_CACHE_HOME="$PWD/cache" HALVM_GHC=/nowhere/ghc \
    "$GHC" --version
three "HALVM_GHC that is not there" 1

command -v cabal >/dev/null || {
    skip "cabal" "no cabal"
    exit $failed
}
mkdir -p p/src p/app p/cbits home/.cabal
: >home/.cabal/config
cat >p/p.cabal <<'END'
cabal-version: 2.4
name: p
version: 0.1
library
  exposed-modules: P, T
  hs-source-dirs: src
  build-depends: base, template-haskell
  c-sources: cbits/x.c
  default-language: Haskell2010
executable pexe
  main-is: Main.hs
  hs-source-dirs: app
  build-depends: base, p
  ghc-options: -threaded
  default-language: Haskell2010
test-suite ptest
  type: exitcode-stdio-1.0
  main-is: Main.hs
  hs-source-dirs: app
  build-depends: base, p
  default-language: Haskell2010
END
cat >p/src/T.hs <<'END'
{-# LANGUAGE TemplateHaskell #-}
module T where
import Language.Haskell.TH
power :: Int -> Q Exp
power 0 = [| const 1 |]
power n = [| \x -> x * $(power (n - 1)) x |]
END
cat >p/src/P.hsc <<'END'
{-# LANGUAGE TemplateHaskell #-}
module P where
import T
import Foreign.C
#include <features.h>
#include <stdio.h>
foreign import ccall "xadd" xadd :: CInt -> CInt -> CInt
headers :: String
#ifdef __GLIBC__
headers = "glibc"
#else
headers = "musl"
#endif
cube :: Int -> Int
cube = $(power 3)
bufsiz :: Int
bufsiz = #{const BUFSIZ}
END
echo 'int xadd(int a, int b) { return a + b; }' >p/cbits/x.c
printf 'import P\nmain :: IO ()\nmain = print (cube 3, xadd 2 3, headers)\n' \
    >p/app/Main.hs
HOME=$PWD/home
export HOME
cd p || exit 1
cabal() {
    command cabal "$@" -w "$GHC" --offline
}
run cabal v2-build all --enable-tests
check "cabal build, Template Haskell" $status -eq 0
run "$(find dist-newstyle -name pexe -type f | head -n 1)"
check "its program" "$out" = '(27,5,"musl")'
run cabal v2-test
check "cabal test" $status -eq 0
echo 'print (cube 4, xadd 1 2)' | cabal v2-repl p >repl.txt 2>&1
has "cabal repl" "$(cat repl.txt)" '(64,3)'
exit $failed
