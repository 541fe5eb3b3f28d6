# SPDX-License-Identifier: BSD-3-Clause
# bench/run xen_ops, in dom0: bench/ops.c as PV and as PVH.
#
# files: build/bench/ops bench/xen/guest.cfg
. /lib/lib.sh

for kind in pv pvh; do
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" 'kernel="/test/ops"'
    wait_console $kind "halvm:exit=0"
    wait_gone $kind
done
