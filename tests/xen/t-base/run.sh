# SPDX-License-Identifier: BSD-3-Clause
# The promises of base.h that a first domain cannot be asked for, as PV and as
# PVH: disks (blkfront), network (netfront), and the operator's shutdown, which
# is the power button. tests/base/run has the others.
#
# long: half a minute
# base: power virtio_blk virtio_net
. /lib/lib.sh

disk=format=raw,vdev=xvda,access=rw,backendtype=phy,script=block,target=/tmp/disk

# image NAME KIND [KEY=VALUE ...]
image()
{
    name=$1-$2
    kind=$2
    image=$1
    shift 2
    create guest.cfg "name=\"$name\"" "type=\"$kind\"" \
        "kernel=\"/test/$image\"" "$@"
}

dd if=/dev/zero of=/tmp/disk bs=1M count=8 2>/dev/null
for kind in pv pvh; do
    image virtio_blk $kind "disk=[\"$disk\"]"
    image virtio_net $kind 'vif=["mac=00:16:3e:00:00:50,bridge=xenbr0"]'
    image power $kind
    wait_console power-$kind ready
    xl shutdown power-$kind
    for name in virtio_blk virtio_net power; do
        wait_gone $name-$kind 60
        wait_record $name-$kind 0
        wait_reason $name-$kind 0
        say "$kind: $name"
    done
done
