/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core_main: from a base that has booted to the first instruction of the
 * program, _start of libc, on a stack such as a Linux kernel makes.
 *
 * Called once by the base, with upcalls held back (there is none before
 * thread_init registers one).
 */
#include <elf.h>
#include <sys/mman.h>

#include "core/calls.h"
#include "core/file/file.h"
#include "core/mem/fault.h"
#include "core/mem/mem.h"
#include "core/options.h"
#include "core/random/random.h"
#include "core/thread/thread.h"
#include "gate/gate.h"

const struct base *core_base;
const struct base_info *core_info;
volatile uint8_t core_locked;
volatile uint8_t core_attention;
void (*core_net_ready)(void);
void (*core_block_ready)(void);
void (*core_xen_ready)(void);

extern const char __ehdr_start[]; /* of the image, by the linker */
void _start(void);

#define MAIN_STACK_SIZE_MIN (64u << 10)
/* Strings and vectors fit with room to spare: at most one command line, and
 * its words' addresses. */
_Static_assert(2 * LIMIT_COMMAND_LINE_SIZE +
                       8 * (LIMIT_ARGUMENTS + LIMIT_ENVIRONMENT) <
                   MAIN_STACK_SIZE_MIN / 2,
               "the main stack holds what it starts with");

void core_halt(int status)
{
    core_locked = 1;
    core_base->exit(status);
}

static void fail_start(const char *what, const char *why, const char *fix)
    __attribute__((noreturn));
static void fail_start(const char *what, const char *why, const char *fix)
{
    core_log("halvm: error: %s\n  why: %s\n  fix: %s\n", what, why, fix);
    core_base->exit(125);
}

/* An eighth of the machine, since it is charged whole, and of a small one a
 * 32nd, so that it does not take the heap's; at most what Linux gives, or what
 * the image declares that it needs (weak: haskell/governor/image.c does, since
 * the stacks of Haskell's threads are in the heap). */
#define SMALL_MACHINE (8u << 20)
extern const uint64_t halvm_image_stack_size __attribute__((weak));

static uint64_t main_stack_size(void)
{
    uint64_t total = mem_total_bytes();
    uint64_t size = total < SMALL_MACHINE ? total / 32 : total / 8;

    if (size > LIMIT_MAIN_STACK_SIZE)
        size = LIMIT_MAIN_STACK_SIZE;
    if (&halvm_image_stack_size != NULL && size > halvm_image_stack_size)
        size = halvm_image_stack_size;
    if (size < MAIN_STACK_SIZE_MIN)
        size = MAIN_STACK_SIZE_MIN;
    return size & ~(uint64_t)(LIMIT_PAGE_SIZE - 1);
}

/* The sum, for a machine that was started with too little. */
static void fail_memory(const char *what, uint64_t size)
    __attribute__((noreturn));
static void fail_memory(const char *what, uint64_t size)
{
    const unsigned page_kb = LIMIT_PAGE_SIZE / 1024;
    struct mem_accounts accounts;
    char why[160];

    mem_accounts_get(&accounts);
    core_format(why, sizeof(why),
                "of %lu KiB the image and boot data have %lu, core and tables "
                "%lu; %lu are free, %s takes %lu",
                (unsigned long)accounts.pages_total * page_kb,
                (unsigned long)accounts.pages[MEM_IMAGE] * page_kb,
                (unsigned long)accounts.pages[MEM_CORE] * page_kb,
                (unsigned long)accounts.pages[MEM_FREE] * page_kb, what,
                (unsigned long)size / 1024);
    fail_start("not enough memory to start", why,
               "give the machine what halvm inspect --memory says");
}

/* Maps the stack with an unmapped page below it; returns its top. */
static uint64_t main_stack_map(void)
{
    uint64_t size = main_stack_size();
    long guard = core_mmap(0, (long)(size + LIMIT_PAGE_SIZE), PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long low = guard + LIMIT_PAGE_SIZE;

    if (guard < 0 || mem_map_anonymous((uint64_t)low, size,
                                       BASE_PROT_READ | BASE_PROT_WRITE) < 0)
        fail_memory("the first thread's stack", size);
    return (uint64_t)low + size;
}

/* Grows downwards while strings and vectors are put on the stack. */
struct stack {
    uint64_t top;
};

static uint64_t push_bytes(struct stack *stack, const void *data, size_t size)
{
    stack->top -= size;
    memcpy((void *)stack->top, data, size);
    return stack->top;
}

static uint64_t push_string(struct stack *stack, const char *text)
{
    return push_bytes(stack, text, strlen(text) + 1);
}

/* The processor features that AT_HWCAP2 names (asm/hwcap2.h). */
static uint64_t hwcap2(void)
{
    uint32_t leaf[4];

    arch_cpuid(0, 0, leaf);
    if (leaf[0] < 7)
        return 0;
    arch_cpuid(7, 0, leaf);
    return leaf[1] & 1 ? 2 : 0; /* FSGSBASE: user space may use it */
}

#define AUXV_COUNT 20

static unsigned fill_auxv(uint64_t auxv[2 * AUXV_COUNT], struct stack *stack)
{
    const Elf64_Ehdr *ehdr = (const void *)__ehdr_start;
    uint64_t random[2];
    uint32_t features[4];
    unsigned n = 0;

    if (random_bytes(random, sizeof random) != 0)
        fail_start("no source of randomness",
                   "the processor has no RDRAND and the hypervisor no rng",
                   "add a virtio-rng device, or choose another processor");
    arch_cpuid(1, 0, features);
#define AUX(type, value) (auxv[n++] = (type), auxv[n++] = (uint64_t)(value))
    AUX(AT_PHDR, __ehdr_start + ehdr->e_phoff);
    AUX(AT_PHENT, ehdr->e_phentsize);
    AUX(AT_PHNUM, ehdr->e_phnum);
    AUX(AT_PAGESZ, LIMIT_PAGE_SIZE);
    AUX(AT_BASE, 0);
    AUX(AT_FLAGS, 0);
    AUX(AT_ENTRY, &_start);
    AUX(AT_UID, 0);
    AUX(AT_EUID, 0);
    AUX(AT_GID, 0);
    AUX(AT_EGID, 0);
    AUX(AT_SECURE, 0);
    AUX(AT_CLKTCK, 100);
    AUX(AT_HWCAP, features[3]);
    AUX(AT_HWCAP2, hwcap2());
    AUX(AT_RANDOM, push_bytes(stack, random, sizeof random));
    AUX(AT_PLATFORM, push_string(stack, "x86_64"));
    AUX(AT_EXECFN, push_string(stack, "/proc/self/exe"));
    AUX(AT_NULL, 0);
#undef AUX
    return n;
}

/* The vectors of _start, as the System V ABI's section 3.4.1 has them: argc,
 * argv, NULL, envp, NULL, auxv. Returns the stack pointer. */
static uint64_t main_stack_fill(uint64_t top)
{
    uint64_t vector[LIMIT_ARGUMENTS + LIMIT_ENVIRONMENT + 4];
    uint64_t auxv[2 * AUXV_COUNT];
    struct stack stack = {.top = top};
    const char *name = core_option("name");
    const char *word;
    unsigned count = 1, argc, auxv_count;

    auxv_count = fill_auxv(auxv, &stack);
    vector[count++] = push_string(&stack, name != NULL ? name : "halvm");
    for (word = options_argument(NULL); word; word = options_argument(word)) {
        if (count > LIMIT_ARGUMENTS)
            fail_start("too many arguments", "at most 127 fit",
                       "give fewer, or put them into a file");
        vector[count++] = push_string(&stack, word);
    }
    argc = count - 1;
    vector[0] = argc;
    vector[count++] = 0;
    for (word = options_variable(NULL); word; word = options_variable(word)) {
        if (count > argc + LIMIT_ENVIRONMENT)
            fail_start("too many environment variables", "at most 127 fit",
                       "give fewer");
        vector[count++] = push_string(&stack, word);
    }
    vector[count++] = 0;

    stack.top &= ~15ull;
    if ((count + auxv_count) % 2 != 0)
        stack.top -= 8;
    push_bytes(&stack, auxv, auxv_count * sizeof auxv[0]);
    return push_bytes(&stack, vector, count * sizeof vector[0]);
}

void core_main(const struct base *base, const struct base_info *info)
{
    uint64_t stack_pointer;
    bool fault;
    int error;

    core_locked = 1;
    core_base = base;
    core_info = info;
    ASSERT(base->version == BASE_VERSION);
    mem_init();
    error = options_init(info->command_line);
    if (error == -E2BIG)
        fail_start("the command line is too long", "at most 4094 bytes fit",
                   "shorten it, or put arguments into a file");
    if (error != 0)
        fail_memory("the command line", LIMIT_PAGE_SIZE);
    if (mem_fault_init(&fault) != 0)
        fail_start("halvm.fault says nothing that is known",
                   core_option("fault"),
                   "map:N, page:N, object:N or commit:K, N and K from 1");
    thread_init();
    if (core_option("trace") != NULL)
        gate_set(GATE_TRACE);
    if (fault)
        gate_set(GATE_AUDIT);
    file_init();
    stack_pointer = main_stack_fill(main_stack_map());
    thread_start_first((uint64_t)(uintptr_t)_start, stack_pointer);
}
