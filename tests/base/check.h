/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every image of tests/base has: the base, words, and CHECK.
 *
 * Each image is one promise of base.h. It defines test_main(), which support.c
 * calls from core_main, and ends with pass(), or in the crash that run
 * expects of it.
 */
#ifndef HALVM_TESTS_BASE_CHECK_H
#define HALVM_TESTS_BASE_CHECK_H

#include "base.h"

extern const struct base *base;
extern const struct base_info *info;

void test_main(void);
void say(const char *text);
void say_number(uint64_t value);
void pass(void) __attribute__((noreturn));
void fail(const char *file, int line, const char *what)
    __attribute__((noreturn));
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            fail(__FILE__, __LINE__, #condition);                              \
    } while (0)

/* The accounts, asserting that they sum. */
struct base_memory stats(void);
/* A range of the arena that no test has used yet. */
uint64_t fresh(uint64_t size);

/* The monitor as core has it, and an upcall that calls on_upcall if it is set
 * and then goes on with what was interrupted. */
extern volatile uint8_t locked, attention;
extern struct arch_context *interrupted;
extern void (*on_upcall)(uint32_t ready, const struct base_fault *fault);
extern volatile unsigned upcalls;
void upcalls_start(void);
/* Leaves and enters the monitor. */
void leave(void);
void enter(void);

/* Runs fn without the monitor; returns the fault it makes, or NULL. */
const struct base_fault *fault_of(void (*fn)(void));

#endif
