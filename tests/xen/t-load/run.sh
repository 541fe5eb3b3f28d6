# SPDX-License-Identifier: BSD-3-Clause
# The web servers under load for five seconds each, from the host: see load.sh.
#
# files: build/examples/httpd build/examples/web
# forward: 10.0.2.50:8080
. /lib/lib.sh
. ./load.sh

load_all 5
