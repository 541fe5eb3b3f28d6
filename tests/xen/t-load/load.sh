# SPDX-License-Identifier: BSD-3-Clause
# For run.sh of t-load and t-load-long.

# load_all SECONDS: the C server and warp's, as PV and as PVH, answer wrk with
# no error and in every second; and dom0's fetch, afterwards.
load_all()
{
    for kind in pv pvh; do
        for program in httpd web; do
            name=$program-$kind
            create guest.cfg "type=\"$kind\"" "name=\"$name\"" \
                "kernel=\"/test/$program\"" \
                'extra="halvm.ip=10.0.2.50/24 halvm.gw=10.0.2.2"'
            wait_console "$name" "listening on port"
            ask load "$1" || fail "$name: see host.log"
            fetch http://10.0.2.50:8080/ /out/page-"$name" ||
                fail "$name: no page afterwards"
            xl shutdown "$name"
            wait_gone "$name"
            wait_reason "$name" 0
        done
    done
}
