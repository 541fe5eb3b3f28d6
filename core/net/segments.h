/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP's frames made ready for the device. Monitor held.
 */
#ifndef HALVM_NET_SEGMENTS_H
#define HALVM_NET_SEGMENTS_H

#include "core/net/net.h"

/* frames[]: whole ones in the order in which they leave, data and size set.
 * Asks for the checksums of TCP's if the device completes them, which lwIP has
 * left out then, and joins what follows each other if it cuts that kind, into
 * large frames of cut_size_max bytes at most. The frames' own memory is changed
 * and may be given again. */
void net_segments_prepare(struct base_net_frame *frames, unsigned count,
                          uint32_t features, uint32_t cut_size_max);

#endif
