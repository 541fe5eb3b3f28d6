# SPDX-License-Identifier: BSD-3-Clause
# KIND: the load on the domain, by way of the tap; its line goes where bench/run
# looks for it.
exec build/bench/load build/bench/counts 10.0.2.50 8080 http 3000 \
    >"build/bench/xen.$1"
