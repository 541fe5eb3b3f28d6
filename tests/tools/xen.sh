# SPDX-License-Identifier: BSD-3-Clause
# halvm run --on xen, against an xl that is a script, and what it writes.
. "$HERE/lib.sh"
build() { # FILE FLAG ...
    to=$1
    shift
    gcc "$@" -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000 \
        -Wl,-z,noexecstack,-z,noseparate-code,--build-id=none \
        "$HERE/guest.S" -o "$to"
}
build guest -DXEN_PV
build pvh-only
build pv-only -DXEN_PV -DNO_PVH
mkdir bin dir tmp
ln -s "$HERE/xl-stub" bin/xl
PATH=$PWD/bin:$PATH
TMPDIR=$PWD/tmp
export PATH TMPDIR STUB STUB_STATUS STUB_COUNT
on_xen() {
    rm -f xl.log xl.cfg
    run timeout 30 "$HALVM" run --on xen "$@"
}
# until_is COMMAND ...: for 5 s.
until_is() {
    tries=50
    until "$@" || [ $tries -eq 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
}
echo text >dir/file
truncate -s 64k "a, b.img"

STUB=exit STUB_STATUS=37
on_xen --net none ./guest x
check "the program's status" $status -eq 37
check "no words of its own on standard output" -z "$out"
has "says where it runs" "$err" \
    '^halvm: xen pv guest-[0-9]*, 64 MiB by default, no network; ^C stops$'
has "the folder is private" "$(cat xl.mode)" '^700$'
check "and removed" -z "$(ls tmp)"
has "a name of its own" "$(cat xl.cfg)" '^name = "guest-[0-9]*"$'
check "it destroys nothing that has gone" -z "$(grep destroy xl.log)"
STUB=words on_xen -q --name n1 --log log --net none ./guest
check "the last record counts" $status -eq 3
printf 'hello\036halvm:exit=5\nmore\n' >want
if cmp -s want out.txt && cmp -s want log; then
    pass "what is no record is output"
else
    fail "what is no record is output" "$out"
fi
has "--name" "$(cat xl.cfg)" '^name = "n1"$'

STUB=exit STUB_STATUS=0
on_xen -v dir:/site -v dir/file:/etc/one --net none ./guest
has "-v: a folder" "$(cat xl.files)" '^-.* 0/0 .*site/file$'
has "-v: a file" "$(cat xl.files)" '^-.* etc/one$'

# What is printed, whole. same WHAT FILE: out is golden/FILE.
same() {
    if sed "s|@PWD@|$PWD|" "$HERE/golden/$2" | cmp -s - out.txt; then
        pass "$1"
    else
        fail "$1" "$(sed "s|@PWD@|$PWD|" "$HERE/golden/$2" |
            diff - out.txt | grep '^[<>]')"
    fi
}
line_break='
'
web() { # OPTION ...
    run "$HALVM" "$@" -v dir:/site --disk 'a, b.img' --disk dir/file:ro \
        -e 'A=x y' -e "NL=a${line_break}b" --ip 10.0.0.2/24 ./guest \
        'a "b' 'c\d' "'e'" 'f\"g' '<&>'
}
web run --on xen --dry-run --name web -m 33000K --memory-max 48M \
    --net bridge:xenbr0
same "--dry-run" dry-run
check "--dry-run runs nothing but xl" -z "$(ls tmp)"
web config --for xl --name web -m 33000K --memory-max 48M --net bridge:xenbr0
same "config --for xl" xl.cfg
web config --for firecracker --net tap:tap3
same "config --for firecracker" firecracker.json
if command -v jq >/dev/null; then
    run jq -r '."boot-source".boot_args' <"$HERE/golden/firecracker.json"
    jq -r '."boot-source".boot_args' <"$HERE/golden/firecracker.json" >args
    has "firecracker: JSON" "$(cat args)" '-- "a \\"b" c\\\\d'
else
    skip "firecracker: JSON" "no jq"
fi
valid() { # WHAT
    cp out.txt domain.xml
    if command -v virt-xml-validate >/dev/null; then
        run virt-xml-validate domain.xml domain
        check "$1: libvirt's schema" $status -eq 0
    else
        skip "$1: libvirt's schema" "no virt-xml-validate"
    fi
}
web config --for libvirt --on xen --memory-max 80M
same "config --for libvirt, Xen" xen.xml
valid "xen"
web config --for libvirt -p 8080:80 -p '[::1]:53:53/udp'
same "config --for libvirt, KVM" kvm.xml
valid "kvm"
for options in "--type pvh" "--net bridge:br0 --accel tcg" \
    "--net tap:tap3 --cpu qemu64" "--machine pc --net none"; do
    # shellcheck disable=SC2086
    run "$HALVM" config --for libvirt $options ./guest
    valid "libvirt $options"
done
run "$HALVM" config --for xl --type pvh --net none ./guest
has "pvh" "$out" '^type = "pvh"$'
hasnt "no network" "$out" vif
hasnt "pvh: Xen's own clock" "$out" tsc_mode
run "$HALVM" config --for xl ./guest
has "the bridge of xl.conf" "$out" '^vif = \[ "" \]$'
has "halvm config restarts" "$out" '^on_reboot = "restart"$'
run "$HALVM" config --for xl ./pvh-only
has "what is no PV guest is PVH" "$out" '^type = "pvh"$'
cp guest '1 (2)'
run "$HALVM" config --for xl './1 (2)'
has "a name of what may be in one" "$out" '^name = "1--2-"$'
cp guest 12
run "$HALVM" config --for xl ./12
has "which no tool takes for a number" "$out" '^name = "halvm-12"$'
run "$HALVM" config --for qemu --net bridge:br3 --name q1 ./guest
has "qemu: bridge and name" "$out" '-name q1 .*-netdev bridge,id=net0,br=br3'

# Ends.
STUB=silent on_xen --net none ./guest
three "a domain that goes away is 134" 134
check "its words are out" "$out" = "last words"
STUB=refuse on_xen --net none ./guest
three "an xl that refuses is 125" 125
has "its words are out, too" "$err" 'libxl: error: no such thing'
hasnt "and nothing is destroyed" "$(cat xl.log)" destroy
STUB=left on_xen --name n2 --net none ./guest
has "a domain that xl leaves is destroyed" "$(cat xl.log)" '^destroy n2$'
STUB=hang on_xen -q --json --timeout 0.2 --net none --name n3 ./guest
check "--timeout is 124" $status -eq 124
has "shutdown comes first" "$(tr '\n' ' ' <xl.log)" 'shutdown n3 destroy n3'
has "--json" "$err" \
    '"status":124,"reason":"timeout","on":"xen","accel":"none","machine":"pv"'
rm -f asked.*
STUB=power "$HALVM" run --on xen --net none --name n4 ./guest \
    >out.txt 2>err.txt </dev/null &
pid=$!
until_is test -e domain.n4
kill -TERM $pid
wait $pid
check "SIGTERM is xl shutdown" $? -eq 143
check "and only the program's words come" "$(cat out.txt)" = "power button"
rm -f asked.*
STUB=hang "$HALVM" run --on xen --net none --name n5 ./guest \
    >out.txt 2>err.txt </dev/null &
pid=$!
until_is test -e domain.n5
kill -TERM $pid
until_is test -e asked.shutdown
kill -TERM $pid
wait $pid
check "the second one destroys" $? -eq 137
check "xl has destroyed it" ! -e domain.n5
rm -f asked.*
STUB=hang "$HALVM" run --on xen --net none --name n6 ./guest \
    >out.txt 2>err.txt </dev/null &
pid=$!
until_is test -e domain.n6
kill -KILL $pid
wait $pid 2>/dev/null
until_is test -e asked.destroy
check "the domain goes with halvm" ! -e domain.n6
until_is test -z "$(ls tmp)"
check "and so do its files" -z "$(ls tmp)"
printf 'he\035llo' | STUB=input timeout 20 "$HALVM" run --on xen -q \
    --net none ./guest >out.txt 2>err.txt
has "standard input, ended by ^D" "$(cat out.txt)" 'h   e   l   l   o 004'

# Errors, each in three lines.
: >domain.taken
while read -r want options; do
    # shellcheck disable=SC2086
    run "$HALVM" $options
    three "error: $options" "$want"
done <<END
125 run --on xen -p 8080:80 ./guest
125 run --on xen --net user ./guest
125 run --on xen --net tap:tap0 ./guest
125 run --on xen --net bridge: ./guest
125 run --on xen --net bridge:a,b ./guest
125 run --on xen --net bridge:halvm-no-bridge ./guest
125 run --on xen --net bridge:sixteen-letters- ./guest
125 run --on xen --gdb ./guest
125 run --on xen --machine q35 ./guest
125 run --on xen --cpu host ./guest
125 run --on xen --accel kvm ./guest
125 run --on xen --cpus 2 ./guest
125 run --on xen --type hvm ./guest
125 run --on xen -m 512k ./guest
125 run --on xen -m 64M --memory-max 32M ./guest
125 run --on xen --memory-max all ./guest
125 run --on xen --name 12 ./guest
125 run --on xen --name -x ./guest
125 run --on xen --name a/b ./guest
125 run --on xen --name taken --net none ./guest
125 run --on xen --disk nowhere.img ./guest
125 run --on qemu --type pv ./guest
125 run --on linux --memory-max 99M ./guest
125 run --on firecracker ./guest
126 run --on xen --type pv ./pvh-only
126 run --on xen --type pvh ./pv-only
126 run --on xen --type pv /bin/true
126 run --on xen /bin/true
127 run --on xen ./nowhere
125 config --for libvirt --machine microvm ./guest
125 config --for libvirt -p 80 ./guest
125 config --for libvirt --gdb ./guest
125 config --for libvirt --type pv --net user ./guest
125 config --for firecracker -p 8080:80 ./guest
125 config --for firecracker --net user ./guest
125 config --for firecracker --cpu host ./guest
125 config --for firecracker --disk a.qcow2 ./guest
125 config --for vmware ./guest
END
long=$(printf '%1024s' x | tr ' ' y)
run "$HALVM" run --on xen ./guest "$long"
three "error: a line that Xen would cut" 125
run "$HALVM" config --for libvirt --on xen ./guest "$long"
three "error: so would libvirt" 125
run "$HALVM" config --for xl --type pvh ./guest "$long"
check "a PVH guest has room" $status -eq 0
run "$HALVM" config --for firecracker ./guest "$long$long"
three "error: a line that Firecracker would not take" 125
run "$HALVM" config --for libvirt ./guest "$(printf 'a\001b')"
three "error: what XML cannot say" 125
disks=$(printf ' --disk a,.img%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17)
truncate -s 64k a,.img a.qcow2
# shellcheck disable=SC2086
run "$HALVM" run --on xen $disks ./guest
three "error: too many disks" 125
# shellcheck disable=SC2086
run "$HALVM" run --on qemu $disks ./guest
three "error: too many disks for QEMU's machine, too" 125
run "$HALVM" config --for firecracker --disk a.qcow2 ./guest
three "error: Firecracker and qcow2" 125
run env STUB_NO_XEN=1 "$HALVM" run --on xen ./guest
three "error: no Xen here" 125
run env HALVM_XL=/nowhere/xl "$HALVM" run --on xen ./guest
three "error: no xl" 125

run "$HALVM" doctor
has "doctor: xen" "$out" '^ok  xen  *4.17.5 '
run env STUB_NO_XEN=1 "$HALVM" doctor
has "doctor: no xen" "$out" '^--  xen  *missing  *no domains here: '
run "$HALVM" inspect --boot ./guest
has "inspect: VIRT_BASE" "$out" '^Xen PV *yes (VIRT_BASE 0x100000)'
run "$HALVM" inspect --json ./pv-only
has "inspect --json" "$out" '"pvh":false.*"xen_pv":true,"xen_virt_base":1048576'
exit $failed
