# SPDX-License-Identifier: BSD-3-Clause
# As t-load, for a minute each.
#
# long: five minutes
# files: build/examples/httpd build/examples/web
# files: tests/xen/t-load/load.sh tests/xen/t-load/guest.cfg
# forward: 10.0.2.50:8080
# timeout: 900
. /lib/lib.sh
. ./load.sh

load_all 60
