# SPDX-License-Identifier: BSD-3-Clause
# Domains that come and go, ten PV and ten PVH, with network and disk: grants,
# event channels and memory of Xen are afterwards what they were.
#
# long: a minute and more
# files: build/examples/web
# timeout: 900
. /lib/lib.sh

# cycle NAME KIND
cycle()
{
    create web.cfg "type=\"$2\"" "name=\"$1\"" \
        'extra="halvm.ip=10.0.2.50/24 halvm.gw=10.0.2.2"'
    wait_console "$1" "listening on port"
    fetch http://10.0.2.50:8080/ /dev/null || fail "$1: no page"
    xl shutdown "$1"
    wait_gone "$1"
    wait_reason "$1" 0
}

dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null
# What dom0 keeps from the first of each kind is no leak.
cycle first-pv pv
cycle first-pvh pvh
sleep 2
before=$(usage_now)
say "before: $before"
for number in 0 1 2 3 4 5 6 7 8 9; do
    cycle pv-$number pv
    cycle pvh-$number pvh
done
as_before "$before"
say "after: $before"
