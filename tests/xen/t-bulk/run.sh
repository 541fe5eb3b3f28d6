# SPDX-License-Identifier: BSD-3-Clause
# Bulk TCP through netfront, as PV and as PVH, both ways at once and over IPv4
# and IPv6: every byte comes back as it went, in large frames both ways. The
# other side is dom0's Linux, where the client is a static Linux program.
#
# program: tests/net/peer
# program: tests/net/client
. /lib/lib.sh

# counts VIF: bytes and frames from the guest, and to it.
counts()
{
    for what in rx_bytes rx_packets tx_bytes tx_packets; do
        cat "/sys/class/net/$1/statistics/$what"
    done | tr '\n' ' '
}

# large FOUR COUNTS, FOUR COUNTS BEFORE: a frame has more than two segments on
# the average, both ways.
large()
{
    say "$kind: $(($1 - $5)) bytes in $(($2 - $6)) frames sent," \
        "$(($3 - $7)) in $(($4 - $8)) received"
    [ $((($1 - $5) / ($2 - $6))) -gt 3100 ] &&
        [ $((($3 - $7) / ($4 - $8))) -gt 3100 ]
}

# both ADDRESS BYTES
both()
{
    before=$(counts "$vif")
    ./client stream "$1" 7 "$2" 2>/out/client.log ||
        fail "$kind, $1: $(cat /out/client.log)"
    # shellcheck disable=SC2046,SC2086 # words
    large $(counts "$vif") $before || fail "$kind, $1: no large frames"
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
