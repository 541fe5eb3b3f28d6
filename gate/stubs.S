/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One stub a system call, made from include/syscalls.def: __halvm_sys_NAME.
 *
 * Called by libc as a C function with the call's own arguments. Each stub is
 * in a section of its own, and so is what it says of itself for the slow
 * path, so that --gc-sections drops the calls that a program does not make,
 * with all that they would bring.
 */
#include "gate.h"

/* target: what core offers for it, by the entry column of syscalls.def. */
#define STUB(number, name, args, target)                                       \
    .section .rodata.gate.name, "a", @progbits;                                \
    .balign 8;                                                                 \
    gate_call_##name: .quad target; .short number; .asciz #name, args;         \
    .section .text.gate.name, "ax", @progbits;                                 \
    .globl __halvm_sys_##name;                                                 \
    .type __halvm_sys_##name, @function;                                       \
    __halvm_sys_##name:                                                        \
    cmpb $0, __halvm_gate_state+number(%rip);                                  \
    jne 1f;                                                                    \
    jmp target;                                                                \
    1: lea gate_call_##name(%rip), %r11;                                       \
    jmp gate_slow;                                                             \
    .size __halvm_sys_##name, . - __halvm_sys_##name

/* No core_NAME: the slow path tells host from none. */
#define STUB_NONE(number, name, args)                                          \
    .section .rodata.gate.name, "a", @progbits;                                \
    .balign 8;                                                                 \
    gate_call_##name: .quad 0; .short number; .asciz #name, args;              \
    .section .text.gate.name, "ax", @progbits;                                 \
    .globl __halvm_sys_##name;                                                 \
    .type __halvm_sys_##name, @function;                                       \
    __halvm_sys_##name:                                                        \
    lea gate_call_##name(%rip), %r11;                                          \
    jmp gate_slow;                                                             \
    .size __halvm_sys_##name, . - __halvm_sys_##name

#define STUB_LOCK(number, name, args) STUB(number, name, args, gate_lock_##name)
#define STUB_OPEN(number, name, args) STUB(number, name, args, core_##name)
#define STUB_RAW(number, name, args)  STUB(number, name, args, core_##name)

#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    STUB_##entry(number, name, args);
#include "syscalls.def"
#undef SYSCALL

/*
 * What musl's __libc_start_main calls if the program is set-user-ID, which
 * only a host kernel can say (the Makefile renames its references): through
 * the usual stubs every program would bring poll and the file tree.
 */
    STUB_NONE(2, open_at_start, "sxo")
    STUB_NONE(7, poll_at_start, "pud")

/*
 * The slow path. r11: struct gate_call; arguments as in a C call. Passing to
 * the host comes first, since as a Linux process every call comes here; this
 * is the only syscall instruction that libc's folded calls reach.
 */
    .section .text.gate_slow, "ax", @progbits
    .type gate_slow, @function
gate_slow:
    movzwl 8(%r11), %eax
    cmpb $GATE_HOST, __halvm_gate_state(%rax)
    jne 1f
    mov %rcx, %r10
    syscall
    ret
1:  testb $GATE_HANDLER, __halvm_gate_state(%rax)
    je gate_slow_core
    jmp *gate_reroute_entry(%rip)
    /* No handler, or none that this thread sees; the host's are gone. */
    .globl gate_slow_core
gate_slow_core:
    cmpq $0, (%r11)
    je 2f
    push %r9
    push %r8
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    mov %r11, %rdi
    mov %rsp, %rsi
    sub $8, %rsp
    call gate_slow_call
    add $56, %rsp
    ret
2:  mov %r11, %rdi
    mov (%rsp), %rsi
    jmp gate_none_call
    .size gate_slow, . - gate_slow

/* long __halvm_host_syscall(number, a, b, c, d, e, f): the host kernel,
 * number known only at run time. Only where gate_state says GATE_HOST. */
    .section .text.gate_host, "ax", @progbits
    .globl __halvm_host_syscall
    .type __halvm_host_syscall, @function
__halvm_host_syscall:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret
    .size __halvm_host_syscall, . - __halvm_host_syscall

/* Where a new thread starts (core_clone): its stack holds the argument and
 * the function, put there by libc/clone.S. */
    .section .text.arch_clone_child, "ax", @progbits
    .globl arch_clone_child
    .type arch_clone_child, @function
arch_clone_child:
    xor %ebp, %ebp
    pop %rdi
    pop %rax
    call *%rax
    mov %eax, %edi
    call __halvm_sys_exit
    hlt
    .size arch_clone_child, . - arch_clone_child

/* musl's __unmapself (libc/unmapself.S), where there is no host. */
    .section .text.gate_unmapself, "ax", @progbits
    .globl __halvm_unmapself
    .type __halvm_unmapself, @function
__halvm_unmapself:
    jmp thread_unmap_and_exit
    .size __halvm_unmapself, . - __halvm_unmapself

    .globl __halvm_cancel_point
    .section .text.gate_cancel_point, "ax", @progbits
    .type __halvm_cancel_point, @function
__halvm_cancel_point:
    jmp thread_cancel_point
    .size __halvm_cancel_point, . - __halvm_cancel_point

/* Before musl's resolver reads /etc/resolv.conf (libc/resolvconf.c). */
    .section .text.gate_resolver, "ax", @progbits
    .globl __halvm_resolver
    .type __halvm_resolver, @function
__halvm_resolver:
    jmp net_resolver_wait
    .size __halvm_resolver, . - __halvm_resolver

/* As the file is loaded by a Linux kernel: pass everything through. */
    .section .data.gate_state, "aw", @progbits
    .globl __halvm_gate_state
    .type __halvm_gate_state, @object
    .balign 8
__halvm_gate_state:
    .fill GATE_CALLS, 1, GATE_HOST
    .size __halvm_gate_state, . - __halvm_gate_state
    .globl gate_state
    .set gate_state, __halvm_gate_state

    .section .note.GNU-stack, "", @progbits
