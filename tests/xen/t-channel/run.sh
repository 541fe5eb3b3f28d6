# SPDX-License-Identifier: BSD-3-Clause
# Two guests and a typed channel between them (examples/channel): PV and PVH in
# both directions, messages of no bytes to 1 MiB compared; closed and connected
# again; a reader that is interrupted all the time; the server destroyed and
# replaced, the client destroyed; each with dom0, where the same file is a Linux
# process; and in the end nothing stays granted, bound, or in XenStore.
#
# files: build/examples/channel
# timeout: 300
. /lib/lib.sh

# guest NAME KIND ARGUMENTS
guest()
{
    create guest.cfg "name=\"$1\"" "type=\"$2\"" 'kernel="/test/channel"' \
        "extra=\"-- $3\""
}

# empty NAME: no client and no link is left in the domain's part of XenStore.
empty()
{
    home=/local/domain/$(xl domid "$1")/data/halvm
    [ -z "$(xenstore-list "$home/links" 2>/dev/null)" ] &&
        [ -z "$(xenstore-list "$home/names/echo/clients" 2>/dev/null)" ]
}

xenstore-write /halvm ""
xenstore-chmod /halvm b0
for kinds in "pv pvh" "pvh pv"; do
    server=${kinds% *} client=${kinds#* }
    guest "server-$server" "$server" "server echo"
    wait_console "server-$server" "serving echo"
    guest "client-$client" "$client" \
        "client echo $(xl domid "server-$server")"
    wait_console "client-$client" "all is well" 120
    wait_gone "client-$client"
    wait_record "client-$client" 0
    say "$client to $server: three times"
    until_ok 10 empty "server-$server" ||
        fail "left in XenStore: $(xenstore-ls "$home" | tr '\n' ' ')"
    [ "$kinds" = "pvh pv" ] || xl destroy "server-$server"
done

# dom0 as the client, and as the server.
timeout 60 ./channel client echo "$(xl domid server-pvh)" >/out/dom0-client 2>&1
grep -q "all is well" /out/dom0-client ||
    fail "dom0 as the client: $(tail -n 1 /out/dom0-client)"
./channel server dom0 >/out/dom0-server 2>&1 &
process=$!
guest to-dom0 pvh "client dom0 0"
wait_console to-dom0 "all is well"
wait_gone to-dom0
kill $process
say "dom0: client and server"

# One that gives up waiting all the time, also in the middle of a message.
for kind in pv pvh; do
    guest impatient-$kind $kind "impatient echo"
    wait_console impatient-$kind "patience was not needed" 120
    wait_gone impatient-$kind
    wait_record impatient-$kind 0
done
say "impatient"

# A client that is destroyed is noticed, and another comes.
server=server-pvh
usage=$(usage_now)
guest hold pv "hold echo"
wait_console hold "connected to domain $(xl domid $server)"
xl destroy hold
wait_console $server "the other domain is gone"
until_ok 10 empty $server || fail "the client that died is in XenStore"
as_before "$usage"
guest hold pvh "hold echo"
wait_console hold "connected to domain $(xl domid $server)"

# So is a server, and the client finds the one in its place.
xl destroy $server
wait_console hold "the server is gone"
guest server-pv pv "server echo"
wait_console hold "connected to domain $(xl domid server-pv)"
say "a server in place of the other"
xl destroy hold

guest one pv "peer pair $(($(xl domid server-pv) + 2))"
guest two pvh "peer pair $(xl domid one)"
for name in one two; do
    wait_console $name "the peers agree"
    wait_gone $name
    wait_record $name 0
done
