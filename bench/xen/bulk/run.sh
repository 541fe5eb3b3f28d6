# SPDX-License-Identifier: BSD-3-Clause
# bench/run xen_bulk, in dom0: bench/bulk.c ("program") as PV and as PVH, and
# each time the load from the host, both ways.
#
# files: build/bench/program bench/xen/guest.cfg
. /lib/lib.sh

for kind in pv pvh; do
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" \
        'kernel="/test/program"' 'extra="halvm.ip=10.0.2.50/24"'
    for way in receive send; do
        ask $kind $way || fail "$kind: no $way"
    done
    xl destroy $kind
    wait_gone $kind
done
