#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A program without a free page ends as any other: its output is there, its
# status arrives, and a crash is reported with its backtrace.
#
# skip: linux lets nobody take its last page
# skip: xen is the same above base.h
set -u
cd "$(dirname "$0")/../../.." || exit 2
out=build/tests/fault
mkdir -p $out
"${CC:-build/bin/halvm-cc}" -O1 -fno-optimize-sibling-calls -D_GNU_SOURCE \
    -Itests/sys -o $out/last tests/fault/last_words/last.c || exit 1
failed=0

# ends HOW STATUS WORDS
ends()
{
    "${HALVM:-build/bin/halvm}" run -q --on qemu -m 16M --net none \
        --timeout 30 --option fault=off $out/last "$1" >$out/last.log 2>&1 \
        </dev/null
    status=$?
    if [ $status -ne "$2" ] || ! grep -q "$3" $out/last.log ||
        ! grep -q '^before' $out/last.log; then
        cat $out/last.log
        echo "$1: status $status, expected $2 and '$3'"
        failed=1
    fi
}

ends exit 42 before
ends abort 134 'killed by SIGABRT'
ends crash 139 '#0 0x.*main'
exit $failed
