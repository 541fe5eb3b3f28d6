/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting and the timer: one alarm serves wait() and timer_set().
 *
 * The monitor is held in the calls; the timer interrupt comes at any time and
 * shares the deadlines below, which are read and written with
 * interrupts off where both matter.
 */
#include "drivers/acpi/acpi.h"
#include "drivers/xen/xen.h"
#include "parts.h"

#define LATE_INIT_NS 10000000u /* see hw_late_arm() */
#define RELOAD_TICKS 3

static uint64_t timer_deadline = HW_NEVER; /* timer_set()'s wish */
static uint64_t wait_deadline = HW_NEVER;  /* of a wait() that sleeps */
static uint64_t alarm_deadline = HW_NEVER; /* what the hardware was told */
static uint64_t late_deadline = HW_NEVER;  /* hw_late_arm(), hw_work_at() */
static unsigned ticks;
static bool late_done;

/* Tells the hardware, unless it will come earlier anyway and look again. */
static void alarm_update(uint64_t now)
{
    uint64_t wish =
        timer_deadline < wait_deadline ? timer_deadline : wait_deadline;

    if (late_deadline < wish)
        wish = late_deadline;
    if (wish >= alarm_deadline)
        return;
    alarm_deadline = wish;
    hw_clock_alarm(wish, now);
}

void hw_timer_set(uint64_t deadline_ns)
{
    timer_deadline = deadline_ns;
    /* The interrupt may come here, and must find the wish before we trust
     * the alarm that it clears. */
    __asm__ volatile("" ::: "memory");
    if (deadline_ns >= alarm_deadline)
        return;
    hw_interrupts_off();
    alarm_update(hw_clock_monotonic());
    hw_interrupts_on();
}

void hw_timer_interrupt(void)
{
    uint64_t now = hw_clock_monotonic();

    /* QEMU's own translation cache of pages grows only when it is flushed. */
    if (hw_cpu.tcg && ++ticks % RELOAD_TICKS == 0)
        hw_tlb_flush();
    alarm_deadline = HW_NEVER;
    if (now >= timer_deadline) {
        timer_deadline = HW_NEVER;
        hw_ready(BASE_READY_TIMER);
    }
    if (now >= wait_deadline)
        wait_deadline = HW_NEVER; /* hw_wait looks at the clock itself */
    if (now >= late_deadline) {
        late_deadline = HW_NEVER;
        hw_ready(BASE_READY_TIMER); /* the upcall or wait() does the rest */
    }
    alarm_update(now);
}

void hw_timer_resume(void)
{
    alarm_deadline = HW_NEVER;
    alarm_update(hw_clock_monotonic());
}

uint32_t hw_wait(uint64_t deadline_ns)
{
    uint32_t ready;

    hw_late_init();
    if (xen_present)
        xen_store_work();
    hw_interrupts_off();
    ready = hw_ready_take();
    while (ready == 0 && deadline_ns != 0) {
        uint64_t now = hw_clock_monotonic();

        if (now >= deadline_ns)
            break;
        wait_deadline = deadline_ns;
        alarm_update(now);
        if (xen_pv)
            xenpv_idle();
        else
            hw_idle();
        ready = hw_ready_take();
    }
    wait_deadline = HW_NEVER;
    hw_interrupts_on();
    return ready;
}

void hw_late_init(void)
{
    if (late_done)
        return;
    late_done = true;
    hw_console_input_init();
    if (xen_present)
        xen_control_init();
    else
        acpi_power_arm();
}

/* A program that only computes never waits, and has a power button all the
 * same: an interrupt soon after the start brings it to hw_late_init(). */
void hw_late_arm(void)
{
    uint64_t now = hw_clock_monotonic();

    late_deadline = now + LATE_INIT_NS;
    alarm_update(now);
}

void hw_work_at(uint64_t deadline_ns)
{
    hw_interrupts_off();
    if (deadline_ns < late_deadline)
        late_deadline = deadline_ns;
    alarm_update(hw_clock_monotonic());
    hw_interrupts_on();
}
