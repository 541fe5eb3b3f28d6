# SPDX-License-Identifier: BSD-3-Clause
# /dev/xen of a guest, PV and PVH, and of dom0's Linux, by the same programs:
# XenStore, event channels, grants. That Linux has it so is what the guests'
# are measured by.
#
# long: half a minute
# program: tests/sys/xen_store
# program: tests/sys/xen_events
# program: tests/sys/xen_grants
. /lib/lib.sh

for name in store events grants; do
    timeout 60 ./xen_$name >/out/linux-$name 2>&1 ||
        fail "Linux: $name: $(tail -n 1 /out/linux-$name)"
    say "Linux: $name"
done
for kind in pv pvh; do
    create guest.cfg "name=\"$kind\"" "type=\"$kind\"" \
        'kernel="/test/xen_store"'
    wait_gone $kind 60
    wait_record $kind 0
    grep -q "all is well" "$(console $kind)" || fail "$kind: no store"
    say "$kind: store"
done
