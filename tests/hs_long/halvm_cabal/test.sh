#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The package halvm from its source by cabal, with a plain GHC, where what needs
# HaLVM's libraries says so, and with halvm-ghc. Offline. Started by tests/run in
# the top folder; prints its reason last.
set -eu
top=$(pwd)
work=$top/build/tests/halvm_cabal
command -v cabal >/dev/null || {
    echo "skip: cabal is not installed"
    exit 77
}
case $ON in
linux) ;;
*)
    echo "skip: what cabal builds is the same everywhere"
    exit 77
    ;;
esac
rm -rf "$work"
mkdir -p "$work/app" "$work/cabal"
export CABAL_DIR="$work/cabal"
printf 'jobs: 1\n' >"$CABAL_DIR/config"
source=$(build/bin/halvm-config --haskell)/halvm
cp -r "$source" "$work/halvm"
cp tests/hs_long/halvm_cabal/Main.hs "$work/app"
cat >"$work/app/app.cabal" <<END
cabal-version: 2.4
name: app
version: 1
executable app
  main-is: Main.hs
  build-depends: base, halvm
  default-language: Haskell2010
END
printf 'packages: halvm app\n' >"$work/cabal.project"
ghc=$(cd "$(dirname "$GHC")" && pwd)/$(basename "$GHC")
cd "$work"

cabal --offline v2-build -v1 --builddir=host all
cabal --offline v2-run -v0 --builddir=host app >host.out
grep -q 'not linked with HaLVM' host.out || {
    echo "the plain build does not say what it lacks"
    exit 1
}
cabal --offline v2-build -v1 -w "$ghc" --builddir=halvm.out all
cabal --offline v2-run -v0 -w "$ghc" --builddir=halvm.out app >out
printf 'False\nserved\n' | diff - out
