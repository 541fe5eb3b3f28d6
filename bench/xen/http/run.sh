# SPDX-License-Identifier: BSD-3-Clause
# bench/run xen_http, in dom0: the server "program" as PV and as PVH, and each
# time the load from the host.
#
# files: build/bench/program bench/xen/guest.cfg
. /lib/lib.sh

for kind in pv pvh; do
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" \
        'kernel="/test/program"' 'extra="halvm.ip=10.0.2.50/24"'
    wait_console $kind "listening on port"
    ask $kind || fail "$kind: no answers"
    xl destroy $kind
    wait_gone $kind
done
