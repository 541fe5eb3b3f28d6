/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine in software for tests of core/thread and core/signal: a base with
 * a clock that moves only as it is read or waited on, memory from malloc, and
 * timers in a table. Application code is the test itself; mock_interrupt()
 * is an interrupt of it at that very place. Deterministic.
 *
 * Included by one file of a test program, which links core/thread/[a-z]*.c,
 * core/signal/[a-z]*.c but signalfd.c, and arch/x86_64/switch*.S. Stacks are
 * switched and abandoned here, so AddressSanitizer must not track what is on
 * them: --param asan-stack=0 (gcc), -mllvm -asan-stack=0 (clang).
 */
#ifndef HALVM_UNIT_CORE_MOCK_H
#define HALVM_UNIT_CORE_MOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/core.h"
#include "core/mem/mem.h"
#include "core/thread/thread.h"

/* -- what core/main.c, core/log.c, core/copy.c have -- */

const struct base *core_base;
const struct base_info *core_info;
volatile uint8_t core_locked = 1;
volatile uint8_t core_attention;
static char mock_log[4096];

void core_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: ASSERT(%s)\n", file, line, condition);
    abort();
}

void core_log(const char *format, ...)
{
    size_t used = strlen(mock_log);
    va_list args;

    va_start(args, format);
    vsnprintf(mock_log + used, sizeof mock_log - used, format, args);
    va_end(args);
}

long core_unimplemented(long number, const char *name, const void *caller)
{
    core_log("%s\n", name);
    return -ENOSYS;
}

void *__asan_region_is_poisoned(void *begin, size_t size);

static bool mock_bad(const void *user, size_t size)
{
    return (uintptr_t)user < 4096 ||
           __asan_region_is_poisoned((void *)(uintptr_t)user, size) != NULL;
}

int core_copy_in(void *to, const void *user_from, size_t size)
{
    if (mock_bad(user_from, size))
        return -EFAULT;
    memcpy(to, user_from, size);
    return 0;
}

int core_copy_out(void *user_to, const void *from, size_t size)
{
    if (mock_bad(user_to, size))
        return -EFAULT;
    memcpy(user_to, from, size);
    return 0;
}

/* The program's end, where a test waits for it. */
static jmp_buf mock_halt_to;
static int mock_halt_status = -1;
static bool mock_halt_expected;

void core_halt(int status)
{
    mock_halt_status = status;
    if (!mock_halt_expected)
        exit(status);
    mock_halt_expected = false;
    longjmp(mock_halt_to, 1);
}

/* -- memory -- */

static int mock_pages;
static bool mock_no_memory;

void *mem_pages_get(enum mem_account account, size_t count)
{
    void *pages;

    if (mock_no_memory)
        return NULL;
    pages = aligned_alloc(LIMIT_PAGE_SIZE, count * LIMIT_PAGE_SIZE);
    memset(pages, 0, count * LIMIT_PAGE_SIZE);
    mock_pages += (int)count;
    return pages;
}

void mem_pages_put(enum mem_account account, void *pages, size_t count)
{
    mock_pages -= (int)count;
    free(pages);
}

void *mem_pool_get(struct mem_pool *pool)
{
    if (mock_no_memory || pool->count >= pool->count_max)
        return NULL;
    pool->count++;
    return calloc(1, pool->object_size);
}

void mem_pool_put(struct mem_pool *pool, void *object)
{
    pool->count--;
    free(object);
}

long mem_unmap(uint64_t address, uint64_t size)
{
    return 0;
}

bool mem_is_mapped(uint64_t address, uint64_t size, uint32_t base_prot)
{
    return false;
}

/* -- time -- */

#define MOCK_TIMERS 64
static struct time_timer *mock_timers[MOCK_TIMERS];
static uint64_t mock_now = 1000;
static uint64_t mock_wall = 5000000000ull;

static uint64_t mock_clock(void)
{
    return mock_now += 10;
}

uint64_t time_now_ns(void)
{
    return mock_clock();
}

uint64_t time_wall_ns(void)
{
    return mock_wall + mock_clock();
}

uint64_t time_deadline(uint64_t duration_ns)
{
    uint64_t now = mock_clock();
    return duration_ns > TIME_NEVER - now ? TIME_NEVER : now + duration_ns;
}

int time_from_timespec(const struct timespec *ts, uint64_t *out_ns)
{
    if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= 1000000000)
        return -EINVAL;
    *out_ns = (uint64_t)ts->tv_sec * TIME_SECOND + (uint64_t)ts->tv_nsec;
    return 0;
}

void time_timer_set(struct time_timer *timer, uint64_t deadline_ns)
{
    time_timer_cancel(timer);
    for (uint32_t i = 1; i < MOCK_TIMERS; i++)
        if (mock_timers[i] == NULL) {
            mock_timers[i] = timer;
            timer->heap_index = i;
            timer->deadline_ns = deadline_ns;
            return;
        }
    abort();
}

void time_timer_set_quiet(struct time_timer *timer, uint64_t deadline_ns)
{
    time_timer_set(timer, deadline_ns);
}

void time_timer_cancel(struct time_timer *timer)
{
    if (timer->heap_index != 0)
        mock_timers[timer->heap_index] = NULL;
    timer->heap_index = 0;
}

int time_timer_reserve(int count)
{
    return 0;
}

uint64_t time_next_deadline(void)
{
    uint64_t next = TIME_NEVER;

    for (int i = 1; i < MOCK_TIMERS; i++)
        if (mock_timers[i] != NULL && mock_timers[i]->deadline_ns < next)
            next = mock_timers[i]->deadline_ns;
    return next;
}

uint64_t time_expire(void)
{
    for (int i = 1; i < MOCK_TIMERS; i++) {
        struct time_timer *timer = mock_timers[i];
        if (timer != NULL && timer->deadline_ns <= mock_now) {
            time_timer_cancel(timer);
            timer->fire(timer);
        }
    }
    return time_next_deadline();
}

/* -- the processor: FPU state is FXSAVE's here -- */

uint32_t arch_fpu_size = 512;
bool arch_fpu_xsave;

void arch_fpu_save(void *area)
{
    __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

/* Where a new thread starts; takes argument and function from its stack. */
__asm__(".globl arch_clone_child\n"
        "arch_clone_child:\n"
        "    xor %ebp, %ebp\n"
        "    pop %rdi\n"
        "    pop %rax\n"
        "    call *%rax\n"
        "    ud2\n");

/* void mock_load(const struct arch_frame *): all general registers but those
 * that nothing here needs. */
void mock_load(const struct arch_frame *frame) __attribute__((noreturn));
extern uint64_t mock_load_rip;
uint64_t mock_load_rip;
__asm__(".globl mock_load\n"
        "mock_load:\n"
        "    mov 0(%rdi), %r15\n"
        "    mov 8(%rdi), %r14\n"
        "    mov 16(%rdi), %r13\n"
        "    mov 24(%rdi), %r12\n"
        "    mov 32(%rdi), %rbp\n"
        "    mov 40(%rdi), %rbx\n"
        "    mov 80(%rdi), %rax\n"
        "    mov 96(%rdi), %rdx\n"
        "    mov 104(%rdi), %rsi\n"
        "    mov 136(%rdi), %rsp\n"
        "    mov 120(%rdi), %rcx\n"
        "    mov %rcx, mock_load_rip(%rip)\n"
        "    mov 112(%rdi), %rdi\n"
        "    jmp *mock_load_rip(%rip)\n");

/* -- the base -- */

static const struct base_upcall *mock_up;
static uint32_t mock_ready;
static uint64_t mock_timer = UINT64_MAX; /* of timer_set */
static unsigned mock_timer_sets;
static uint64_t mock_tp;
static uint32_t mock_upcall_ready;
static const struct base_fault *mock_upcall_fault;

/* Called in wait() when it would block: an event from outside, or NULL. */
static void (*mock_idle)(void);

static uint32_t mock_take(void)
{
    uint32_t ready = mock_ready;

    if (mock_now >= mock_timer) {
        ready |= BASE_READY_TIMER;
        mock_timer = UINT64_MAX;
    }
    mock_ready = 0;
    return ready;
}

static uint32_t mock_wait(uint64_t deadline_ns)
{
    uint32_t ready = mock_take();

    if (ready != 0 || deadline_ns == 0)
        return ready;
    if (mock_idle != NULL)
        mock_idle();
    ready = mock_take();
    if (ready != 0)
        return ready;
    CHECK(deadline_ns != UINT64_MAX); /* nothing will ever happen */
    if (mock_now < deadline_ns)
        mock_now = deadline_ns;
    return mock_take();
}

static void mock_timer_set(uint64_t deadline_ns)
{
    mock_timer = deadline_ns;
    mock_timer_sets++;
}

static void mock_upcall_set(const struct base_upcall *upcall)
{
    mock_up = upcall;
}

static void mock_resume(struct arch_context *context)
{
    CHECK(core_locked);
    if (core_attention != 0)
        return;
    core_locked = 0;
    mock_load(&context->frame);
}

static void mock_tp_set(uint64_t value)
{
    mock_tp = value;
}

static void mock_enter_upcall(void)
{
    mock_up->upcall(mock_upcall_ready, mock_upcall_fault);
}

/* An interrupt (or, with fault, an exception) of application code, here. */
static __attribute__((noinline)) void
mock_interrupt(uint32_t ready, const struct base_fault *fault)
{
    struct arch_context *context = *mock_up->interrupted;

    CHECK(!core_locked);
    if (mock_now >= mock_timer) {
        ready |= BASE_READY_TIMER;
        mock_timer = UINT64_MAX;
    }
    /* Not after what returns twice. */
    mock_upcall_ready = ready;
    mock_upcall_fault = fault;
    arch_fpu_save(context->fpu);
    if (arch_capture(&context->frame) != 0)
        return;
    core_locked = 1;
    arch_call_on(mock_up->stack_top, mock_enter_upcall);
}

/* Something is ready while core is at work. */
static __attribute__((unused)) void mock_attention(uint32_t ready)
{
    mock_ready |= ready;
    core_attention = 1;
}

/* Application code uses the processor for so long; the timer interrupts it. */
static __attribute__((unused)) void mock_compute(uint64_t ns)
{
    uint64_t start = thread_cpu_ns(thread_current), used;

    while ((used = thread_cpu_ns(thread_current) - start) < ns) {
        if (mock_timer <= mock_now + (ns - used)) {
            if (mock_now < mock_timer)
                mock_now = mock_timer;
            mock_interrupt(0, NULL);
        } else {
            mock_now += ns - used;
        }
    }
}

/* The stacks of the threads are not given back. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* A system call, as gate/lock.S makes them. */
#define CALL(expression)                                                       \
    ({                                                                         \
        long call_result;                                                      \
        do {                                                                   \
            core_enter();                                                      \
            call_result = core_leave(expression);                              \
        } while (call_result == -CORE_RESTART);                                \
        call_result;                                                           \
    })

static const struct base mock_base = {
    .version = BASE_VERSION,
    .name = "mock",
    .clock_monotonic = mock_clock,
    .wait = mock_wait,
    .timer_set = mock_timer_set,
    .upcall_set = mock_upcall_set,
    .resume = mock_resume,
    .tp_set = mock_tp_set,
};

/* A program whose first thread runs main_function, on a stack of its own. */
#define MOCK_STACK (256 << 10)
static void (*mock_main_function)(void);

static void mock_main(void)
{
    mock_main_function();
    exit(0);
}

static __attribute__((unused)) void *mock_stack_top(void)
{
    char *stack = aligned_alloc(64, MOCK_STACK);
    return stack + MOCK_STACK - 64;
}

static __attribute__((unused)) void mock_run(void (*function)(void))
{
    static const struct base_info info;

    core_base = &mock_base;
    core_info = &info;
    mock_main_function = function;
    thread_init();
    thread_start_first((uint64_t)(uintptr_t)mock_main,
                       (uint64_t)(uintptr_t)mock_stack_top() - 8);
}

/* -- threads of the program -- */

long core_clone(long a, long b, long c, long d, long e);
long core_exit(long a);

static __attribute__((unused)) int mock_thread(void (*fn)(void *), void *arg,
                                               uint32_t *clear_tid)
{
    void **stack = mock_stack_top();

    stack[-1] = (void *)(uintptr_t)fn;
    stack[-2] = arg;
    /* CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM | CLEARTID */
    return (int)core_clone(0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 |
                               0x200000,
                           (long)(stack - 2), 0, (long)clear_tid, 0);
}

#endif
