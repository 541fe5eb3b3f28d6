/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The report of a machine that cannot go on: cause, registers, backtrace.
 *
 * Called in any context, even from inside itself (then it ends at once). The
 * host tool finds the lines "  #N 0xADDRESS" and adds names to them. Nothing
 * here touches memory without asking hw_readable() first.
 */
#include "parts.h"

#define STATUS_ABORT    134 /* 128 + SIGABRT */
#define BACKTRACE_MAX   16
#define STACK_SCAN_SIZE 2048 /* bytes looked through for return addresses */

static bool in_crash;

static uint64_t word_at(uint64_t address)
{
    return *(const uint64_t *)address;
}

/* Whether a value can be the return address of a call: text, after a call
 * instruction (E8 rel32, or FF /2 in 2 to 7 bytes). */
static bool is_return_address(uint64_t value)
{
    const uint8_t *code = (const uint8_t *)value;
    unsigned size;

    if (value < hw_text.start + 8 || value >= hw_text.end)
        return false;
    if (code[-5] == 0xe8)
        return true;
    for (size = 2; size <= 7; size++)
        if (code[-(int)size] == 0xff && (code[1 - (int)size] & 0x38) == 0x10)
            return true;
    return false;
}

static void backtrace(uint64_t rip, uint64_t rsp)
{
    uint64_t end = rsp + STACK_SCAN_SIZE;
    uint64_t count = 0;

    hw_print("  #%d 0x%x\n", count++, rip);
    /* Without frame pointers (-O2) the stack is all there is to go by: each
     * word that follows a call may be a return address, and some are stale. */
    for (rsp &= ~7ull; rsp < end && count < BACKTRACE_MAX; rsp += 8) {
        if (!hw_readable(rsp))
            break;
        if (is_return_address(word_at(rsp)))
            hw_print("  #%d 0x%x\n", count++, word_at(rsp));
    }
}

static void registers(const struct hw_trap *t)
{
    hw_print("  rip %x  rsp %x  flags %x\n", t->rip, t->rsp, t->rflags);
    hw_print("  rax %x  rbx %x  rcx   %x\n", t->rax, t->rbx, t->rcx);
    hw_print("  rdx %x  rsi %x  rdi   %x\n", t->rdx, t->rsi, t->rdi);
    hw_print("  rbp %x  r8  %x  r9    %x\n", t->rbp, t->r8, t->r9);
    hw_print("  r10 %x  r11 %x  r12   %x\n", t->r10, t->r11, t->r12);
    hw_print("  r13 %x  r14 %x  r15   %x\n", t->r13, t->r14, t->r15);
}

void hw_crash(const char *why, const struct hw_trap *trap, uint64_t address,
              int status)
{
    hw_interrupts_off();
    if (!in_crash) {
        in_crash = true;
        hw_print("\nhalvm: crash: %s", why);
        if (address != 0 || trap)
            hw_print(", address 0x%x", address);
        hw_print("\n");
        if (trap) {
            registers(trap);
            backtrace(trap->rip, trap->rsp);
        } else {
            uint64_t frame = (uint64_t)__builtin_frame_address(0);
            backtrace((uint64_t)__builtin_return_address(0), frame);
        }
    }
    hw_exit(status);
}

void hw_abort(const char *why)
{
    hw_crash(why, NULL, 0, STATUS_ABORT);
}

void hw_assert_failed(const char *file, int line)
{
    hw_interrupts_off();
    hw_print("\nhalvm: %s:%d:", file, (uint64_t)line);
    hw_crash("assertion failed", NULL, 0, STATUS_ABORT);
}
