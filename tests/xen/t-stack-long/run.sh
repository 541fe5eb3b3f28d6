# SPDX-License-Identifier: BSD-3-Clause
# One server over halvm-net and over lwIP, as PV and as PVH: see serve.sh.
#
# long: four servers, each under load
# files: build/halvm-net/web build/halvm-net/web-host examples/site
# files: tests/xen/t-stack/serve.sh tests/xen/t-stack/stack.cfg
# forward: 10.0.2.50:8080
# timeout: 600
. /lib/lib.sh
. ./serve.sh

serve_all web web-host
