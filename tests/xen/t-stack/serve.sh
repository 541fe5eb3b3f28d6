# SPDX-License-Identifier: BSD-3-Clause
# For run.sh of t-stack and t-stack-long.

# bulk NAME: ten megabytes each way between the server and dom0's Linux, in large
# frames; the other way are the acknowledgements.
bulk()
{
    bytes=10000000
    vif=vif$(xl domid "$1").0
    before=$(vif_counts "$vif")
    [ "$(wget -q -O - http://$ip:8080/$bytes | wc -c)" = $bytes ] ||
        fail "$1: not $bytes bytes from it"
    large_since "$vif" "$before" 2000 0 || fail "$1: no large frames from it"
    before=$(vif_counts "$vif")
    # It sends a text, up to the first 0.
    head -c $bytes /dev/zero | tr '\0' x >/tmp/text
    [ "$(wget -q -O - --post-file /tmp/text http://$ip:8080/)" = $bytes ] ||
        fail "$1: not $bytes bytes to it"
    rm /tmp/text
    large_since "$vif" "$before" 0 3100 || fail "$1: no large frames to it"
}

# serve_all PROGRAM ...: each as PV and as PVH; the host asks for its pages
# through the bridge, compares them with those of the same server as a Linux
# process, and loads it; dom0 moves much.
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
            bulk "$name"
            ask load || fail "$name: see host.log"
            xl destroy "$name"
            wait_gone "$name"
        done
    done
}
