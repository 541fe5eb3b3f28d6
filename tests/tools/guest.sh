# SPDX-License-Identifier: BSD-3-Clause
# halvm run with the real QEMU and a guest of a few instructions.
. "$HERE/lib.sh"
gcc -g -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000 \
    -Wl,-z,noexecstack,-z,noseparate-code,--build-id=none \
    "$HERE/guest.S" -o guest
if ! command -v qemu-system-x86_64 >/dev/null; then
    skip "all" "no QEMU"
    exit 0
fi
for machine in microvm q35 pc; do
    run timeout 60 "$HALVM" run --machine $machine -m 8M --accel tcg \
        -e 'A=x "y' ./guest 'c\d' ''
    check "$machine: status" $status -eq 42
    has "$machine: command line" "$out" \
        '"A=x \\"y" halvm.name=guest -- c\\\\d ""'
    hasnt "$machine: the record is taken off" "$out" 'halvm:exit'
    has "$machine: names in the backtrace" "$err" \
        '^  #0 0x100118 pvh+0x[0-9a-f]* at .*guest.S:[0-9]'
done
run timeout 60 "$HALVM" run --accel tcg -v "$HERE:/x" --disk guest:ro ./guest
check "files and disks are accepted by QEMU" $status -eq 42
if command -v gdb >/dev/null; then
    "$HALVM" run --accel tcg --gdb=18234 --timeout 30 ./guest \
        >out.txt 2>err.txt &
    pid=$!
    soon listens 18234
    run timeout 20 gdb -batch -nx \
        -ex 'target remote 127.0.0.1:18234' -ex 'hbreak pvh' -ex continue \
        -ex 'info symbol $pc' -ex 'delete' -ex continue ./guest
    wait $pid
    check "--gdb: runs on after gdb's continue" $? -eq 42
    has "--gdb: stops at a breakpoint" "$out" '^pvh in section'
else
    skip "--gdb" "no gdb"
fi
exit $failed
