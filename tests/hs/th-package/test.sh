#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Builds a cabal package with Template Haskell, a C file and a test-suite with
# halvm-ghc, without any network or package index, then runs its program on
# the base ON. Started by tests/run in the top folder; prints its reason last.
set -eu

here=$(dirname "$0")
top=$(pwd)
work=$top/build/tests/th-package
command -v cabal >/dev/null || {
    echo "skip: cabal is not installed"
    exit 77
}
mkdir -p "$work"
# What cabal would otherwise take from and write to the home folder.
export CABAL_DIR="$work/cabal"
mkdir -p "$CABAL_DIR"
[ -f "$CABAL_DIR/config" ] || printf 'jobs: 1\n' >"$CABAL_DIR/config"
cp -r "$here"/src "$here"/app "$here"/test "$here"/cbits "$here"/*.cabal "$work"
printf 'packages: .\n' >"$work/cabal.project"

case $GHC in
/* | */*) ghc=$(cd "$(dirname "$GHC")" && pwd)/$(basename "$GHC") ;;
*) ghc=$GHC ;;
esac
cd "$work"
cabal --offline v2-build -v1 -w "$ghc" --enable-tests all
cabal --offline v2-test -v1 -w "$ghc" all
program=$(cabal --offline v2-exec -v0 -w "$ghc" -- \
    sh -c 'command -v th-program')
[ -x "$program" ] || {
    echo "$program: not built"
    exit 1
}
cd "$top"
case $ON in
linux) "$program" >"$work/output" ;;
*) "$HALVM" run --on qemu -m 64M --timeout 120 "$program" </dev/null \
    >"$work/output" ;;
esac
printf '(25,97)\n(%sc%s,125)\n' "'" "'" >"$work/expected"
head -n 2 "$work/output" | diff "$work/expected" -
