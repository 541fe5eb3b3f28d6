/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm.fault: the nth taking of memory fails (fault.h).
 *
 *   map:N      the nth mem_map or mem_move of the base from now
 *   page:N     the nth time that core takes pages for itself
 *   object:N   the nth object of a pool
 *   commit:K   every kth mem_map of pages in a MAP_NORESERVE reservation
 *
 * The base's calls are counted by a copy of its table, which takes the table's
 * place if the option is given. What base.h promises, that memory just given
 * back can be had again at once, stays true: such a call is not counted.
 * Monitor held.
 */
#include "core/mem/fault.h"

#include "core/mem/mem.h"
#include "core/mem/vma.h"

enum kind { OFF, MAP, PAGE, OBJECT, COMMIT, KINDS };

static const char *const names[KINDS] = {"off", "map", "page", "object",
                                         "commit"};

uint32_t mem_fault_pages, mem_fault_objects;

static const struct base *real;
static struct base copy;
static enum kind kind;
static uint32_t maps_left, commit_every, commit_count;
static uint64_t given_start, given_end; /* by the last call, if it was unmap */

static bool commits(uint64_t addr)
{
    const struct vma *vma = vma_find(addr);

    return vma != NULL && vma->start <= addr && (vma->flags & VMA_DISCARD);
}

static bool fails(uint64_t addr, uint64_t size)
{
    bool again = addr >= given_start && addr + size <= given_end;

    given_start = given_end = 0;
    if (again)
        return false;
    if (kind == COMMIT && commits(addr))
        return ++commit_count % commit_every == 0;
    return mem_fault_due(&maps_left);
}

static enum base_status fault_mem_map(uint64_t addr, uint64_t size,
                                      uint32_t prot)
{
    return fails(addr, size) ? BASE_NOMEM : real->mem_map(addr, size, prot);
}

static enum base_status fault_mem_move(uint64_t from, uint64_t to,
                                       uint64_t size)
{
    return fails(to, size) ? BASE_NOMEM : real->mem_move(from, to, size);
}

static void fault_mem_unmap(uint64_t addr, uint64_t size)
{
    real->mem_unmap(addr, size);
    given_start = addr;
    given_end = addr + size;
}

int mem_fault_set(const char *text)
{
    enum kind wish = OFF;
    uint32_t number = 0;
    const char *colon = strchr(text, ':');

    if (real == NULL)
        return -EPERM;
    for (unsigned i = MAP; colon != NULL && i < KINDS; i++)
        if (strlen(names[i]) == (size_t)(colon - text) &&
            strncmp(names[i], text, (size_t)(colon - text)) == 0)
            wish = i;
    if (wish == OFF && strcmp(text, names[OFF]) != 0)
        return -EINVAL;
    for (const char *at = colon; wish != OFF && *++at != '\0';) {
        if (*at < '0' || *at > '9' || number >= 100000000)
            return -EINVAL;
        number = number * 10 + (uint32_t)(*at - '0');
    }
    if (wish != OFF && number == 0)
        return -EINVAL;
    kind = wish;
    maps_left = wish == MAP ? number : 0;
    mem_fault_pages = wish == PAGE ? number : 0;
    mem_fault_objects = wish == OBJECT ? number : 0;
    commit_every = number;
    commit_count = 0;
    given_start = given_end = 0;
    return 0;
}

int mem_fault_text(char *out, size_t size)
{
    const uint32_t left[KINDS] = {0, maps_left, mem_fault_pages,
                                  mem_fault_objects, commit_every};

    if (kind == OFF)
        return core_format(out, size, "off\n");
    return core_format(out, size, "%s:%u\n", names[kind], left[kind]);
}

int mem_fault_init(bool *on)
{
    const char *option = core_option("fault");

    *on = option != NULL;
    if (option == NULL)
        return 0;
    real = core_base;
    copy = *real;
    copy.mem_map = fault_mem_map;
    copy.mem_move = fault_mem_move;
    copy.mem_unmap = fault_mem_unmap;
    core_base = &copy;
    return *option == '\0' ? 0 : mem_fault_set(option);
}
