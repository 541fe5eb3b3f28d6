# SPDX-License-Identifier: BSD-3-Clause
# Bulk TCP through netfront, as PV and as PVH, both ways at once and over IPv4
# and IPv6: every byte comes back as it went, in large frames both ways. The
# other side is dom0's Linux, where the client is a static Linux program.
#
# program: tests/net/peer
# program: tests/net/client
. /lib/lib.sh

# both ADDRESS BYTES
both()
{
    before=$(vif_counts "$vif")
    ./client stream "$1" 7 "$2" 2>/out/client.log ||
        fail "$kind, $1: $(cat /out/client.log)"
    large_since "$vif" "$before" 3100 3100 || fail "$kind, $1: no large frames"
}

for kind in pv pvh; do
    create guest.cfg "type=\"$kind\"" "name=\"$kind\"" \
        'kernel="/test/peer"' 'extra="halvm.ip=10.0.2.50/24"'
    wait_console $kind "peer: listening"
    vif=vif$(xl domid $kind).0
    both 10.0.2.50 20000003
    both fe80::216:3eff:fe00:50%xenbr0 5000003
    xl destroy $kind
    wait_gone $kind
done
