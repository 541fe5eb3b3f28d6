# SPDX-License-Identifier: BSD-3-Clause
# What a test's run.sh is written with; it runs in dom0, in busybox's sh. What
# is put in /out comes back to the host, with all logs.

# say TEXT ...: a line on dom0's console, with the seconds since Linux began.
say()
{
    read -r seconds _ </proc/uptime
    echo "[$seconds] $*"
}

# fail TEXT ...: ends the test; the reason is what the host prints.
fail()
{
    say "FAIL: $*"
    exit 1
}

# console NAME: the file that the domain's console is written to.
console()
{
    echo "/var/log/xen/console/guest-$1.log"
}

# create CFG [KEY=VALUE ...]: xl create. A domain that ends is cleared away by
# xl in the background, which writes /var/log/xen/xl-NAME.log. What another
# domain of the same name has printed goes to NAME.before: nobody is to wait for
# words that were said by that one.
create()
{
    for setting; do
        case $setting in name=*) ;; *) continue ;; esac
        name_said=${setting#name=\"}
        name_said=$(console "${name_said%\"}")
        [ ! -e "$name_said" ] || {
            cat "$name_said" >>"$name_said.before" && rm "$name_said"
        }
    done
    xl create "$@" >/out/create.log 2>&1 ||
        fail "xl create $*: $(grep error /out/create.log | head -n 1)"
}

# until_ok SECONDS COMMAND ...: tries ten times a second; 0 once it succeeds.
now_s()
{
    read -r seconds _ </proc/uptime
    echo "${seconds%.*}"
}
until_ok()
{
    until_end=$(($(now_s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(now_s)" -lt $until_end ] || return 1
        usleep 100000
    done
}

# wait_console NAME TEXT [SECONDS]: until the domain has printed TEXT.
wait_console()
{
    until_ok "${3:-60}" grep -aqF -- "$2" "$(console "$1")" ||
        fail "$1 does not print '$2' but: $(tail -n 3 "$(console "$1")")"
}

# exists NAME, gone NAME: whether there is such a domain.
exists()
{
    xl domid "$1" >/dev/null 2>&1
}
gone()
{
    ! exists "$1"
}

# wait_gone NAME [SECONDS]
wait_gone()
{
    until_ok "${2:-30}" gone "$1" || fail "$1 is still there: $(state "$1")"
}

# state NAME: the letters of xl list: r running, b blocked, p paused,
# s shut down, c crashed.
state()
{
    xl list "$1" 2>/dev/null | awk 'NR == 2 { print $5 }'
}

# in_state NAME LETTER
in_state()
{
    case $(state "$1") in *"$2"*) return 0 ;; esac
    return 1
}

# reason NAME: why the domain ended, as the xl that watches it noted down: 0
# poweroff, 1 reboot, 2 suspend, 3 crash, 4 watchdog.
reason()
{
    sed -n 's/.*has shut down, reason code \([0-9]*\).*/\1/p' \
        /var/log/xen/xl-"$1".log | tail -n 1
}

# type_in NAME TEXT: a line on its console. xl console would want a terminal.
type_in()
{
    echo "$2" >"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")"
}

# fetch URL FILE (busybox's own limit of time, wget -T, ends it with a fault)
fetch()
{
    timeout 20 wget -q -O "$2" "$1"
}

# exit_record NAME: the status of the last exit record on its console.
exit_record()
{
    tr -d '\r' <"$(console "$1")" | tr '\036' '@' |
        sed -n 's/.*@halvm:exit=\([0-9]*\)$/\1/p' | tail -n 1
}

# ask WORD ...: runs the test's host.sh on the host, which has ports forwarded
# to this bridge, and returns its status.
ask()
{
    say "ASK $*"
    while read -r answer; do
        case $answer in *ANSWER*) return "${answer##* }" ;; esac
    done
    return 1
}

# vif_counts VIF: bytes and frames from the guest, and to it.
vif_counts()
{
    for what in rx_bytes rx_packets tx_bytes tx_packets; do
        cat "/sys/class/net/$1/statistics/$what"
    done | tr '\n' ' '
}

# large_since VIF COUNTS FROM TO: since then frames from the guest have had more
# than FROM bytes on the average, and those to it more than TO. More than a
# segment are only large ones.
large_since()
{
    # shellcheck disable=SC2046,SC2086 # words
    set -- $(vif_counts "$1") $2 "$3" "$4" "$1"
    say "${11}: $(($1 - $5)) bytes in $(($2 - $6)) frames sent," \
        "$(($3 - $7)) in $(($4 - $8)) received"
    [ $((($1 - $5) / ($2 - $6))) -gt "$9" ] &&
        [ $((($3 - $7) / ($4 - $8))) -gt "${10}" ]
}

# usage_now: "GRANTS PORTS MIB": the grants and event channels of all domains,
# and the memory that Xen has free.
usage_now()
{
    xl dmesg -c >/dev/null
    xl debug-keys g
    xl debug-keys e
    sleep 1
    xl dmesg -c >/out/usage.log
    grants=$(grep -cE '^\(XEN\) \[0x[0-9a-f]+\] ' /out/usage.log)
    ports=$(grep -cE '^\(XEN\) +[0-9]+ \[[0-9]/[0-9]/' /out/usage.log)
    echo "$grants $ports $(xl info free_memory)"
}

# as_before USAGE: what is in use is again what usage_now has said. Xen takes
# a moment to clear away a domain.
as_before()
{
    tries=0
    while now=$(usage_now) && [ "$now" != "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 10 ] ||
            fail "grants, event channels, free MiB were $1 and are $now"
    done
}

# wait_reason NAME CODE: that the domain has ended, and why (see reason).
ended_by()
{
    [ "$(reason "$1")" = "$2" ]
}
wait_reason()
{
    until_ok 30 ended_by "$1" "$2" || fail "$1 ended with reason" \
        "'$(reason "$1")', not $2; state $(state "$1")," \
        "console: $(tail -n 1 "$(console "$1")")"
}

# wait_record NAME STATUS: the last words on the console.
recorded()
{
    [ "$(exit_record "$1")" = "$2" ]
}
wait_record()
{
    until_ok 5 recorded "$1" "$2" || fail "$1 leaves the status" \
        "'$(exit_record "$1")', not $2"
}

# size NAME: what Xen has given the domain, in MiB.
size()
{
    xl list "$1" | awk 'NR == 2 { print $3 }'
}

# mem_set NAME MIB: xl mem-set, and until the domain has followed. Xen counts
# some pages that are not of the balloon.
has_size()
{
    [ "$(size "$1")" -le $(($2 + 1)) ] && [ "$(size "$1")" -ge $(($2 - 1)) ]
}
mem_set()
{
    say "$1: $2 MiB, from $(size "$1")"
    xl mem-set "$1" "$2" || fail "xl mem-set $1 $2"
    until_ok 30 has_size "$1" "$2" || fail "$1 has $(size "$1") MiB, not $2"
}

# goes_on NAME: "guest load" does two rounds more.
rounds()
{
    grep -ac "guest: round" "$(console "$1")"
}
counted()
{
    [ "$(rounds "$1")" -ge "$2" ]
}
goes_on()
{
    until_ok 60 counted "$1" $(($(rounds "$1") + 2)) ||
        fail "$1 does not go on: $(tail -n 2 "$(console "$1")")"
}
