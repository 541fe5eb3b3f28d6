#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# System.HaLVM.Block: the same program on a file as a Linux process and on a disk
# of a virtual machine. Started by tests/run in the top folder; prints its reason
# last.
set -eu
work=build/tests/halvm_block
mkdir -p "$work"
$GHC -v0 -O -outputdir "$work/obj" -o "$work/disk" tests/hs/halvm_block/Disk.hs

# 64 sectors, the second begins with "hello"
head -c 32768 /dev/zero >"$work/image"
printf hello | dd of="$work/image" bs=512 seek=1 conv=notrunc status=none
case $ON in
linux) HALVM_DISKS=$work/image "$work/disk" >"$work/out" ;;
qemu*) "$HALVM" run -q --on qemu --disk "$work/image" --timeout 100 \
    "$work/disk" </dev/null >"$work/out" ;;
*)
    echo "tests/xen/t-disk is about Xen's disks"
    exit 77
    ;;
esac
printf '(64,False)\nhello\nTrue\n' | diff - "$work/out"
[ "$(dd if="$work/image" bs=512 skip=5 count=1 status=none | head -c 5)" = \
    hello ] || {
    echo "the image was not written"
    exit 1
}
