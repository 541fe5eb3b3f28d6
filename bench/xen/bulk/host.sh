# SPDX-License-Identifier: BSD-3-Clause
# KIND WAY: the load on the domain, by way of the tap; its line goes where
# bench/run looks for it.
exec build/bench/load build/bench/counts 10.0.2.50 9000 "$2" 64 \
    >"build/bench/xen-bulk.$1.$2"
