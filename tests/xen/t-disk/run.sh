# SPDX-License-Identifier: BSD-3-Clause
# A disk, as PV and as PVH: read and written, then seen from dom0; its second
# half given back, which dom0 sees, too; and a backend that takes no discards.
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
    create guest.cfg "type=\"$kind\"" "name=\"$kind-give\"" \
        'extra="-- discard"'
    wait_record $kind-give 0
    wait_gone $kind-give
    sync
    [ "$(du -k /tmp/disk | cut -f 1)" = 2112 ] ||
        fail "$kind: of 4 MiB $(du -k /tmp/disk | cut -f 1) KiB are in use"
    { head -c 2031616 /tmp/half && head -c 2097152 /dev/zero &&
        tail -c 65536 /tmp/half; } | cmp - /tmp/disk ||
        fail "$kind: what was not given back is not as before"
    create guest.cfg "type=\"$kind\"" "name=\"$kind-not\"" \
        'extra="-- discard"' \
        "$(sed -n 's/^disk = \["/&no-discard,/p' guest.cfg)"
    wait_console $kind-not "guest: failed: BLKDISCARD: Not supported"
    wait_gone $kind-not
done
