/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much memory a program needs before it has asked for any: the sum of what
 * is known from its file. Called by inspect, run and config.
 *
 *   the hole      640 KiB to 1 MiB of a PC's memory is no RAM
 *   the image     as far as it is loaded, zeroed data included
 *   core          boot data, page tables, core's first pages
 *   the stack     of the first thread: a 32nd of the RAM, from 8 MiB on an
 *                 eighth, between 64 KiB and 8 MiB or what the image declares
 *                 (core/main.c; a Haskell image: 1 MiB)
 *   the network   the stack's first pages and the card's buffers, if linked;
 *                 for a Haskell server that threads also one more thread and
 *                 what a few connections take
 *   the heap      GHC's: a block of 1 MiB, and what its runtime allocates with
 *                 malloc
 *   its threads   the threaded runtime has five: 132 KiB of stack each, and a
 *                 page in core; and the governor's watcher, whose stack is 128
 *                 KiB in the threaded runtime, 16 in the other
 *
 * The sizes below were read from /proc/halvm/memory at start;
 * tests/tools/memory.sh boots at the sum.
 */
#include "halvm.h"

#define KIB           1024ull
#define STEP          (64 * KIB)
#define HOLE          (384 * KIB)
#define CORE          (72 * KIB)
#define STACK_MIN     (64 * KIB)
#define STACK_MAX     (8 * MIB)
#define SMALL_MACHINE (8 * MIB)
#define NETWORK       (176 * KIB)
#define CONNECTIONS   (256 * KIB)
#define HEAP          (1024 * KIB + 64 * KIB)
#define WATCHER       ((16 + 12) * KIB)
#define THREADS       ((5 * (132 + 4) + 128 + 12) * KIB)

/* Room to work in, for the size that is recommended: copying live data takes
 * as much again, and the network may hold a quarter (LIMIT_NET_SHARE). */
#define WORK    (MIB / 2)
#define WORK_HS (8 * MIB)

static uint64_t stack_size(const struct memory_sum *sum, uint64_t memory)
{
    uint64_t ram = memory > HOLE ? memory - HOLE : 0;
    uint64_t size = ram < SMALL_MACHINE ? ram / 32 : ram / 8;

    if (size > sum->stack_max)
        size = sum->stack_max;
    return size > STACK_MIN ? size : STACK_MIN;
}

static uint64_t without_stack(const struct memory_sum *sum)
{
    return sum->hole + sum->image + sum->core + sum->network + sum->heap +
           sum->threads;
}

bool memory_fits(const struct memory_sum *sum, uint64_t memory)
{
    return memory >= sum->image_end &&
           memory >= without_stack(sum) + stack_size(sum, memory);
}

void memory_sum(const struct image *image, struct memory_sum *sum)
{
    *sum = (struct memory_sum){
        .hole = HOLE,
        .image = (image->end - image->start + 4095) / 4096 * 4096,
        .image_end = image->end,
        .stack_max = image->stack_max ? image->stack_max : STACK_MAX,
        .core = CORE,
        .network = image->network ? NETWORK : 0,
        .heap = image->haskell ? HEAP : 0,
        .threads = image->threaded  ? THREADS
                   : image->haskell ? WATCHER
                                    : 0,
    };
    if (image->network && image->threaded)
        sum->network += CONNECTIONS;
    sum->least = (without_stack(sum) + STEP - 1) / STEP * STEP;
    while (!memory_fits(sum, sum->least))
        sum->least += STEP;
    sum->stack = stack_size(sum, sum->least);
    sum->advised = sum->least + (image->haskell ? WORK_HS : WORK);
    if (image->network)
        sum->advised += sum->advised / 3;
    sum->advised = (sum->advised + MIB - 1) / MIB * MIB;
    while (!memory_fits(sum, sum->advised))
        sum->advised += MIB;
}

char *memory_sum_text(const struct memory_sum *sum)
{
    const struct {
        const char *name;
        uint64_t size;
    } parts[] = {
        {"image", sum->image},      {"core", sum->core},
        {"stack", sum->stack},      {"network", sum->network},
        {"heap", sum->heap},        {"its threads", sum->threads},
        {"a PC's hole", sum->hole},
    };
    char *text = words_copy("", 0);

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (parts[i].size)
            text = words_format("%s%s%s %llu", text, *text ? ", " : "",
                                parts[i].name,
                                (unsigned long long)(parts[i].size / KIB));
    if (sum->image_end > without_stack(sum) + sum->stack)
        text = words_format("%s; the image ends at %llu", text,
                            (unsigned long long)(sum->image_end / KIB));
    return text;
}
