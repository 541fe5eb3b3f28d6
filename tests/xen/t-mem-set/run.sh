# SPDX-License-Identifier: BSD-3-Clause
# xl mem-set, down and up, while the guest fills and checks 24 MiB again and
# again, as PV and as PVH.
#
# program: guest
. /lib/lib.sh

# size NAME: what Xen has given the domain, in MiB; at_most, at_least NAME MIB.
size()
{
    xl list "$1" | awk 'NR == 2 { print $3 }'
}
at_most()
{
    [ "$(size "$1")" -le "$2" ]
}
at_least()
{
    [ "$(size "$1")" -ge "$2" ]
}

# rounds NAME: that the guest has counted; two_more NAME: that it goes on.
rounds()
{
    grep -ac "guest: round" "$(console "$1")"
}
further()
{
    [ "$(rounds "$1")" -ge "$2" ]
}
two_more()
{
    until_ok 60 further "$1" $(($(rounds "$1") + 2)) ||
        fail "$1 does not go on: $(tail -n 2 "$(console "$1")")"
}

for kind in pv pvh; do
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" 'extra="-- load 24"'
    two_more $kind
    for target in 48 96 44 64; do
        say "$kind: $target MiB, from $(size $kind)"
        xl mem-set $kind $target || fail "xl mem-set $kind $target"
        # Xen counts some pages that are not of the balloon.
        until_ok 30 at_most $kind $((target + 1)) ||
            fail "$kind keeps $(size $kind) MiB of $target"
        until_ok 30 at_least $kind $((target - 1)) ||
            fail "$kind has only $(size $kind) MiB of $target"
        two_more $kind
    done
    say "$kind: $(tail -n 1 "$(console $kind)")"
    xl destroy $kind
    wait_gone $kind
done
