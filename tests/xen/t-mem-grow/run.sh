# SPDX-License-Identifier: BSD-3-Clause
# xl mem-set to more than the domain began with, up to its maxmem, while the
# guest fills and checks 24 MiB again and again, as PV and as PVH.
#
# program: guest
. /lib/lib.sh

for kind in pv pvh; do
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" 'extra="-- load 24"'
    goes_on $kind
    for target in 96 128 80; do
        mem_set $kind $target
        goes_on $kind
    done
    say "$kind: $(tail -n 1 "$(console $kind)")"
    xl destroy $kind
    wait_gone $kind
done
