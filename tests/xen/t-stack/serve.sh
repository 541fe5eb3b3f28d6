# SPDX-License-Identifier: BSD-3-Clause
# For run.sh of t-stack and t-stack-long.

# serve_all PROGRAM ...: each as PV and as PVH; the host asks for its pages
# through the bridge, compares them with those of the same server as a Linux
# process, and loads it.
serve_all()
{
    ip=10.0.2.50
    for kind in pv pvh; do
        for program; do
            name=$program-$kind
            network="HALVM_NET=$ip/24,10.0.2.2"
            [ "$program" = web ] || network="halvm.ip=$ip/24 halvm.gw=10.0.2.2"
            create stack.cfg "type=\"$kind\"" "name=\"$name\"" \
                "kernel=\"/test/$program\"" \
                "extra=\"WEB_ROOT=/ $network\""
            wait_console "$name" "listening on port"
            say "$name: listening"
            ping -c 3 -i 0.2 $ip >/out/ping-"$name".log || fail "$name: no ping"
            ask pages || fail "$name: see host.log"
            ask load || fail "$name: see host.log"
            xl destroy "$name"
            wait_gone "$name"
        done
    done
}
