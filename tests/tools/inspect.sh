# SPDX-License-Identifier: BSD-3-Clause
# halvm inspect, doctor, completion, and the common options.
. "$HERE/lib.sh"
gcc -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000,-z,noexecstack \
    -Wl,-z,noseparate-code,--build-id=none "$HERE/guest.S" -o guest
run "$HALVM" inspect guest
check "inspect" $status -eq 0
has "platforms" "$out" '^QEMU, Firecracker, Xen PVH *yes (entry 0x1001'
has "memory" "$out" '^least .*KiB'
run "$HALVM" inspect --boot guest
hasnt "one part only" "$out" '^least'
run "$HALVM" inspect --json guest
has "--json" "$out" '^{"path":"guest",.*"pvh":true,"multiboot2":false'
run "$HALVM" inspect --json /bin/true
has "a host's program is none of ours" "$out" '"pvh":false.*"static":false'
run "$HALVM" inspect nowhere
three "no file" 127
run "$HALVM" inspect "$HERE/lib.sh"
three "no ELF file" 126
run "$HALVM" inspect
three "no argument" 125

run "$HALVM" doctor
has "doctor: the compiler" "$out" '^ok  gcc'
run env PATH=/nowhere "$HALVM" doctor
has "doctor: what to install" "$out" 'apt-get install'
run "$HALVM" doctor --json
has "doctor --json" "$out" '^{"name":"gcc","ok":true'

run "$HALVM" --version
has "--version" "$out" '^halvm [0-9]'
for verb in run inspect config doctor completion; do
    run "$HALVM" $verb --help
    check "$verb --help: status" $status -eq 0
    has "$verb --help" "$out" "^usage: halvm $verb"
done
run "$HALVM" nonsense
three "no such verb" 125
run "$HALVM" completion fish
three "no such shell" 125
"$HALVM" completion bash >completion
cat >complete.bash <<'END'
. ./completion
COMP_WORDS=(halvm run --mach) COMP_CWORD=2
_halvm
echo "${COMPREPLY[*]}"
COMP_WORDS=(halvm run --machine q) COMP_CWORD=3
_halvm
echo "${COMPREPLY[*]}"
END
run bash complete.bash
check "completion" "$out" = "--machine
q35"
exit $failed
