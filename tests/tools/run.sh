# SPDX-License-Identifier: BSD-3-Clause
# halvm run: options, errors and statuses, against a QEMU that is a script.
. "$HERE/lib.sh"
gcc -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000,-z,noexecstack \
    -Wl,-z,noseparate-code,--build-id=none "$HERE/guest.S" -o guest
HALVM_QEMU=$HERE/qemu-stub
export HALVM_QEMU STUB STUB_STATUS STUB_COUNT
args() {
    tr '\n' ' ' <qemu.args
}

STUB=exit STUB_STATUS=37
run "$HALVM" run ./guest 'a b' -p '' 'q"\'
check "the program's status" $status -eq 37
check "no words of its own on standard output" -z "$out"
has "says where it runs" "$err" '^halvm: qemu microvm (.*64 MiB by default'
has "arguments after the file are the program's" "$(args)" \
    'halvm.name=guest -- "a b" -p "" q\\"\\\\'
has "microvm by default" "$(args)" '-M microvm .*virtio-net-device'
run "$HALVM" run -q ./guest
check "-q is silent" -z "$err"

run "$HALVM" run -p 18080:80 -p 127.0.0.2:18081:81/udp -m 48m -e 'A=1 2' \
    --machine q35 --cpu qemu64 --accel tcg --ip 10.0.0.2/24 --gw 10.0.0.1 \
    --dns 10.0.0.3 --trace --option hostname=h --option fault \
    --gdb=1235 --tty=off ./guest
has "ports" "$(args)" \
    'hostfwd=tcp:127.0.0.1:18080-:80,hostfwd=udp:127.0.0.2:18081-:81'
has "memory" "$(args)" '-m 49152k'
has "variables with blanks" "$(args)" '"A=1 2"'
has "machine and processor" "$(args)" '-M q35 -accel tcg -cpu qemu64'
has "virtio 1.0 on PCI" "$(args)" 'virtio-net-pci,disable-legacy=on'
has "guest options" "$(args)" \
    'halvm.tty=off halvm.ip=10.0.0.2/24 halvm.gw=10.0.0.1 halvm.dns=10.0.0.3 halvm.trace halvm.hostname=h halvm.fault --'
has "gdb" "$(args)" '-gdb tcp:127.0.0.1:1235 -S'
run "$HALVM" run -p 80 ./guest
has "a free port" "$(args)" 'hostfwd=tcp:127.0.0.1:[1-9][0-9]*-:80'
run "$HALVM" run --net none ./guest
hasnt "no network" "$(args)" netdev
run "$HALVM" run --net tap:tap7 ./guest
has "tap" "$(args)" 'tap,id=net0,ifname=tap7,script=no'
echo 'X=from file
# a comment

Y=2' >env
HERE_IS=there run env HERE_IS=there "$HALVM" run --env-file env -e HERE_IS \
    -e NOT_SET_AT_ALL ./guest
has "variables from a file and from here" "$(args)" \
    '"X=from file" Y=2 HERE_IS=there halvm.name'
run env HALVM_MEMORY=96M "$HALVM" run ./guest
has "an option's twin in the environment" "$(args)" '-m 98304k'
truncate -s 64k disk.img
run "$HALVM" run --disk disk.img:ro ./guest
has "disk" "$(args)" 'format=raw,readonly=on,file=disk.img .*drive=disk0'

mkdir -p dir/sub
echo text >dir/sub/file
ln -s ../sub dir/link
STUB=initrd
run "$HALVM" run -v dir:/site:ro -v dir/sub/file:/etc/one ./guest
has "-v: a folder" "$out" '^-.* 0/0 .*site/sub/file$'
has "-v: links stay" "$out" 'site/link -> ../sub'
has "-v: a file" "$out" '^-.* etc/one$'
run "$HALVM" run -v dir:/ ./guest
has "-v: at the root" "$out" ' \./sub/file$'

STUB=words
run "$HALVM" run -q --log console.log ./guest
check "the last record counts" $status -eq 3
printf 'hello\036halvm:exit=5\nmore\036halvm:\n\036\036halvm:exit=12x\n' >want
if cmp -s want out.txt; then
    pass "what is no record is output"
else
    fail "what is no record is output" "$out"
fi
check "--log has the same" "$(cksum <want)" = "$(cksum <console.log)"

STUB=input STUB_COUNT=6
printf 'hello' | timeout 10 "$HALVM" run -q ./guest >out.txt 2>err.txt
has "standard input, ended by ^D" "$(cat out.txt)" 'h   e   l   l   o 004'

STUB=silent
run "$HALVM" run ./guest
three "a machine that goes away is 134" 134
check "its words are out" "$out" = "last words"
STUB=refuse
run "$HALVM" run ./guest
three "a QEMU that refuses is 125" 125

STUB=hang
run timeout 20 "$HALVM" run -q --json --timeout 0.2 ./guest
check "--timeout is 124" $status -eq 124
has "--json" "$err" '^{"program":"./guest","status":124,"reason":"timeout"'
# Starts one that stays; the stub is at work when it has told its arguments.
start() {
    rm -f qemu.args
    "$HALVM" run ./guest >out.txt 2>err.txt &
    pid=$!
    soon [ -s qemu.args ]
}

STUB=power
start
kill -TERM $pid
wait $pid
check "SIGTERM presses the power button" $? -eq 143
has "and the program's last words come" "$(cat out.txt)" 'power button'
STUB=hang
start
# Two that come before it has looked are one to it.
while kill -TERM $pid; do sleep 0.3; done 2>/dev/null &
wait $pid
check "the second one kills" $? -eq 137
STUB=hang
start
child=$(cat /proc/$pid/task/$pid/children)
kill -KILL $pid
wait $pid 2>/dev/null
gone() {
    # shellcheck disable=SC2086
    ! grep -qs "^State:[[:space:]]*[RSDTt]" "/proc/$(echo $child)/status"
}
if [ -n "$child" ] && soon gone; then
    pass "QEMU dies with halvm"
else
    fail "QEMU dies with halvm" "child $child"
fi

STUB=exit STUB_STATUS=0
rm -f qemu.args
run "$HALVM" run --dry-run -p 8080:80 -v dir:/site ./guest "it's"
check "--dry-run runs nothing" ! -e qemu.args
has "--dry-run: the archive" "$out" '^tar -cf initrd.tar --format=ustar'
has "--dry-run: the line" "$out" "-append 'halvm.name=guest -- it'"
first=$out
run "$HALVM" config --for qemu -p 8080:80 -v dir:/site ./guest "it's"
check "config --for qemu is the same" "$out" = "$first"
run "$HALVM" config --for=linux ./guest x
has "config --for linux" "$out" '^env -i .*guest x$'
run "$HALVM" config --for systemd ./guest
three "config: what is not there yet" 125
run "$HALVM" config ./guest
three "config: no platform" 125

# Errors, each in three lines.
while read -r want options; do
    # shellcheck disable=SC2086
    run "$HALVM" run $options
    three "error: run $options" "$want"
done <<END
125
125 --no-such-option ./guest
125 -m
125 -m lots ./guest
125 -m 0 ./guest
125 -m 512k ./guest
125 -p 80:http ./guest
125 -p 1:2:3:4 ./guest
125 -p 70000:80 ./guest
125 -p 8080:80 --net none ./guest
125 -v dir ./guest
125 -v dir:relative ./guest
125 -v nowhere:/x ./guest
125 -v disk.img:/ ./guest
125 -e 1A=2 ./guest
125 -e a.b=2 ./guest
125 --option A=2 ./guest
125 --option =2 ./guest
125 --on linux --option fault ./guest
125 --env-file nowhere ./guest
125 --cpus 2 ./guest
125 --net bridge ./guest
125 --machine virt ./guest
125 --accel xen ./guest
125 --on mars ./guest
125 --disk nowhere.img ./guest
125 --gdb=x ./guest
125 --timeout soon ./guest
125 --tty=blue ./guest
125 --log /nowhere/x ./guest
127 ./nowhere
126 dir
126 env
126 /bin/true
END
big=$(printf '%5000s' x | tr ' ' y)
run "$HALVM" run ./guest "$big"
three "error: too long a command line" 125
run env HALVM_QEMU=/nowhere/qemu "$HALVM" run --on qemu ./guest
three "error: no QEMU" 125
run env HALVM_QEMU=/nowhere/qemu "$HALVM" run ./guest
check "no QEMU: a Linux process" $status -eq 9
has "and it says so" "$err" 'no QEMU here'

cat >listen.c <<END
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
    struct sockaddr_in a = {AF_INET, htons(18099), {htonl(0x7f000001)}, {0}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (void *)&a, sizeof(a)) || listen(fd, 1) || pause();
}
END
gcc -o listen listen.c
./listen &
pid=$!
soon listens 18099
run "$HALVM" run -p 18099:80 ./guest
kill $pid
three "error: a port in use" 125
exit $failed
