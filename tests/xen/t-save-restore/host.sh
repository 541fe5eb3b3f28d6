# SPDX-License-Identifier: BSD-3-Clause
# page PORT: asks the restored server, from the host.
curl -s -S -f -m 30 -o /dev/null "http://127.0.0.1:$2/" &&
    curl -s -S -f -m 30 "http://127.0.0.1:$2/status.json"
