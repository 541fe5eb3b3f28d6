/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core/signal, with the scheduler, on a machine in software: masks, queues,
 * frames, restarting, default actions.
 */
#include <signal.h>
#include <ucontext.h>

#include "core_mock.h"

#include "core/calls.h"
#include "core/signal/pending.h"

void (*core_net_ready)(void);
void (*core_block_ready)(void);
void (*core_xen_ready)(void);

/* Where handlers return to: see arch/x86_64/switch.S, which has it. */

struct kernel_action {
    uint64_t handler, flags, restorer, mask;
};

static char order[64];
static int last_code, last_value;
static uint64_t mask_inside;
static void (*inside)(void); /* run by the handler */

static uint64_t mask_now(void)
{
    uint64_t mask;
    CHECK(CALL(core_rt_sigprocmask(SIG_BLOCK, 0, (long)&mask, 8)) == 0);
    return mask;
}

static void handler(int signal, siginfo_t *info, void *context)
{
    size_t n = strlen(order);

    CHECK(((uintptr_t)__builtin_frame_address(0) & 15) == 0);
    CHECK(info->si_signo == signal && context != NULL);
    CHECK(!core_locked);
    order[n] = (char)('A' + signal - 1);
    order[n + 1] = '\0';
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    mask_inside = mask_now();
    if (inside != NULL)
        inside();
}

static void action(int signal, uint64_t where, uint64_t flags, uint64_t mask)
{
    struct kernel_action new = {where, flags | SA_SIGINFO, 0, mask};
    CHECK(CALL(core_rt_sigaction(signal, (long)&new, 0, 8)) == 0);
}

static void handle(int signal, uint64_t flags, uint64_t mask)
{
    action(signal, (uint64_t)(uintptr_t)handler, flags, mask);
}

static void set_mask(uint64_t mask)
{
    CHECK(CALL(core_rt_sigprocmask(SIG_SETMASK, (long)&mask, 0, 8)) == 0);
}

static void raise_signal(int signal)
{
    CHECK(CALL(core_tkill(THREAD_PID, signal)) == 0);
}

static void expect(const char *what)
{
    if (strcmp(order, what) != 0)
        fprintf(stderr, "order is \"%s\", expected \"%s\"\n", order, what);
    CHECK(strcmp(order, what) == 0);
    order[0] = '\0';
}

static void test_action(void)
{
    struct kernel_action old;

    CHECK(CALL(core_rt_sigaction(SIGKILL, (long)&old, 0, 8)) == -EINVAL);
    CHECK(CALL(core_rt_sigaction(0, 0, 0, 8)) == -EINVAL);
    CHECK(CALL(core_rt_sigaction(65, 0, 0, 8)) == -EINVAL);
    CHECK(CALL(core_rt_sigaction(SIGUSR1, 0, 0, 4)) == -EINVAL);
    CHECK(CALL(core_rt_sigaction(SIGUSR1, 16, 0, 8)) == -EFAULT);
    handle(SIGUSR1, SA_RESTART, ~0ull);
    CHECK(CALL(core_rt_sigaction(SIGUSR1, 0, (long)&old, 8)) == 0);
    CHECK(old.handler == (uint64_t)(uintptr_t)handler);
    CHECK(old.flags == (SA_RESTART | SA_SIGINFO));
    CHECK(old.mask == (~0ull & ~signal_bit(SIGKILL) & ~signal_bit(SIGSTOP)));
    set_mask(~0ull);
    CHECK(mask_now() == old.mask);
    set_mask(0);
}

/* To oneself: the handler has run when the call returns. */
static void test_raise(void)
{
    handle(SIGUSR1, 0, signal_bit(SIGUSR2));
    raise_signal(SIGUSR1);
    expect("J");
    CHECK(last_code == SI_TKILL);
    CHECK(mask_inside == (signal_bit(SIGUSR1) | signal_bit(SIGUSR2)));
    CHECK(mask_now() == 0);
    handle(SIGUSR1, SA_NODEFER, 0);
    CHECK(CALL(core_kill(THREAD_PID, SIGUSR1)) == 0);
    expect("J");
    CHECK(last_code == SI_USER && mask_inside == 0);
    CHECK(CALL(core_kill(77, SIGUSR1)) == -ESRCH);
    CHECK(CALL(core_kill(THREAD_PID, 65)) == -EINVAL);
    CHECK(CALL(core_tkill(77, SIGUSR1)) == -ESRCH);
    CHECK(CALL(core_tgkill(THREAD_PID, THREAD_PID, 0)) == 0);
}

static void test_interrupted(void)
{
    handle(SIGUSR1, 0, 0);
    core_enter();
    signal_send(SIGUSR1, NULL);
    mock_attention(0);
    core_leave(0);
    expect("J");
    /* While application code runs. */
    core_locked = 1;
    signal_send(SIGUSR1, NULL);
    core_attention = 0;
    core_locked = 0;
    mock_interrupt(0, NULL);
    expect("J");
    CHECK(last_code == SI_KERNEL);
}

static void test_masked(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    uint64_t set;

    handle(SIGUSR1, 0, 0);
    handle(40, 0, 0);
    set_mask(signal_bit(SIGUSR1) | signal_bit(40));
    raise_signal(SIGUSR1);
    raise_signal(SIGUSR1);
    for (int i = 1; i <= 3; i++) {
        info.si_value.sival_int = i;
        CHECK(CALL(core_rt_sigqueueinfo(THREAD_PID, 40, (long)&info)) == 0);
    }
    expect("");
    CHECK(CALL(core_rt_sigpending((long)&set, 8)) == 0);
    CHECK(set == (signal_bit(SIGUSR1) | signal_bit(40)));
    set_mask(signal_bit(SIGUSR1));
    expect("hhh"); /* 40: in order, each */
    CHECK(last_value == 3);
    set_mask(0);
    expect("J"); /* a standard signal once */
    CHECK(CALL(core_rt_sigpending((long)&set, 8)) == 0 && set == 0);
}

/* Without memory, real-time signals are refused, others lose particulars. */
static void test_no_memory(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    handle(SIGUSR1, 0, 0);
    handle(40, 0, 0);
    set_mask(signal_bit(SIGUSR1) | signal_bit(40));
    mock_no_memory = true;
    for (int i = 0; i < 4; i++) /* those that are static */
        CHECK(CALL(core_rt_sigqueueinfo(THREAD_PID, 40, (long)&info)) == 0);
    CHECK(CALL(core_rt_sigqueueinfo(THREAD_PID, 40, (long)&info)) == -EAGAIN);
    raise_signal(SIGUSR1);
    mock_no_memory = false;
    set_mask(signal_bit(40));
    expect("J");
    CHECK(last_code == 0);
    set_mask(0);
    expect("hhhh");
}

static void test_ignored(void)
{
    uint64_t set;

    raise_signal(SIGCHLD); /* ignored by default */
    action(SIGUSR2, 1, 0, 0);
    raise_signal(SIGUSR2);
    set_mask(signal_bit(SIGUSR2));
    raise_signal(SIGUSR2); /* stays: the action may change */
    CHECK(CALL(core_rt_sigpending((long)&set, 8)) == 0);
    CHECK(set == signal_bit(SIGUSR2));
    action(SIGUSR2, 1, 0, 0); /* this forgets it */
    CHECK(CALL(core_rt_sigpending((long)&set, 8)) == 0 && set == 0);
    set_mask(0);
    expect("");
}

/* -- blocking calls: signals come from the second thread -- */

static int send_what;
static void sender(void *arg)
{
    for (int i = 0; i < 3; i++)
        CALL(core_sched_yield());
    if (send_what != 0)
        CALL(core_tkill(THREAD_PID, send_what));
    core_exit(0);
}

static uint32_t sender_tid;
static void send_later(int signal)
{
    while (thread_count > 1)
        CALL(core_sched_yield());
    send_what = signal;
    CHECK(mock_thread(sender, NULL, &sender_tid) > 0);
}

static long wait_ns(uint64_t ns, unsigned *starts)
{
    uint64_t deadline = mock_now + ns;
    long result;

    *starts = 0;
    result = CALL(({
        int r;
        ++*starts;
        r = thread_block(deadline, true);
        r == -EINTR ? -CORE_RESTART : r;
    }));
    return result;
}

static void test_restart(void)
{
    unsigned starts;

    handle(SIGUSR1, SA_RESTART, 0);
    send_later(SIGUSR1);
    CHECK(wait_ns(50000, &starts) == -ETIMEDOUT && starts == 2);
    expect("J");
    handle(SIGUSR1, 0, 0);
    send_later(SIGUSR1);
    CHECK(wait_ns(50000, &starts) == -EINTR && starts == 1);
    expect("J");
    action(SIGUSR2, 1, 0, 0); /* ignored: the call is not disturbed */
    send_later(SIGUSR2);
    CHECK(wait_ns(50000, &starts) == -ETIMEDOUT && starts == 1);
    expect("");
}

static void test_suspend(void)
{
    uint64_t none = 0, bit = signal_bit(SIGUSR1);

    handle(SIGUSR1, SA_RESTART, 0);
    set_mask(bit);
    raise_signal(SIGUSR1);
    expect("");
    CHECK(CALL(core_rt_sigsuspend((long)&none, 8)) == -EINTR);
    expect("J");
    CHECK(mask_inside == bit && mask_now() == bit);
    /* A temporary mask comes back without a handler, too. */
    CHECK(CALL(signal_mask_temporarily(&none, 8)) == 0);
    CHECK(mask_now() == bit);
    set_mask(0);
}

static void test_timedwait(void)
{
    uint64_t set = signal_bit(SIGUSR1);
    struct timespec ts = {0, 1000};
    siginfo_t info;

    handle(SIGUSR1, 0, 0);
    handle(SIGUSR2, SA_RESTART, 0);
    set_mask(set);
    CHECK(CALL(core_rt_sigtimedwait((long)&set, (long)&info, (long)&ts, 8)) ==
          -EAGAIN);
    raise_signal(SIGUSR1);
    CHECK(CALL(core_rt_sigtimedwait((long)&set, (long)&info, 0, 8)) == SIGUSR1);
    CHECK(info.si_code == SI_TKILL);
    send_later(SIGUSR1);
    CHECK(CALL(core_rt_sigtimedwait((long)&set, 0, 0, 8)) == SIGUSR1);
    send_later(SIGUSR2); /* another's handler ends it, and it never restarts */
    CHECK(CALL(core_rt_sigtimedwait((long)&set, 0, 0, 8)) == -EINTR);
    expect("L");
    set_mask(0);
}

/* -- frames -- */

static char alternate[16384] __attribute__((aligned(16)));
static bool was_on_alternate;
static void look_at_stack(void)
{
    char *here = __builtin_frame_address(0);
    stack_t now;

    was_on_alternate = here > alternate && here < alternate + sizeof alternate;
    CHECK(CALL(core_sigaltstack(0, (long)&now)) == 0);
    CHECK(!!(now.ss_flags & SS_ONSTACK) == was_on_alternate);
    if (was_on_alternate)
        CHECK(CALL(core_sigaltstack((long)&now, 0)) == -EPERM);
}

static void test_alternate(void)
{
    stack_t new = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;

    inside = look_at_stack;
    handle(SIGUSR1, SA_ONSTACK, 0);
    raise_signal(SIGUSR1);
    CHECK(!was_on_alternate);
    CHECK(CALL(core_sigaltstack((long)&new, (long)&old)) == 0);
    CHECK(old.ss_flags == SS_DISABLE);
    raise_signal(SIGUSR1);
    CHECK(was_on_alternate);
    handle(SIGUSR1, 0, 0);
    raise_signal(SIGUSR1);
    CHECK(!was_on_alternate);
    inside = NULL;
    expect("JJJ");
    new.ss_size = 100;
    CHECK(CALL(core_sigaltstack((long)&new, 0)) == -ENOMEM);
    new.ss_flags = SS_DISABLE;
    CHECK(CALL(core_sigaltstack((long)&new, 0)) == 0);
}

static void raise_inside(void)
{
    inside = NULL;
    raise_signal(SIGUSR2);
}

static void test_nested(void)
{
    inside = raise_inside;
    handle(SIGUSR1, 0, 0);
    handle(SIGUSR2, 0, 0);
    raise_signal(SIGUSR1);
    expect("JL");
    CHECK(mask_now() == 0);
}

static jmp_buf out;
static void jump_out(void)
{
    inside = NULL;
    longjmp(out, 1);
}

/* Leaving a handler without returning, as GHC and shells do. */
static void test_jump_out(void)
{
    handle(SIGUSR1, SA_NODEFER, 0);
    for (volatile int i = 0; i < 3; i++) {
        inside = jump_out;
        if (setjmp(out) == 0) {
            raise_signal(SIGUSR1);
            CHECK(!"returned");
        }
        CHECK(!core_locked);
    }
    expect("JJJ");
}

/* A handler may change the registers it returns to. */
static volatile int fault_count;
static void skip_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    CHECK(signal == SIGSEGV && info->si_addr == (void *)0x1234);
    CHECK(info->si_code == SEGV_MAPERR);
    CHECK(uc->uc_mcontext.gregs[REG_TRAPNO] == 14);
    CHECK(uc->uc_mcontext.gregs[REG_CR2] == 0x1234);
    CHECK(uc->uc_mcontext.gregs[REG_RBX] != 0 || true);
    fault_count++;
    uc->uc_mcontext.gregs[REG_RAX] = 5;
}

static void test_fault(void)
{
    const struct base_fault fault = {
        .kind = BASE_FAULT_MEMORY,
        .access = BASE_FAULT_WRITE,
        .address = 0x1234,
    };

    action(SIGSEGV, (uint64_t)(uintptr_t)skip_fault, 0, 0);
    mock_interrupt(BASE_READY_FAULT, &fault);
    CHECK(fault_count == 1);
    /* Not handled: a report, and the end. */
    action(SIGSEGV, 0, 0, 0);
    mock_log[0] = '\0';
    mock_halt_expected = true;
    if (setjmp(mock_halt_to) == 0)
        mock_interrupt(BASE_READY_FAULT, &fault);
    core_locked = 0;
    CHECK(mock_halt_status == 128 + SIGSEGV);
    CHECK(strstr(mock_log, "write to 0x1234") != NULL);
    CHECK(strstr(mock_log, "killed by SIGSEGV") != NULL);
    thread_current->interrupted = false;
}

static void ends(int signal)
{
    mock_halt_expected = true;
    mock_halt_status = -1;
    if (setjmp(mock_halt_to) == 0)
        raise_signal(signal);
    core_locked = 0;
    thread_current->interrupted = false;
    CHECK(mock_halt_status == 128 + signal);
}

static void test_default(void)
{
    ends(SIGTERM);
    ends(SIGABRT);
    ends(SIGKILL);
    raise_signal(SIGTSTP); /* nobody could continue us */
    handle(SIGUSR1, SA_RESETHAND, 0);
    raise_signal(SIGUSR1);
    expect("J");
    ends(SIGUSR1);
}

static void handler_again(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    /* What musl's handler does when it comes too early. */
    ((uint64_t *)(void *)&uc->uc_sigmask)[0] |= signal_bit(SIGNAL_CANCEL);
    CHECK(!thread_current->cancel_point);
    CALL(core_tkill(THREAD_PID, SIGNAL_CANCEL));
}

static void test_cancel(void)
{
    unsigned starts;

    action(SIGNAL_CANCEL, (uint64_t)(uintptr_t)handler_again, SA_RESTART,
           ~0ull);
    raise_signal(SIGNAL_CANCEL); /* outside: stays masked and pending */
    CHECK(mask_now() == signal_bit(SIGNAL_CANCEL));
    CHECK(wait_ns(1000, &starts) == -ETIMEDOUT);
    thread_cancel_point(1);
    CHECK(wait_ns(1000, &starts) == -EINTR);
    thread_cancel_point(0);
    core_enter();
    signal_discard(signal_bit(SIGNAL_CANCEL));
    core_leave(0);
    set_mask(0);
    send_later(SIGNAL_CANCEL); /* while it waits */
    thread_cancel_point(1);
    CHECK(wait_ns(50000, &starts) == -EINTR && starts == 1);
    CHECK(thread_current->cancel_point);
    thread_cancel_point(0);
}

static void all(void)
{
    test_action();
    test_raise();
    test_interrupted();
    test_masked();
    test_no_memory();
    test_ignored();
    test_restart();
    test_suspend();
    test_timedwait();
    test_alternate();
    test_nested();
    test_jump_out();
    test_fault();
    test_default();
    test_cancel();
}

int main(void)
{
    mock_run(all);
}
