# SPDX-License-Identifier: BSD-3-Clause
# pages: asks the guest for every page of the site, by the forwarded port, and
# the same server as a process here, with this machine's sockets.
# load: wrk for two seconds, without an error.
set -u
guest=http://127.0.0.1:$PORT_1
work=$(mktemp -d) || exit 1
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

# get URL NAME: headers, but for the date, and all bytes, into $work/NAME.
get()
{
    curl -s -S -m 30 --retry 40 --retry-delay 1 --retry-connrefused \
        -D "$work/headers" -o "$work/page" "$1" || return 1
    grep -vi '^date:' "$work/headers" | cat - "$work/page" >"$work/$2"
}

pages()
{
    port=$((PORT_1 + 4))
    PORT=$port WEB_ROOT=examples/site build/halvm-net/web-host \
        >"$work/log" 2>&1 &
    server=$!
    for file in '' $(ls examples/site) nothing.html; do
        get "http://127.0.0.1:$port/$file" process &&
            get "$guest/$file" guest &&
            cmp "$work/process" "$work/guest" || return 1
        [ ! -f "examples/site/$file" ] ||
            cmp "examples/site/$file" "$work/page" || return 1
    done
    echo "pages are the same"
    # Both ways, more than any buffer holds.
    [ "$(curl -s -m 60 "$guest/1000000" | wc -c)" = 1000000 ] &&
        [ "$(head -c 1000000 /dev/zero |
            curl -s -m 60 -T - "$guest/put")" = 1000000 ]
}

load()
{
    wrk -t 1 -c 8 -d 2s --timeout 20s "$guest/" >"$work/wrk" || return 1
    cat "$work/wrk"
    grep -Eq '^ *[1-9][0-9]* requests' "$work/wrk" &&
        ! grep -Eq 'Socket errors|Non-2xx' "$work/wrk"
}

"$1"
