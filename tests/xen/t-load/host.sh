# SPDX-License-Identifier: BSD-3-Clause
# load SECONDS: wrk from the host, by the first forwarded port.
exec wrk -t 1 -c 8 -d "$2s" --timeout 5 -s "${0%/*}/load.lua" \
    "http://127.0.0.1:$PORT_1/"
