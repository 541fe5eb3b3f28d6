#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The example web server from outside: pages, headers, status, load, end.
# Started by tests/run in the top folder with ON, GHC and HALVM set.
set -u

work=build/tests/web
program=$work/web
port=18471
url=http://127.0.0.1:$port
mkdir -p $work

fail()
{
    echo "failed: $*"
    stop
    exit 1
}

stop()
{
    [ -n "${server:-}" ] || return 0
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    server=
}
trap stop EXIT

$GHC -v0 -O -threaded -rtsopts -iexamples/web -outputdir $work/obj \
    '-DGIT_HASH="test"' -o $program examples/web/Main.hs || exit 1

case $ON in
xen-*)
    echo "a first domain has no network; tests/xen/t-web runs it as a guest"
    exit 77
    ;;
linux)
    PORT=$port $program -v examples/site >$work/log 2>&1 &
    ;;
qemu | qemu-q35 | qemu-pc)
    machine=${ON#qemu-}
    [ "$machine" = qemu ] && machine=microvm
    "$HALVM" run --on qemu --machine "$machine" -m 128M --timeout 500 \
        -p $port:8080 -v examples/site:/www:ro $program -v /www \
        </dev/null >$work/log 2>&1 &
    ;;
esac
server=$!

tries=0
until curl -s -m 2 -o /dev/null $url/healthz; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || fail "no answer within a minute"
    kill -0 $server 2>/dev/null || fail "it ended: $(tail -n 1 $work/log)"
    sleep 1
done

# code PATH WANTED [CURL OPTIONS]
code()
{
    path=$1 wanted=$2
    shift 2
    got=$(curl -s -m 20 --path-as-is -o $work/body -w '%{http_code}' "$@" \
        "$url$path")
    [ "$got" = "$wanted" ] || fail "$path answers $got, not $wanted"
}

code / 200
cmp -s $work/body examples/site/index.html || fail "index.html differs"
for page in index.html how.html calls.html style.css logo.svg robots.txt; do
    code /$page 200
    cmp -s $work/body examples/site/$page || fail "$page differs"
done
code /missing 404
code /../httpd.c 404
code /%2e%2e/httpd.c 404
code /..%2fhttpd.c 404
code / 405 -X POST -d x
code /healthz 200
code /status 200
grep -q 'git hash' $work/body || fail "no git hash on the status page"
code /status.json 200
grep -q '"git_hash": "test"' $work/body || fail "no git hash in the status"
case $ON in
linux) want='"base": "linux"' ;;
*) want='"base": "hw"' ;;
esac
grep -q "$want" $work/body || fail "status says $(cat $work/body)"
code / 200 -I
headers=$(curl -s -m 20 -I $url/style.css | tr -d '\r')
echo "$headers" | grep -qi '^content-type: text/css' || fail "type of style.css"
modified=$(echo "$headers" | sed -n 's/^[Ll]ast-[Mm]odified: //p')
[ -n "$modified" ] || fail "no Last-Modified"
code /style.css 304 -H "If-Modified-Since: $modified"
code /index.html 206 -r 0-9
[ "$(cat $work/body)" = "$(head -c 10 examples/site/index.html)" ] ||
    fail "wrong range"

# Load: many requests on kept connections, then one connection each.
if command -v ab >/dev/null; then
    for options in "-k -n 2000 -c 16" "-n 300 -c 8"; do
        # shellcheck disable=SC2086
        ab -q -s 60 $options $url/ >$work/ab 2>&1 || fail "ab $options"
        grep -q '^Failed requests: *0$' $work/ab || fail "ab $options: failures"
        grep -q '^Non-2xx' $work/ab && fail "ab $options: errors"
    done
fi
code / 200

kill -TERM $server
wait $server
status=$?
server=
case $ON in
linux) [ $status -eq 0 ] || fail "SIGTERM gave status $status" ;;
*) # halvm run presses the power button, or is ended by the signal itself
    [ $status -eq 0 ] || [ $status -eq 143 ] || [ $status -eq 137 ] ||
        fail "SIGTERM gave status $status"
    ;;
esac
echo "web: all answers right"
