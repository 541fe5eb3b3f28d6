# SPDX-License-Identifier: BSD-3-Clause
. tests/xen/t-stack/host.sh
