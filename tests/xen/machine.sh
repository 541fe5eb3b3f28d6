# SPDX-License-Identifier: BSD-3-Clause
# The machine of tests/xen/domu: QEMU without KVM, Xen, and a Linux dom0. Saved
# and restored machines must be the same in all that this file says.
#
# run_machine FOLDER NETWORK OPTION ...: FOLDER has the three disks: in and out
# are init's, scratch (/dev/vdc) the test's. NETWORK is QEMU's -netdev without
# its id. The serial line is standard input and output.

# Linux: no time for mitigations; a TSC that it need not distrust; a small
# bounce buffer. Xen: what fast says, and 192 MiB for dom0.
# eager-fpu: QEMU 7.2 without KVM loses AVX registers where Xen leaves them to
# be fetched at their first use; processes of dom0 then die now and then.
xen_words="console=com1 com1=115200,8n1 dom0_mem=192M,max:192M \
dom0_max_vcpus=1 dom0=pv no-real-mode edd=off spec-ctrl=no,eager-fpu=1 xpti=off \
pv-l1tf=off bootscrub=off loglvl=warning guest_loglvl=warning"
linux_words="console=hvc0 quiet loglevel=4 mitigations=off tsc=reliable \
swiotlb=512"

run_machine()
{
    folder=$1
    network=$2
    shift 2
    exec qemu-system-x86_64 -accel tcg -machine pc -cpu max,-smap -m 640 \
        -nodefaults -no-user-config -display none -vga none -no-reboot \
        -serial stdio -netdev "$network,id=net0" \
        -device virtio-net-pci,netdev=net0,romfile= \
        -drive "if=none,id=in,format=raw,file=$folder/in" \
        -device virtio-blk-pci,drive=in \
        -drive "if=none,id=out,format=raw,file=$folder/out" \
        -device virtio-blk-pci,drive=out \
        -drive "if=none,id=scratch,format=raw,file=$folder/scratch" \
        -device virtio-blk-pci,drive=scratch \
        -kernel "${xen_file:-build/xen/xen.elf}" -append "$xen_words" \
        -initrd "build/xen/vmlinux $linux_words,build/xen/base.cpio" "$@"
}
