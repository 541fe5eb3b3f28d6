# SPDX-License-Identifier: BSD-3-Clause
exec sh tests/xen/t-load/host.sh "$@"
