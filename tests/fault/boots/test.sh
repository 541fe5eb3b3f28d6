#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Whole programs in which the nth taking of memory fails, counted from the boot
# on: a machine for each n. A run ends with 0, or with another status and a
# line that says what was missing; never with an assertion, a fault, a hang.
#
# skip: linux fails no memory on demand
# skip: xen is the same above base.h, and a boot takes longer there
#
# A sample of n, unless FULL is set (make check-fault-full).
set -u
cd "$(dirname "$0")/../../.." || exit 2
CC=${CC:-build/bin/halvm-cc}
GHC=${GHC:-build/bin/halvm-ghc}
HALVM=${HALVM:-build/bin/halvm}
out=build/tests/fault
mkdir -p $out

[ $out/hello -nt build/lib/halvm/lib/libhalvm.a ] ||
    $CC -O2 -o $out/hello examples/hello.c || exit 1
if ! [ $out/server -nt build/lib/halvm/lib/libhalvm.a ]; then
    rm -f $out/server
    $GHC -v0 -O -threaded -outputdir $out/server.obj -o $out/server \
        tests/fault/boots/Server.hs || exit 1
fi

# How core, libc, GHC's runtime and the program's own handlers say it.
words='not enough memory|[Oo]ut of memory|[Rr]esource exhausted'
words="$words|malloc: failed on request|failed to create OS thread"
words="$words|Failed to spawn thread|Pattern match failure.*GHC/Event"
words="$words|no answer in time|Unable to commit|heap exhausted|cannot allocate"

# judge LOG STATUS: prints why a run is wrong, or nothing.
judge()
{
    case $2 in
    0) return ;;
    124 | 137) echo "hangs" && return ;;
    139)
        # GHC's runtime calls malloc before it has set what it calls when that
        # fails (setFullProgArgv in hs_init_ghc): no failure of ours.
        grep -q 'stg[MC]allocBytes' "$1" || echo "faults"
        return
        ;;
    esac
    if grep -q 'assertion failed' "$1"; then
        echo "an assertion"
    elif ! grep -qE "$words" "$1"; then
        echo "says nothing"
    fi
}

failed=0 runs=0 whole=0
# run PROGRAM MEMORY KIND:N
run()
{
    log=$out/$1-$(echo "$3" | tr : -).log
    "$HALVM" run -q --on qemu -m "$2" --net none --timeout 40 \
        --option "fault=$3" $out/"$1" >"$log" 2>&1 </dev/null
    status=$?
    why=$(judge "$log" $status)
    runs=$((runs + 1))
    [ $status -ne 0 ] || whole=$((whole + 1))
    if [ -n "$why" ]; then
        echo "$1 with $3: $why, status $status: $log"
        failed=1
    else
        rm -f "$log"
    fi
}

if [ -n "${FULL:-}" ]; then
    hello=$(seq 1 40) server=$(seq 1 260)
else
    hello='1 2 4' server='1 2 4 7 12 21 33 56'
fi
for kind in map page object; do
    for n in $hello; do
        run hello 2M "$kind:$n"
    done
    for n in $server; do
        run server 32M "$kind:$n"
    done
done
for n in 1 2 3; do
    run server 32M "commit:$n"
done
echo "$runs boots, $whole of them to the end with 0"
[ $failed -eq 0 ] && [ $whole -gt 0 ] && [ $whole -lt $runs ]
