/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tp_set() sets what %fs is relative to; switching stacks keeps registers.
 */
#include "check.h"

static uint64_t block[2] = {0x1234, 0x5678};
static uint8_t stack[8192] __attribute__((aligned(16)));
static uint64_t main_sp, other_sp;
static unsigned steps;

static uint64_t fs_word(uint64_t offset)
{
    uint64_t word;

    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(word) : "r"(offset));
    return word;
}

static void other(void)
{
    CHECK((uint64_t)__builtin_frame_address(0) % 16 == 0);
    for (;;) {
        steps++;
        arch_switch(&other_sp, main_sp);
    }
}

void test_main(void)
{
    struct arch_frame frame;

    base->tp_set((uint64_t)block);
    CHECK(fs_word(0) == 0x1234 && fs_word(8) == 0x5678);
    base->tp_set((uint64_t)(block + 1));
    CHECK(fs_word(0) == 0x5678);

    arch_switch_call(&main_sp, stack + sizeof(stack), other);
    CHECK(steps == 1);
    arch_switch(&main_sp, other_sp);
    CHECK(steps == 2);
    CHECK(arch_capture(&frame) == 0);
    CHECK(frame.rip >= info->image_start && frame.rip < info->image_end);
    pass();
}
