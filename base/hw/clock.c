/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nanoseconds since start, the wall clock, and the alarm that hw_wait and
 * hw_timer_set need.
 *
 * Time is the TSC, scaled. How fast it goes is asked, in this order, of Xen's
 * or KVM's clock (the same page of numbers), the hypervisor's frequency leaf,
 * CPUID's frequency leaves; only then is it measured, for at most a
 * millisecond, against the local APIC's timer (1 GHz in QEMU and KVM) or the
 * PIT. The reading functions may be called from anywhere.
 *
 * kvmclock: Linux's Documentation/virt/kvm/x86/{msr,cpuid}.rst. A hypervisor
 * changes its page at any time, hence the version that is odd meanwhile.
 */
#include <stdint.h>
#include <xen/vcpu.h>

#include "drivers/xen/guest.h"
#include "parts.h"

#define MSR_KVM_WALL_CLOCK  0x4b564d00
#define MSR_KVM_SYSTEM_TIME 0x4b564d01
#define KVM_FEATURE_CLOCK2  (1u << 3)
#define MSR_TSC_DEADLINE    0x6e0

#define KHZ_PER_GHZ     1000000ull
#define MEASURE_NS      900000u /* a millisecond with what is around it */
#define MEASURE_SAMPLES 8
#define PIT_HZ          1193182u
#define PIT_POLLS_MAX   100000

#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_GATE     0x61

struct pv_time {
    uint32_t version, reserved0;
    uint64_t tsc, system_ns;
    uint32_t multiplier;
    int8_t shift;
    uint8_t flags, reserved1[2];
};
_Static_assert(sizeof(struct pv_time) == sizeof(struct vcpu_time_info),
               "KVM's is Xen's");

struct pv_wall {
    uint32_t version, seconds, nanoseconds;
};

/* TSC and reference, read at the same moment. */
struct sample {
    uint64_t tsc;
    uint32_t reference;
};

static volatile struct pv_time kvm_time __attribute__((aligned(64)));
static const volatile struct pv_time *pv_time = &kvm_time;
static bool pv_used;
static uint64_t pv_base, pv_last;

static uint64_t tsc_base;
static uint64_t ns_per_tick;        /* of the TSC; 32 bits of fraction */
static uint64_t tsc_ticks_per_ns;   /* the same the other way */
static uint64_t alarm_ticks_per_ns; /* of the APIC timer */
static bool alarm_by_tsc;
static uint64_t wall_base;

static uint64_t scale(uint64_t value, uint64_t factor)
{
    return (unsigned __int128)value * factor >> 32;
}

/* -- kvmclock, and Xen's -- */

static uint64_t pv_read(void)
{
    uint32_t version;
    uint64_t delta, ns;

    do {
        version = pv_time->version & ~1u;
        __asm__ volatile("lfence" ::: "memory");
        delta = arch_tsc() - pv_time->tsc;
        if (pv_time->shift < 0)
            delta >>= -pv_time->shift;
        else
            delta <<= pv_time->shift;
        ns = pv_time->system_ns + scale(delta, pv_time->multiplier);
        __asm__ volatile("" ::: "memory");
    } while (version != pv_time->version);
    return ns;
}

/* kvmclock may step back a little when its page is rewritten. */
static uint64_t pv_monotonic(void)
{
    uint64_t now = pv_read() - pv_base;

    if (now < pv_last)
        return pv_last;
    pv_last = now;
    return now;
}

static bool pv_init(uint64_t *tsc_khz)
{
    static volatile struct pv_wall wall __attribute__((aligned(16)));
    uint32_t regs[4];

    if (!hw_cpu.kvm)
        return false;
    arch_cpuid(hw_cpu.hypervisor_leaf + 1, 0, regs);
    if (!(regs[0] & KVM_FEATURE_CLOCK2))
        return false;
    hw_wrmsr(MSR_KVM_SYSTEM_TIME, (uint64_t)&kvm_time | 1);
    if (pv_time->multiplier == 0)
        return false;
    *tsc_khz = (KHZ_PER_GHZ << 32) / pv_time->multiplier;
    if (pv_time->shift < 0)
        *tsc_khz <<= -pv_time->shift;
    else
        *tsc_khz >>= pv_time->shift;
    pv_used = true;
    pv_base = pv_read();
    hw_wrmsr(MSR_KVM_WALL_CLOCK, (uint64_t)&wall);
    wall_base = wall.seconds * 1000000000ull + wall.nanoseconds + pv_base;
    return true;
}

static void xen_timer(void *argument)
{
    hw_timer_interrupt();
}

/* Once events work: time and alarms are Xen's. */
static void xen_init(void)
{
    long port;

    pv_time = (const volatile void *)&xen_shared->vcpu_info[0].time;
    pv_used = true;
    pv_base = pv_read();
    wall_base = ((uint64_t)xen_shared->wc_sec_hi << 32 | xen_shared->wc_sec) *
                    1000000000ull +
                xen_shared->wc_nsec + pv_base;
    xen_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0, 0, 0);
    port = xen_event_bind_virq(VIRQ_TIMER);
    if (port < 0 || xen_event_handle((evtchn_port_t)port, xen_timer, NULL) != 0)
        hw_crash("Xen has no timer for us", NULL, 0, 134);
}

/* Xen's time in the new domain is another; ours goes on. */
void xen_clock_resume(uint64_t monotonic_ns)
{
    xen_init();
    pv_base -= monotonic_ns;
    wall_base -= monotonic_ns;
    hw_timer_resume();
}

uint64_t xen_clock_of(uint64_t deadline_ns)
{
    return deadline_ns == UINT64_MAX ? 0 : deadline_ns + pv_base;
}

/* -- asking CPUID -- */

static uint64_t leaf_tsc_khz(void)
{
    uint32_t regs[4];

    if (hw_cpu.hypervisor &&
        hw_cpu.hypervisor_leaf_max >= hw_cpu.hypervisor_leaf + 0x10) {
        arch_cpuid(hw_cpu.hypervisor_leaf + 0x10, 0, regs);
        if (regs[0] != 0)
            return regs[0];
    }
    arch_cpuid(0, 0, regs);
    if (regs[0] < 0x15)
        return 0;
    arch_cpuid(0x15, 0, regs);
    if (regs[0] != 0 && regs[1] != 0 && regs[2] != 0)
        return (uint64_t)regs[2] * regs[1] / regs[0] / 1000;
    arch_cpuid(0, 0, regs);
    if (regs[0] < 0x16 || hw_cpu.tcg)
        return 0;
    arch_cpuid(0x16, 0, regs);
    return regs[0] * 1000ull; /* MHz */
}

/* kHz of the APIC's timer, or 0 if only measuring can tell. */
static uint64_t leaf_apic_khz(void)
{
    uint32_t regs[4];

    if (hw_cpu.hypervisor &&
        hw_cpu.hypervisor_leaf_max >= hw_cpu.hypervisor_leaf + 0x10) {
        arch_cpuid(hw_cpu.hypervisor_leaf + 0x10, 0, regs);
        if (regs[1] != 0)
            return regs[1];
    }
    return hw_cpu.tcg || hw_cpu.kvm ? KHZ_PER_GHZ : 0;
}

/* -- measuring -- */

static uint32_t apic_elapsed(void)
{
    return UINT32_MAX - hw_apic_timer_read();
}

static uint32_t pit_elapsed(void)
{
    uint32_t low;

    hw_out8(PIT_COMMAND, 0x80); /* latch channel 2 */
    low = hw_in8(PIT_CHANNEL2);
    return 0xffff - (low | (uint32_t)hw_in8(PIT_CHANNEL2) << 8);
}

/*
 * The host may take the processor away between two instructions. Of several
 * readings of the reference between two of the TSC the tightest is kept.
 */
static struct sample sample_take(uint32_t (*elapsed)(void))
{
    struct sample best = {0, 0};
    uint64_t best_width = UINT64_MAX;
    unsigned i;

    for (i = 0; i < MEASURE_SAMPLES; i++) {
        uint64_t before = arch_tsc();
        uint32_t reference = elapsed();
        uint64_t width = arch_tsc() - before;

        if (width < best_width) {
            best_width = width;
            best.tsc = before + width / 2;
            best.reference = reference;
        }
    }
    return best;
}

/* TSC ticks in kHz against a reference of hz; 0 if that does not run. */
static uint64_t measure(uint32_t (*elapsed)(void), uint64_t hz)
{
    uint32_t wanted = hz * MEASURE_NS / 1000000000u;
    struct sample start = sample_take(elapsed), end;
    unsigned polls = 0;

    while (elapsed() - start.reference < wanted)
        if (elapsed == pit_elapsed && ++polls == PIT_POLLS_MAX)
            return 0;
    end = sample_take(elapsed);
    return (end.tsc - start.tsc) * hz / (end.reference - start.reference) /
           1000;
}

/* Both clocks against the PIT; false without one (it reads as all ones). */
static bool measure_by_pit(uint64_t *tsc_khz, uint64_t *apic_khz)
{
    uint64_t tsc_start, tsc_spent;
    uint32_t apic_start, apic_spent;

    hw_out8(PIT_GATE, (hw_in8(PIT_GATE) & ~2u) | 1u);
    hw_out8(PIT_COMMAND, 0xb0); /* channel 2, both bytes, mode 0 */
    hw_out8(PIT_CHANNEL2, 0xff);
    hw_out8(PIT_CHANNEL2, 0xff);
    apic_start = apic_elapsed();
    tsc_start = arch_tsc();
    *tsc_khz = measure(pit_elapsed, PIT_HZ);
    apic_spent = apic_elapsed() - apic_start;
    tsc_spent = arch_tsc() - tsc_start;
    if (*tsc_khz < 100000 || *tsc_khz > 20000000)
        return false;
    *apic_khz = *tsc_khz * apic_spent / tsc_spent;
    return true;
}

static __attribute__((cold)) void frequencies(uint64_t *tsc_khz,
                                              uint64_t *apic_khz)
{
    *apic_khz = leaf_apic_khz();
    if (!pv_init(tsc_khz))
        *tsc_khz = leaf_tsc_khz();
    if (*tsc_khz != 0 && (*apic_khz != 0 || hw_cpu.tsc_deadline))
        return;
    hw_apic_timer_start(UINT32_MAX);
    if (*apic_khz == 0 && !measure_by_pit(tsc_khz, apic_khz))
        *apic_khz = KHZ_PER_GHZ; /* nothing better is known */
    if (*tsc_khz == 0 || *apic_khz == KHZ_PER_GHZ)
        *tsc_khz = measure(apic_elapsed, *apic_khz * 1000);
    hw_apic_timer_start(0);
}

/* -- the wall clock of a PC: MC146818, with QEMU's century -- */

enum rtc_register {
    RTC_SECOND = 0,
    RTC_MINUTE = 2,
    RTC_HOUR = 4,
    RTC_DAY = 7,
    RTC_MONTH = 8,
    RTC_YEAR = 9,
    RTC_STATUS_A = 10,
    RTC_STATUS_B = 11,
    RTC_CENTURY = 0x32,
};
#define RTC_TRIES 4

static uint8_t rtc_register_read(unsigned which)
{
    hw_out8(0x70, which);
    return hw_in8(0x71);
}

static unsigned rtc_number(uint8_t value, bool binary)
{
    return binary ? value : (value >> 4) * 10u + (value & 15);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static uint64_t days_of(unsigned year, unsigned month, unsigned day)
{
    /* Years from March, so that the leap day is the last. */
    uint64_t y = month > 2 ? year : year - 1;
    uint64_t m = month > 2 ? month - 3 : month + 9;

    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
           719468;
}

static __attribute__((cold)) uint64_t rtc_seconds(void)
{
    uint8_t status = rtc_register_read(RTC_STATUS_B), hour;
    bool binary = status & 4, hours_24 = status & 2;
    unsigned century, year, month, day, hours;

    if (status == 0xff)
        return 0; /* no such chip */
    hour = rtc_register_read(RTC_HOUR);
    hours = rtc_number(hours_24 ? hour : hour & 0x7f, binary);
    if (!hours_24)
        hours = hours % 12 + (hour & 0x80 ? 12 : 0);
    century = rtc_number(rtc_register_read(RTC_CENTURY), binary);
    year = rtc_number(rtc_register_read(RTC_YEAR), binary);
    year += century >= 19 && century < 30 ? century * 100 : 2000;
    month = rtc_number(rtc_register_read(RTC_MONTH), binary);
    day = rtc_number(rtc_register_read(RTC_DAY), binary);
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    return days_of(year, month, day) * 86400 + hours * 3600u +
           rtc_number(rtc_register_read(RTC_MINUTE), binary) * 60u +
           rtc_number(rtc_register_read(RTC_SECOND), binary);
}

/* The chip changes its registers once a second; two equal readings were not
 * disturbed. */
static uint64_t rtc_read(void)
{
    uint64_t seconds = rtc_seconds(), again;
    unsigned tries;

    for (tries = 0; tries < RTC_TRIES; tries++, seconds = again) {
        again = rtc_seconds();
        if (again == seconds && !(rtc_register_read(RTC_STATUS_A) & 0x80))
            break;
    }
    return seconds;
}

/* -- what the rest of base/hw calls -- */

__attribute__((cold)) void hw_clock_init(void)
{
    uint64_t tsc_khz = 0, apic_khz = 0;

    if (xen_present) {
        xen_init();
        return;
    }
    tsc_base = arch_tsc();
    frequencies(&tsc_khz, &apic_khz);
    ns_per_tick = (KHZ_PER_GHZ << 32) / tsc_khz;
    tsc_ticks_per_ns = (tsc_khz << 32) / KHZ_PER_GHZ;
    alarm_ticks_per_ns = (apic_khz << 32) / KHZ_PER_GHZ;
    alarm_by_tsc = hw_cpu.tsc_deadline;
    hw_apic_timer_mode(true, alarm_by_tsc);
    if (!pv_used)
        wall_base = rtc_read() * 1000000000ull - hw_clock_monotonic();
}

uint64_t hw_clock_monotonic(void)
{
    if (__builtin_expect(pv_used, 0))
        return pv_monotonic();
    return scale(arch_tsc() - tsc_base, ns_per_tick);
}

uint64_t hw_clock_wall(void)
{
    return wall_base + hw_clock_monotonic();
}

void hw_clock_alarm(uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t delta = deadline_ns > now_ns ? deadline_ns - now_ns : 0, count;

    if (xen_present) {
        /* What has passed already fires at once. */
        xen_hypercall(__HYPERVISOR_set_timer_op, xen_clock_of(deadline_ns), 0,
                      0, 0, 0);
        return;
    }
    if (alarm_by_tsc) {
        hw_wrmsr(MSR_TSC_DEADLINE,
                 arch_tsc() + scale(delta, tsc_ticks_per_ns) + 1);
        return;
    }
    /* Too early is no harm: the interrupt looks again. */
    count = scale(delta, alarm_ticks_per_ns) + 1;
    hw_apic_timer_start(count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
}
