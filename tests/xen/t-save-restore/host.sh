# SPDX-License-Identifier: BSD-3-Clause
# page N: asks the restored server, from the host,
# by the N-th forwarded port.
eval "url=http://127.0.0.1:\$PORT_$2"
curl -s -S -f -m 30 -o /dev/null "$url/" &&
    curl -s -S -f -m 30 "$url/status.json"
