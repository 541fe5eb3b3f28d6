# SPDX-License-Identifier: BSD-3-Clause
# The web server with network, files and a disk, as PV and as PVH; dom0 and the
# host, through the bridge, ask for its pages.
#
# files: build/examples/web examples/site
# forward: 10.0.2.50:8080
# forward: 10.0.2.51:8080
# timeout: 400
. /lib/lib.sh

dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null
echo "written by dom0" | dd of=/tmp/disk conv=notrunc 2>/dev/null
last=50
for kind in pv pvh; do
    ip=10.0.2.$last
    create web.cfg "type=\"$kind\"" "name=\"$kind\"" \
        "vif=[\"mac=00:16:3e:00:00:$last,bridge=xenbr0\"]" \
        "extra=\"halvm.ip=$ip/24 halvm.gw=10.0.2.2 -- -v / -d /dev/vda\""
    wait_console $kind "listening on port"
    say "$kind: listening"
    ping -c 3 -i 0.2 $ip >/out/ping-$kind.log || fail "$kind: no ping"
    fetch http://$ip:8080/ /out/page-$kind || fail "$kind: no page"
    ask pages $((last - 49)) || fail "$kind: not from the host"
    say "$kind: asked"
    xl shutdown $kind
    wait_gone $kind
    wait_reason $kind 0
    last=$((last + 1))
done
