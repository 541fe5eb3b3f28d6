# SPDX-License-Identifier: BSD-3-Clause
# halvm-net under a server that does not know of it, as PV and as PVH: see
# serve.sh.
#
# files: build/halvm-net/web examples/site
# forward: 10.0.2.50:8080
. /lib/lib.sh
. ./serve.sh

serve_all web
