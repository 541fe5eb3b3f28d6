/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwIP's mem.h and memp.h over net_alloc(), in place of its mem.c and memp.c.
 *
 * Its pools become counts: MEMP_NUM_* of lwipopts.h bounds each kind, but
 * TCP's control blocks by the machine's memory. lwIP turns a refused control
 * block into the end of the oldest in TIME_WAIT.
 */
#include "core/net/net.h"

#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/memp.h"
#include "lwip/mld6.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

/* -- mem.h -- */

void *mem_malloc(mem_size_t size)
{
    return net_alloc(size);
}

void *mem_calloc(mem_size_t count, mem_size_t size)
{
    void *memory = net_alloc(count * size); /* lwIP's own small numbers */

    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

void mem_free(void *memory)
{
    net_free(memory);
}

/* An object keeps the size it was got with. */
void *mem_trim(void *memory, mem_size_t size)
{
    return memory;
}

/* -- memp.h -- */

static uint32_t memp_used[MEMP_MAX];

struct memp_kind {
    uint16_t size;
    uint32_t count_max;
};

/* Bounded by the machine, not by a number of lwipopts.h. */
#undef MEMP_NUM_TCP_PCB
#undef MEMP_NUM_TCP_SEG
#define MEMP_NUM_TCP_PCB UINT32_MAX
#define MEMP_NUM_TCP_SEG UINT32_MAX

static const struct memp_kind memp_kinds[MEMP_MAX] = {
#define LWIP_MEMPOOL(name, num, size_, desc)                                   \
    [MEMP_##name] = {.size = (size_), .count_max = (num)},
#include "lwip/priv/memp_std.h"
};

void memp_init(void)
{
}

void *memp_malloc(memp_t type)
{
    uint32_t count_max = memp_kinds[type].count_max;
    void *object;

    if (type == MEMP_TCP_PCB)
        count_max = net_tcp_pcbs_max;
    if (memp_used[type] >= count_max)
        return NULL;
    object = net_alloc(memp_kinds[type].size);
    if (object)
        memp_used[type]++;
    return object;
}

void memp_free(memp_t type, void *object)
{
    if (!object)
        return;
    ASSERT(memp_used[type] > 0);
    memp_used[type]--;
    net_free(object);
}
