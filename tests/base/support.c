/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every image of tests/base has: see check.h. This file stands in for
 * core, gate and libc as far as a base can tell.
 */
#include "check.h"

#define STACK_SIZE 16384

const struct base *base;
const struct base_info *info;
volatile uint8_t locked = 1, attention;
struct arch_context *interrupted;
void (*on_upcall)(uint32_t ready, const struct base_fault *fault);
volatile unsigned upcalls;

/* A host kernel would find these ones; a base must have made them zero. */
uint8_t __halvm_gate_state[512] = {[0 ... 511] = 1};
void core_sigreturn(void);

static struct arch_context context;
static uint8_t upcall_stack[STACK_SIZE] __attribute__((aligned(16)));
static uint64_t fresh_next;

void say(const char *text)
{
    size_t size = 0;

    while (text[size] != 0)
        size++;
    base->console_write(text, size);
}

void say_number(uint64_t value)
{
    char text[21];
    size_t at = sizeof(text);

    text[--at] = 0;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    say(text + at);
}

void pass(void)
{
    stats();
    say("PASS\n");
    base->exit(0);
}

void fail(const char *file, int line, const char *what)
{
    say(file);
    say(":");
    say_number((uint64_t)line);
    say(": FAIL: ");
    say(what);
    say("\n");
    base->exit(1);
}

struct base_memory stats(void)
{
    struct base_memory m;

    base->mem_stats(&m);
    CHECK(m.pages_image + m.pages_tables + m.pages_promised + m.pages_free ==
          m.pages_total);
    CHECK(m.pages_resident <= m.pages_promised);
    return m;
}

uint64_t fresh(uint64_t size)
{
    uint64_t at = fresh_next;

    /* 1 GiB apart, so that no two share a table of the lower levels. */
    fresh_next += (size + (2ull << 30) - 1) & ~((1ull << 30) - 1);
    return info->arena_start + at;
}

static void upcall(uint32_t ready, const struct base_fault *fault)
{
    upcalls++;
    CHECK(locked == 1);
    for (;;) {
        if (ready && on_upcall)
            on_upcall(ready, fault);
        base->resume(interrupted);
        CHECK(attention != 0);
        attention = 0;
        ready = base->wait(0);
        fault = NULL;
    }
}

void upcalls_start(void)
{
    static const struct base_upcall table = {
        .locked = &locked,
        .attention = &attention,
        .interrupted = &interrupted,
        .stack_top = upcall_stack + STACK_SIZE,
        .upcall = upcall,
    };

    interrupted = &context;
    base->upcall_set(&table);
}

/* As core_leave: what came up while the monitor was held is looked after. */
void leave(void)
{
    uint32_t ready;

    locked = 0;
    while (attention) {
        locked = 1;
        attention = 0;
        ready = base->wait(0);
        if (ready && on_upcall)
            on_upcall(ready, NULL);
        locked = 0;
    }
}

void enter(void)
{
    locked = 1;
}

static struct base_fault fault_seen;
static struct arch_frame fault_return;

static void fault_note(uint32_t ready, const struct base_fault *fault)
{
    if (!(ready & BASE_READY_FAULT))
        return; /* the base's own late start, before the fault */
    CHECK(fault != NULL);
    fault_seen = *fault;
    on_upcall = NULL;
    /* The code that faulted is left for good. */
    interrupted->frame = fault_return;
}

const struct base_fault *fault_of(void (*fn)(void))
{
    if (arch_capture(&fault_return) == 0) {
        on_upcall = fault_note;
        leave();
        fn();
        enter();
        on_upcall = NULL;
        return NULL;
    }
    enter();
    return &fault_seen;
}

void core_sigreturn(void)
{
}

void core_main(const struct base *given, const struct base_info *given_info)
{
    size_t i;

    base = given;
    info = given_info;
    for (i = 0; i < sizeof(__halvm_gate_state); i++)
        CHECK(__halvm_gate_state[i] == 0);
    test_main();
    fail(__FILE__, __LINE__, "test_main returned");
}
