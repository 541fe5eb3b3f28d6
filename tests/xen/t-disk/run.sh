# SPDX-License-Identifier: BSD-3-Clause
# A disk, as PV and as PVH: read and written, then seen from dom0.
#
# program: guest
. /lib/lib.sh

for kind in pv pvh; do
    dd if=/dev/urandom of=/tmp/disk bs=1M count=4 2>/dev/null
    dd if=/tmp/disk of=/tmp/half bs=1M count=2 2>/dev/null
    say "$kind"
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" 'extra="-- disk"'
    wait_console $kind "guest: disk of 4194304 bytes"
    wait_gone $kind
    wait_record $kind 0
    sync
    dd if=/tmp/disk bs=1M skip=2 2>/dev/null | cmp - /tmp/half ||
        fail "$kind: the second half is not the first"
done
