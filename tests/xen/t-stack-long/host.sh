# SPDX-License-Identifier: BSD-3-Clause
# The host side of t-stack: the same pages are wanted.
. tests/xen/t-stack/host.sh
