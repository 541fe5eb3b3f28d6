# SPDX-License-Identifier: BSD-3-Clause
# halvm run --on xen and halvm config --for xl, with the real xl.
#
# long: two minutes and more
# program: guest
# timeout: 600
# files: build/bin/halvm /bin/tar
# files: /usr/lib/x86_64-linux-gnu/libelf.so.1
# files: /lib/x86_64-linux-gnu/libz.so.1
# files: /lib/x86_64-linux-gnu/libacl.so.1
# files: /lib/x86_64-linux-gnu/libselinux.so.1
# files: /lib/x86_64-linux-gnu/libpcre2-8.so.0
. /lib/lib.sh
PATH=/test:$PATH
export PATH LD_LIBRARY_PATH=/test

# try STATUS TEXT OPTION ...: a run's status, and what it prints.
try()
{
    want=$1 text=$2
    shift 2
    halvm run --on xen --net none -q "$@" >/out/run.log 2>/out/run.err
    got=$?
    [ $got -eq "$want" ] ||
        fail "status $got of $*, not $want: $(tail -n 2 /out/run.err)"
    grep -qF -- "$text" /out/run.log ||
        fail "no '$text' of $*: $(tail -n 2 /out/run.log)"
    ! grep -q 'halvm:exit' /out/run.log || fail "$*: the record is left in"
    gone_all
}

# No domain but dom0 is left, and no file.
nothing()
{
    [ "$(xl list | wc -l)" -eq 2 ] && [ -z "$(ls -d /tmp/halvm* 2>/dev/null)" ]
}
gone_all()
{
    until_ok "${1:-1}" nothing ||
        fail "left: $(xl list | sed 1,2d; ls -d /tmp/halvm*)"
}

# begun TEXT: until the run in the background has printed it.
begun()
{
    until_ok 30 grep -q "$1" /out/run.log ||
        fail "no '$1': $(cat /out/run.log /out/run.err)"
}

mkdir -p files/sub
echo text >files/sub/file
dd if=/dev/zero of='/tmp/a, b' bs=64k count=4 2>/dev/null
halvm doctor >/out/doctor.log
grep -q '^ok  xen *4' /out/doctor.log || fail "$(grep xen /out/doctor.log)"
long=$(printf '%3900s' x | tr ' ' y)
for kind in pv pvh; do
    say "$kind: ends"
    try 0 'guest: begins to exit' --type $kind ./guest exit 0
    try 37 'guest: begins to exit' --type $kind ./guest exit 37
    count=0
    while [ $count -lt 3 ]; do
        try $count 'guest: begins to exit' --type $kind ./guest exit $count
        count=$((count + 1))
    done
    say "$kind: words"
    try 2 "guest: begins to a \"b'c\\d  e" --type $kind ./guest \
        "a \"b'c\\d  e"
    say "$kind: files, disk"
    try 0 'guest: disk of 262144 bytes' --type $kind -v files:/site \
        --disk '/tmp/a, b' -m 24M ./guest disk
    say "$kind: input"
    echo 'typed words' | halvm run --on xen --net none -q --type $kind \
        ./guest echo >/out/run.log || fail "echo: $?"
    grep -q 'guest: read typed words' /out/run.log ||
        fail "not read: $(cat /out/run.log)"
    gone_all
    say "$kind: SIGTERM"
    halvm run --on xen --type $kind --net bridge:xenbr0 ./guest wait \
        >/out/run.log 2>/out/run.err &
    pid=$!
    begun 'guest: waiting'
    kill -TERM $pid
    wait $pid || fail "wait: $?"
    grep -q 'guest: signal 15' /out/run.log || fail "no signal"
    gone_all
    say "$kind: timeout, kill"
    try 124 'guest: round' --type $kind --timeout 6 ./guest load 16
    halvm run --on xen --type $kind --net none ./guest wait \
        >/out/run.log 2>/out/run.err &
    pid=$!
    begun 'guest: waiting'
    kill -KILL $pid
    gone_all 20

    say "$kind: config"
    halvm config --for xl --type $kind --name named --memory-max 96M \
        --net bridge:xenbr0 --disk '/tmp/a, b:ro' ./guest wait 'a "b' \
        >named.cfg || fail "config"
    xl create -n named.cfg >/out/named-$kind.log 2>&1 || fail "xl create -n"
    for text in '"name": "named"' "\"type\": \"$kind\"" \
        '"cmdline": "halvm.name=guest -- wait \"a \\\"b\""' \
        '"bridge": "xenbr0"' '"pdev_path": "/tmp/a, b"' \
        '"target_memkb": 65536' '"max_memkb": 98304' \
        '"on_reboot": "restart"'; do
        grep -qF -- "$text" /out/named-$kind.log || fail "no $text"
    done
    create named.cfg
    wait_console named 'guest: waiting'
    xl mem-set named 90 || fail "xl mem-set"
    xl shutdown named
    wait_gone named
    gone_all
done
try 2 "guest: begins to $long" --type pvh ./guest "$long"
# Without a name the network is xl.conf's.
halvm config --for xl ./guest >named.cfg
xl create -n named.cfg >/out/bridge.log 2>&1 || fail "vif without a bridge"
halvm run --on xen --net bridge:nowhere ./guest 2>/out/run.err &&
    fail "a bridge that is none"
grep -q 'there is no bridge nowhere' /out/run.err || fail "and says so"
