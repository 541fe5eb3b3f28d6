#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The examples of docs/rerouting.md: what they print. Started by tests/run in
# the top folder with ON, CC, GHC and HALVM set; prints its reason last.
set -eu
work=build/tests/reroute_examples
mkdir -p "$work"

run() # PROGRAM
{
    case $ON in
    linux) timeout 20 "$work/$1" </dev/null ;;
    qemu*) "$HALVM" run -q --on qemu -m 128M --timeout 100 "$work/$1" \
        </dev/null ;;
    *)
        echo "tests/sys and tests/hs run the same there"
        exit 77
        ;;
    esac
}

for name in fail record net; do
    $CC -O2 -Wall -Wextra -o "$work/$name" "examples/reroute/$name.c" -pthread
done
$GHC -v0 -O -outputdir "$work/app.obj" -o "$work/app" examples/reroute/App.hs

run fail >"$work/fail.out" 2>"$work/fail.err"
grep -q '^save gave -1 after 3 writes, 14 bytes of them done' "$work/fail.out"
grep -q '^and without it: 0' "$work/fail.out"

run record >"$work/record.out" 2>&1
for line in 'openat*("/dev/null"' 'write[v]*(3, ' 'close(3) = 0' \
    'access("/none"' 'nanosleep('; do
    case $line in
    openat*) line='open[a-z]*(.*"/dev/null"' ;;
    nanosleep*) line='nanosleep(' ;;
    esac
    grep -q "^$line" "$work/record.out" || {
        echo "no line of $line, see $work/record.out"
        exit 1
    }
done
grep -q '^recorded' "$work/record.out"

run net >"$work/net.out" 2>"$work/net.err"
printf '%s\n' '192.0.2.1 port 7: WHO IS THERE?' \
    '198.51.100.20 port 80: AND HERE?' \
    '192.0.2.1 port 9: Connection refused' | diff - "$work/net.out"

run app >"$work/app.out" 2>&1
printf 'control memory reads version\n1.2\n1\n2\nTrue\ngo on\n' |
    diff - "$work/app.out"
