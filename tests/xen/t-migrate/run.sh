# SPDX-License-Identifier: BSD-3-Clause
# Live migration, to the same host, as PV and as PVH: five times each of a
# program that is never idle, with one TCP connection that lasts; then three
# times of the web server (warp) while it is asked for pages.
#
# long: some minutes
# program: mover
# files: build/examples/web
# timeout: 1200
. /lib/lib.sh

# While the domain is nowhere the bridge sends what is meant for it to all
# ports; QEMU's network behind eth0 would answer that with a reset.
ip link set eth0 down
# Nor shall dom0 say after three seconds that there is no such host.
arp -s 10.0.2.50 00:16:3e:00:00:50
arp -s 10.0.2.51 00:16:3e:00:00:51

# migrate KIND NAME. A live migration of a PV guest wants Xen to note what the
# guest changes, by shadow paging, which Debian's is built without: there the
# domain stands still while it is sent.
shadow=
case $(xl info virt_caps) in *shadow*) shadow=yes ;; esac
migrate()
{
    if [ "$1" = pv ] && [ -z "$shadow" ]; then
        [ -n "$told" ] || say "pv: not live: this Xen has no shadow paging"
        told=yes
        xl save "$2" /dev/vdc >>/out/migrate.log 2>&1 || fail "xl save $2"
        wait_gone "$2"
        xl restore /dev/vdc >>/out/migrate.log 2>&1 || fail "xl restore $2"
        return
    fi
    xl migrate -s '' "$2" 'xl migrate-receive' >>/out/migrate.log 2>&1 ||
        fail "xl migrate $2: $(grep -i error /out/migrate.log | head -n 1)"
}
told=

# In the background: asks over one connection, ten times a second, what time it
# is and how far the parts are; a line "BEFORE AFTER NUMBER ANSWER" each, the
# first two of dom0's clock, until there is /tmp/stop.
talk() # IP
{
    rm -f /tmp/to /tmp/from /tmp/talk /tmp/stop
    mkfifo /tmp/to /tmp/from
    nc "$1" 7 </tmp/to >/tmp/from &
    (
        exec 5>/tmp/to 6</tmp/from
        number=0
        while [ ! -e /tmp/stop ]; do
            number=$((number + 1))
            read -r before _ </proc/uptime
            echo $number >&5
            read -r -t 60 answer <&6 || answer=none
            read -r after _ </proc/uptime
            echo "$before $after $number $answer" >>/tmp/talk
            [ "$answer" != none ] || break
            usleep 100000
        done
    ) &
    talker=$!
    date=$(date +%s)
    until_ok 20 test -s /tmp/talk || fail "no answer at first"
}

# Every line had its answer; the clocks went on and not back, the monotonic one
# no faster than dom0's, the wall clock with it. dom0's times are in 1/100 s.
check_talk() # NAME
{
    touch /tmp/stop
    wait $talker
    cp /tmp/talk "/out/talk-$1"
    awk -v date="$date" '
    function bad(what) { print what ", line " NR ": " $0; failed = 1; exit }
    NF != 8 || $3 != $4 { bad("no answer") }
    { mono = $5 / 1e9; wall = $6 / 1e9 }
    NR == 1 { before = $1; after = $2; mono0 = mono; wall0 = wall }
    NR == 1 && (wall0 < date - 2 || wall0 > date + 2 + after - before) {
        bad("not the wall clock of dom0, " date)
    }
    mono < mono_last { bad("the monotonic clock goes back") }
    mono - mono0 > $2 - before + 0.05 { bad("the monotonic clock is fast") }
    wall - wall0 > $2 - before + 0.05 { bad("the wall clock is fast") }
    wall - wall0 < $1 - after - 0.05 { bad("the wall clock is slow") }
    $2 - $1 > longest { longest = $2 - $1 }
    { mono_last = mono; lag = ($1 - after) - (mono - mono0) }
    END {
        if (failed)
            exit 1
        printf "%d answers, the slowest after %.2f s; monotonic %.2f s less\n",
            NR, longest, lag
    }' /tmp/talk >/out/check || fail "$1: $(cat /out/check)"
    say "$1: $(cat /out/check)"
}

# last_answer: of the parts, memory and disk.
progress()
{
    tail -n 1 /tmp/talk | cut -d ' ' -f 7,8
}
further() # MEMORY DISK
{
    set -- "$1" "$2" $(progress)
    [ "${3:-0}" -gt $(($1 + 1)) ] && [ "${4:-0}" -gt $(($2 + 1)) ]
}

# The console of a domain that came: its log is named as it was while it came.
typed() # NAME TEXT
{
    grep -aqF "mover: read $2" /var/log/xen/console/guest-"$1"*.log
}

move() # KIND IP
{
    dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null
    create guest.cfg "type=\"$1\"" "name=\"$1\"" 'kernel="/test/mover"' \
        'disk=["format=raw,vdev=xvda,access=rw,backendtype=phy,script=block,target=/tmp/disk"]' \
        "vif=[\"mac=00:16:3e:00:00:50,bridge=xenbr0\"]" \
        "extra=\"halvm.ip=$2/24 halvm.gw=10.0.2.2 -- 4\""
    wait_console "$1" "mover: moving"
    talk "$2"
    usage=
    for number in 1 2 3 4 5; do
        migrate "$1" "$1"
        # shellcheck disable=SC2046 # two words
        until_ok 60 further $(progress) ||
            fail "$1: a part stands still after migration $number: $(progress)"
        type_in "$1" "line $number"
        until_ok 20 typed "$1" "line $number" ||
            fail "$1: no console after migration $number"
        say "$1: $number, $(tail -n 1 /tmp/talk)"
        # dom0 may keep something from the first time.
        if [ $number -eq 2 ]; then
            usage=$(usage_now)
        fi
    done
    as_before "$usage"
    mem_set "$1" 32
    mem_set "$1" 40
    check_talk "$1"
    xl shutdown "$1"
    wait_gone "$1"
}

# ask_web IP: pages, until there is /tmp/stop.
ask_web()
{
    rm -f /tmp/stop
    (
        while [ ! -e /tmp/stop ]; do
            timeout 60 wget -q -O /dev/null "http://$1:8080/" || exit 1
        done
    ) &
    asker=$!
}

move_web() # KIND IP
{
    create guest.cfg "type=\"$1\"" "name=\"web-$1\"" 'kernel="/test/web"' \
        'memory=96' "vif=[\"mac=00:16:3e:00:00:51,bridge=xenbr0\"]" \
        "extra=\"halvm.ip=$2/24 halvm.gw=10.0.2.2\""
    wait_console "web-$1" "listening on port"
    ask_web "$2"
    for number in 1 2 3; do
        migrate "$1" "web-$1"
        sleep 1
    done
    touch /tmp/stop
    wait $asker || fail "web-$1: a page did not come"
    xl shutdown "web-$1"
    wait_gone "web-$1"
}

for kind in pv pvh; do
    move $kind 10.0.2.50
    move_web $kind 10.0.2.51
done
