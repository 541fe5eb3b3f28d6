/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Traps and events of a PV guest: registered with Xen here, entered in
 * entry.S, and handed to base/hw's interrupt.c, which tells application from
 * core; and what stands in for privileged instructions.
 */
#include <stdint.h>
#include <xen/callback.h>
#include <xen/sched.h>

#include "base/hw/parts.h"
#include "base/xenpv/entry.h"
#include "drivers/xen/guest.h"

#define VECTOR_PAGE_FAULT 14
#define TRAP_MASKS_EVENTS 4
#define TRAP_FROM_USER    3 /* by an instruction: int3, into */

_Static_assert(XENPV_GUEST_FRAMES == __HYPERVISOR_VIRT_START, "Xen's ABI");

extern const char xenpv_traps[], xenpv_event[], xenpv_failsafe[];
extern const char xenpv_syscall[];

void xenpv_interrupts_off(void)
{
    xen_shared->vcpu_info[0].evtchn_upcall_mask = 1;
    __asm__ volatile("" ::: "memory");
}

void xenpv_interrupts_on(void)
{
    __asm__ volatile("" ::: "memory");
    xen_shared->vcpu_info[0].evtchn_upcall_mask = 0;
    __asm__ volatile("" ::: "memory");
    /* What came while they were masked is delivered on the way out of any
     * hypercall. */
    if (xen_shared->vcpu_info[0].evtchn_upcall_pending)
        xen_hypercall(__HYPERVISOR_xen_version, 0, 0, 0, 0, 0);
}

void xenpv_idle(void)
{
    xen_sched_op(SCHEDOP_block, NULL);
    xenpv_interrupts_off();
}

void xenpv_tp_set(uint64_t value)
{
    xen_hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, value, 0, 0, 0);
}

void xenpv_trap(struct hw_trap *trap)
{
    uint64_t address = xen_shared->vcpu_info[0].arch.cr2;

    if (trap->vector == VECTOR_PAGE_FAULT)
        hw_page_fault(trap, address);
    else
        hw_exception(trap);
}

void xenpv_interrupt(struct hw_trap *trap)
{
    xen_event_dispatch();
    hw_interrupt_end(trap);
}

void xenpv_upcall_enter(void *stack_top, uint32_t ready,
                        const struct base_fault *fault)
{
    xenpv_user_call(ready, (uint64_t)fault, (uint64_t)hw_upcall_main,
                    stack_top);
}

/* From xenpv_resume(), in kernel mode, events masked. Returns if there is
 * something for core to look at first. */
void xenpv_resume_try(struct arch_context *context)
{
    if (*hw_upcall.attention)
        return;
    hw_arena_touch((uint64_t)context, BASE_FAULT_WRITE);
    hw_arena_touch((uint64_t)(context + 1) - 1, BASE_FAULT_WRITE);
    arch_fpu_restore(context->fpu);
    *hw_upcall.locked = 0;
    xenpv_frame_resume(&context->frame);
}

static void callback_register(unsigned type, const char *address,
                              unsigned flags)
{
    struct callback_register op = {
        .type = type, .flags = flags, .address = (uint64_t)address};

    if (xen_hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register,
                      (uint64_t)&op, 0, 0, 0) != 0)
        hw_crash("Xen refused a call-back", NULL, type, 134);
}

void xenpv_interrupt_init(void)
{
    struct trap_info traps[XENPV_TRAPS + 1];
    unsigned i;

    for (i = 0; i < XENPV_TRAPS; i++) {
        traps[i].vector = (uint8_t)i;
        traps[i].flags = TRAP_MASKS_EVENTS;
        if (i == 3 || i == 4)
            traps[i].flags |= TRAP_FROM_USER;
        traps[i].cs = XENPV_CS_KERNEL;
        traps[i].address = (uint64_t)xenpv_traps + i * XENPV_TRAP_SIZE;
    }
    traps[XENPV_TRAPS].address = 0;
    if (xen_hypercall(__HYPERVISOR_set_trap_table, (uint64_t)traps, 0, 0, 0,
                      0) != 0 ||
        xen_hypercall(__HYPERVISOR_stack_switch, XENPV_SS,
                      (uint64_t)(hw_trap_stacks + HW_IST_COUNT), 0, 0, 0) != 0)
        hw_crash("Xen refused traps or stack", NULL, 0, 134);
    callback_register(CALLBACKTYPE_event, xenpv_event, CALLBACKF_mask_events);
    callback_register(CALLBACKTYPE_failsafe, xenpv_failsafe,
                      CALLBACKF_mask_events);
    callback_register(CALLBACKTYPE_syscall, xenpv_syscall,
                      CALLBACKF_mask_events);
}
