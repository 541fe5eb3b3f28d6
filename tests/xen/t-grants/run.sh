# SPDX-License-Identifier: BSD-3-Clause
# The second version of grant tables, as PV and as PVH: the C server under load,
# then a disk, and nothing stays granted.
#
# long: a minute
# program: guest
# files: build/examples/httpd
# files: tests/xen/t-load/guest.cfg
# forward: 10.0.2.50:8080
. /lib/lib.sh

# version NAME: of the domain's table, as Xen says.
version()
{
    xl dmesg -c >/dev/null
    xl debug-keys g
    sleep 1
    xl dmesg -c |
        sed -n "s/.*grant-table for remote d$(xl domid "$1") (v\([0-9]\)).*/\1/p"
}

dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null
usage=
for kind in pv pvh pv pvh; do
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" \
        'kernel="/test/httpd"' \
        'extra="halvm.xen.grants=2 halvm.ip=10.0.2.50/24 halvm.gw=10.0.2.2"'
    wait_console $kind "listening on port"
    [ "$(version $kind)" = 2 ] || fail "$kind: not version 2"
    ask load 5 || fail "$kind: see host.log"
    xl shutdown $kind
    wait_gone $kind
    wait_reason $kind 0
    create guest.cfg "type=\"$kind\"" "name=\"$kind-disk\"" \
        'kernel="/test/guest"' 'vif=[]' \
        'disk=["format=raw,vdev=xvda,access=rw,backendtype=phy,script=block,target=/tmp/disk"]' \
        'extra="halvm.xen.grants=2 -- disk"'
    wait_console $kind-disk "guest: disk of 4194304 bytes"
    wait_gone $kind-disk
    wait_record $kind-disk 0
    case $usage in
    "") [ $kind = pv ] || usage=$(usage_now) ;; # dom0 keeps some from the first
    esac
done
as_before "$usage"
