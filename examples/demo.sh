#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What `make demo` shows: one file serves a page as a Linux process, then the
# same bytes boot under QEMU and serve it again. Ends with a small table; any
# step that fails ends it with words and status 1.
#
#   examples/demo.sh [PROGRAM [MEMORY]]     build/examples/web, 64M
#
# PROGRAM takes PORT from its environment and -v FOLDER; it is built by
# `make examples`. PORT in the environment of this script: 8080 if unset.
set -u
cd "$(dirname "$0")/.." || exit 1

program=${1:-build/examples/web}
memory=${2:-64M}
port=${PORT:-8080}
halvm=${HALVM:-build/bin/halvm}
work=build/demo
url=http://127.0.0.1:$port
server=

fail() # WHAT WHY FIX
{
    printf 'demo: error: %s\n  why: %s\n  fix: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

finish()
{
    [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    server=
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

command -v curl >/dev/null || fail "curl is missing" \
    "the demo asks for pages with it" "sudo apt install curl"
[ -x "$program" ] || fail "$program is not there" "it was not built" "make demo"
[ -x "$halvm" ] || fail "$halvm is not there" "it was not built" "make"
mkdir -p $work
curl -s -o /dev/null -m 1 "$url/" && fail "port $port is taken" \
    "something answers at $url" "PORT=8081 make demo"

now_ms()
{
    echo $(($(date +%s%N) / 1000000))
}

# Asks until the server answers; sets reply_ms, counted from $start.
first_reply() # SECONDS LOG
{
    deadline=$((start + $1 * 1000))
    until curl -s -o $work/first -m 0.3 "$url/healthz"; do
        kill -0 "$server" 2>/dev/null || fail "the server ended" \
            "$(tail -n 1 "$2")" "look into $2"
        [ "$(now_ms)" -lt $deadline ] || fail "no answer in $1 s" \
            "$(tail -n 1 "$2")" "look into $2"
        sleep 0.02
    done
    reply_ms=$(($(now_ms) - start))
}

# Fetches the pages and says what they are.
look() # WHERE
{
    for page in index.html how.html calls.html style.css logo.svg; do
        curl -s -f -m 10 -o $work/page "$url/$page" ||
            fail "$page is not served $1" "curl says $?" "look into $work"
        cmp -s $work/page examples/site/$page ||
            fail "$page differs $1" "the bytes are not the file's" \
                "cmp $work/page examples/site/$page"
    done
    curl -s -f -m 10 -o $work/status "$url/status.json" ||
        fail "no status page $1" "curl says $?" "look into $work"
    printf '  %s\n' "$(cat $work/status)"
}

sum_of()
{
    sha256sum "$program" | cut -d ' ' -f 1
}

echo "== $program as a Linux process =="
sum_linux=$(sum_of)
start=$(now_ms)
PORT=$port "$program" -v examples/site >$work/linux.log 2>&1 &
server=$!
first_reply 20 $work/linux.log
linux_ms=$reply_ms
look "on Linux"
resident=$(sed -n 's/^VmRSS:[[:space:]]*//p' /proc/$server/status)
kill -TERM $server
wait $server
status=$?
server=
[ $status -eq 0 ] || fail "SIGTERM gave status $status" \
    "the server did not end in order" "look into $work/linux.log"

echo "== the same file under QEMU, $memory =="
start=$(now_ms)
"$halvm" run --on qemu -m "$memory" -p "$port:8080" -e PORT=8080 \
    -v examples/site:/www:ro "$program" -v /www \
    </dev/null >$work/qemu.log 2>&1 &
server=$!
first_reply 120 $work/qemu.log
qemu_ms=$reply_ms
look "under QEMU"
sum_qemu=$(sum_of)
kill -TERM $server # halvm presses the power button; the program gets SIGTERM
wait $server
status=$?
server=
case $status in
0 | 143) ;;
*) fail "powering off gave status $status" "$(tail -n 1 $work/qemu.log)" \
    "look into $work/qemu.log" ;;
esac
[ "$sum_linux" = "$sum_qemu" ] || fail "the file changed" \
    "$sum_linux is not $sum_qemu" "run it again"

size=$(stat -c %s "$program")
printf '\n%-26s %14s %14s\n' '' 'Linux' 'QEMU'
printf '%-26s %14s %14s\n' 'image (bytes)' "$size" "$size"
printf '%-26s %14s %14s\n' 'sha256' "$(echo "$sum_linux" | cut -c 1-12)" \
    "$(echo "$sum_qemu" | cut -c 1-12)"
printf '%-26s %14s %14s\n' 'memory' "$resident used" "$memory given"
printf '%-26s %14s %14s\n' 'start to first reply (ms)' "$linux_ms" "$qemu_ms"
