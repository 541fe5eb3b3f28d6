# SPDX-License-Identifier: BSD-3-Clause
# Saved and restored, twenty times, as PV and as PVH; the server answers.
#
# long: some minutes
# files: build/examples/web
# forward: 10.0.2.52:8080
# forward: 10.0.2.53:8080
# timeout: 900
. /lib/lib.sh

last=52
for kind in pv pvh; do
    ip=10.0.2.$last
    create web.cfg "type=\"$kind\"" "name=\"$kind\"" \
        "vif=[\"mac=00:16:3e:00:00:$last,bridge=xenbr0\"]" \
        "extra=\"halvm.ip=$ip/24 halvm.gw=10.0.2.2\""
    wait_console $kind "listening on port"
    fetch http://$ip:8080/ /dev/null || fail "$kind: no page"
    before=
    for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        # A disk of the host's: dom0 has no room for it.
        xl save $kind /dev/vdc >>/out/save.log 2>&1 || fail "save $number"
        wait_gone $kind
        xl restore /dev/vdc >>/out/save.log 2>&1 || fail "restore $number"
        until_ok 30 fetch http://$ip:8080/healthz /dev/null ||
            fail "$kind: no answer after restore $number"
        # dom0 may keep something from the first time.
        if [ $number -eq 2 ]; then
            before=$(usage_now)
            say "$kind: $before"
        fi
    done
    as_before "$before"
    ask page $((last - 51)) || fail "$kind: not from the host"
    xl shutdown $kind
    wait_gone $kind
    last=$((last + 1))
done
