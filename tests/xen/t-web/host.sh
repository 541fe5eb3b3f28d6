# SPDX-License-Identifier: BSD-3-Clause
# pages N: asks the server for what it has, from the host,
# by the N-th forwarded port.
set -u
eval "url=http://127.0.0.1:\$PORT_$2"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# get PATH: into $work/got.
get()
{
    curl -s -S -f -m 30 -o "$work/got" "$url$1"
}

for file in examples/site/*; do
    [ -f "$file" ] || continue
    get "/${file##*/}" && cmp "$work/got" "$file" || exit 1
done
get /status.json && cat "$work/got" &&
    python3 -m json.tool <"$work/got" >/dev/null &&
    grep -q '"/dev/vda": "written by dom0"' "$work/got" || exit 1
count=0
while [ $count -lt 30 ]; do
    get / && cmp "$work/got" examples/site/index.html || exit 1
    count=$((count + 1))
done
