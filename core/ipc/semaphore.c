/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System V semaphores: semget, semop, semtimedop, semctl.
 *
 * Operations of one call happen together or not at all: they are tried in
 * order, and undone if one cannot be. Whoever waits tries again whenever a
 * value of his set changes. SEM_UNDO asks for something at the process's end,
 * which is the machine's. Monitor held.
 */
#include <sys/sem.h>

#include "core/calls.h"
#include "core/mem/mem.h"
#include "core/thread/thread.h"
#include "core/time/time.h"

#define VALUE_MAX      32767 /* SEMVMX */
#define OPERATIONS_MAX 500   /* SEMOPM */
#define FIXED          8     /* operations on the stack */
#define SEQUENCE       32768 /* an id is its place plus a multiple of this */
#define SEM_STAT_      18    /* linux/sem.h */
#define SEM_INFO_      19

struct semaphore {
    uint16_t value;
    uint16_t waiting_more; /* GETNCNT: for a larger value */
    uint16_t waiting_zero; /* GETZCNT */
    int last_pid;
};

struct semaphore_set {
    int id;
    key_t key;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    unsigned count;
    uint64_t changed_ns, used_ns;
    bool removed;
    uint32_t references; /* the table, and waiting calls */
    struct semaphore *semaphores;
    struct wait_queue wait;
};

static struct mem_pool pool =
    MEM_POOL(struct semaphore_set, MEM_CORE, LIMIT_SEMAPHORE_SETS);
static struct semaphore_set **sets; /* LIMIT_SEMAPHORE_SETS, in a page */
_Static_assert(LIMIT_SEMAPHORE_SETS * sizeof(void *) <= LIMIT_PAGE_SIZE,
               "the table is a page");
static unsigned semaphore_count;
static int sequence;

static size_t set_pages(unsigned count)
{
    return (count * sizeof(struct semaphore) + LIMIT_PAGE_SIZE - 1) /
           LIMIT_PAGE_SIZE;
}

static void set_put(struct semaphore_set *set)
{
    if (--set->references > 0)
        return;
    mem_pages_put(MEM_CORE, set->semaphores, set_pages(set->count));
    mem_pool_put(&pool, set);
}

static struct semaphore_set *set_get(long id)
{
    int number = (int)id;
    if (number < 0 || !sets || number % SEQUENCE >= LIMIT_SEMAPHORE_SETS)
        return NULL;
    struct semaphore_set *set = sets[number % SEQUENCE];
    return set && set->id == number ? set : NULL;
}

static long set_new(key_t key, unsigned count, mode_t mode)
{
    int place = 0;

    if (count == 0 || count > LIMIT_SEMAPHORES)
        return -EINVAL;
    while (place < LIMIT_SEMAPHORE_SETS && sets[place])
        place++;
    if (place == LIMIT_SEMAPHORE_SETS ||
        semaphore_count + count > LIMIT_SEMAPHORES)
        return -ENOSPC;
    struct semaphore_set *set = mem_pool_get(&pool);
    if (!set)
        return -ENOMEM;
    set->semaphores = mem_pages_get(MEM_CORE, set_pages(count));
    if (!set->semaphores) {
        mem_pool_put(&pool, set);
        return -ENOMEM;
    }
    set->id = place + SEQUENCE * sequence;
    sequence = (sequence + 1) & 0x7fff;
    set->key = key;
    set->mode = mode;
    set->count = count;
    set->changed_ns = time_wall_ns();
    set->references = 1;
    wait_queue_init(&set->wait);
    sets[place] = set;
    semaphore_count += count;
    return set->id;
}

long core_semget(long a, long b, long c)
{
    key_t key = (key_t)a;
    int flags = (int)c;

    if ((int)b < 0)
        return -EINVAL;
    if (!sets)
        sets = mem_pages_get(MEM_CORE, 1);
    if (!sets)
        return -ENOMEM;
    for (int i = 0; key != IPC_PRIVATE && i < LIMIT_SEMAPHORE_SETS; i++) {
        if (!sets[i] || sets[i]->key != key)
            continue;
        if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
            return -EEXIST;
        return (unsigned)b > sets[i]->count ? -EINVAL : sets[i]->id;
    }
    if (key != IPC_PRIVATE && !(flags & IPC_CREAT))
        return -ENOENT;
    return set_new(key, (unsigned)b, (mode_t)flags & 0777);
}

/* -- semop -- */

/* Takes back the first count operations. */
static void undo(struct semaphore_set *set, const struct sembuf *operations,
                 unsigned count)
{
    while (count-- > 0) {
        struct semaphore *one = &set->semaphores[operations[count].sem_num];
        one->value = (uint16_t)(one->value - operations[count].sem_op);
    }
}

/* Does all of them: 0; or none: -ERANGE, or -EAGAIN with *stuck at the one
 * that cannot be done now. */
static int try_all(struct semaphore_set *set, const struct sembuf *operations,
                   unsigned count, unsigned *stuck)
{
    for (unsigned i = 0; i < count; i++) {
        struct semaphore *one = &set->semaphores[operations[i].sem_num];
        int value = one->value + operations[i].sem_op;
        int error = 0;
        if (operations[i].sem_op == 0 ? one->value != 0 : value < 0)
            error = -EAGAIN;
        else if (value > VALUE_MAX)
            error = -ERANGE;
        if (error < 0) {
            *stuck = i;
            undo(set, operations, i);
            return error;
        }
        one->value = (uint16_t)value;
    }
    for (unsigned i = 0; i < count; i++)
        set->semaphores[operations[i].sem_num].last_pid = THREAD_PID;
    set->used_ns = time_wall_ns();
    return 0;
}

static void set_changed(struct semaphore_set *set)
{
    wait_wake(&set->wait, 0, UINT32_MAX);
}

static int check_operations(const struct semaphore_set *set,
                            const struct sembuf *operations, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (operations[i].sem_num >= set->count)
            return -EFBIG;
    }
    return 0;
}

/* The set has a reference of ours: it may be removed while we wait. */
static long operate(struct semaphore_set *set, const struct sembuf *operations,
                    unsigned count, uint64_t deadline)
{
    for (;;) {
        unsigned stuck = 0;
        int error = try_all(set, operations, count, &stuck);
        if (error == 0)
            set_changed(set);
        if (error != -EAGAIN)
            return error;
        if (operations[stuck].sem_flg & IPC_NOWAIT)
            return -EAGAIN;
        struct semaphore *one = &set->semaphores[operations[stuck].sem_num];
        uint16_t *waiting = operations[stuck].sem_op == 0 ? &one->waiting_zero
                                                          : &one->waiting_more;
        ++*waiting;
        int woken = wait_on(&set->wait, deadline, true);
        --*waiting;
        if (set->removed)
            return -EIDRM;
        if (woken == -ETIMEDOUT)
            return -EAGAIN;
        if (woken < 0)
            return -EINTR;
    }
}

long core_semtimedop(long a, long b, long c, long d)
{
    struct sembuf fixed[FIXED], *operations = fixed;
    unsigned count = (unsigned)c;
    uint64_t deadline = TIME_NEVER, duration;
    struct timespec ts;

    if (count == 0 || (int)a < 0)
        return -EINVAL;
    if (count > OPERATIONS_MAX)
        return -E2BIG;
    if (d) {
        if (core_copy_in(&ts, (const void *)d, sizeof(ts)) < 0)
            return -EFAULT;
        if (time_from_timespec(&ts, &duration) < 0)
            return -EINVAL;
        deadline = time_deadline(duration);
    }
    _Static_assert(OPERATIONS_MAX * sizeof(*operations) <= LIMIT_PAGE_SIZE,
                   "the operations of a call fit a page");
    if (count > FIXED)
        operations = mem_pages_get(MEM_CORE, 1);
    if (!operations)
        return -ENOMEM;
    long result = -EFAULT;
    if (core_copy_in(operations, (const void *)b, count * sizeof(*operations)) <
        0)
        goto out;
    struct semaphore_set *set = set_get(a);
    result = -EINVAL;
    if (!set)
        goto out;
    result = check_operations(set, operations, count);
    if (result < 0)
        goto out;
    set->references++;
    result = operate(set, operations, count, deadline);
    set_put(set);
out:
    if (operations != fixed)
        mem_pages_put(MEM_CORE, operations, 1);
    return result;
}

long core_semop(long a, long b, long c)
{
    return core_semtimedop(a, b, c, 0);
}

/* -- semctl -- */

static long set_remove(struct semaphore_set *set)
{
    sets[set->id % SEQUENCE] = NULL;
    semaphore_count -= set->count;
    set->removed = true;
    set_changed(set);
    set_put(set);
    return 0;
}

static long set_describe(const struct semaphore_set *set, long user)
{
    struct semid_ds out;

    memset(&out, 0, sizeof(out));
    out.sem_perm.__ipc_perm_key = set->key;
    out.sem_perm.uid = set->uid;
    out.sem_perm.gid = set->gid;
    out.sem_perm.mode = set->mode;
    out.sem_nsems = (unsigned short)set->count;
    out.sem_ctime = (time_t)(set->changed_ns / TIME_SECOND);
    out.sem_otime = (time_t)(set->used_ns / TIME_SECOND);
    return core_copy_out((void *)user, &out, sizeof(out));
}

static long set_owner(struct semaphore_set *set, long user)
{
    struct semid_ds in;

    if (core_copy_in(&in, (const void *)user, sizeof(in)) < 0)
        return -EFAULT;
    set->uid = in.sem_perm.uid;
    set->gid = in.sem_perm.gid;
    set->mode = in.sem_perm.mode & 0777;
    set->changed_ns = time_wall_ns();
    return 0;
}

static long get_all(const struct semaphore_set *set, long user)
{
    for (unsigned i = 0; i < set->count; i++) {
        uint16_t value = set->semaphores[i].value;
        if (core_copy_out((uint16_t *)user + i, &value, sizeof(value)) < 0)
            return -EFAULT;
    }
    return 0;
}

/* Two passes: nothing changes if a value is bad. */
static long set_all(struct semaphore_set *set, long user)
{
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < set->count; i++) {
            uint16_t value;
            if (core_copy_in(&value, (const uint16_t *)user + i,
                             sizeof(value)) < 0)
                return -EFAULT;
            if (value > VALUE_MAX)
                return -ERANGE;
            if (pass == 1)
                set->semaphores[i].value = value;
        }
    }
    set->changed_ns = time_wall_ns();
    set_changed(set);
    return 0;
}

static long one_control(struct semaphore_set *set, unsigned number, int command,
                        long argument)
{
    if (number >= set->count)
        return -EINVAL;
    struct semaphore *one = &set->semaphores[number];
    switch (command) {
    case GETVAL:
        return one->value;
    case GETPID:
        return one->last_pid;
    case GETNCNT:
        return one->waiting_more;
    case GETZCNT:
        return one->waiting_zero;
    default: /* SETVAL */
        if ((int)argument < 0 || (int)argument > VALUE_MAX)
            return -ERANGE;
        one->value = (uint16_t)argument;
        one->last_pid = THREAD_PID;
        set->changed_ns = time_wall_ns();
        set_changed(set);
        return 0;
    }
}

/* Returns the highest place in use. */
static long system_info(int command, long user)
{
    struct seminfo info;
    int highest = 0, used = 0;

    for (int i = 0; sets && i < LIMIT_SEMAPHORE_SETS; i++) {
        if (sets[i]) {
            highest = i;
            used++;
        }
    }
    memset(&info, 0, sizeof(info));
    info.semmni = LIMIT_SEMAPHORE_SETS;
    info.semmns = info.semmsl = info.semmap = LIMIT_SEMAPHORES;
    info.semopm = info.semume = OPERATIONS_MAX;
    info.semvmx = VALUE_MAX;
    info.semaem = VALUE_MAX;
    if (command == SEM_INFO_) {
        info.semusz = used;
        info.semaem = (int)semaphore_count;
    }
    if (core_copy_out((void *)user, &info, sizeof(info)) < 0)
        return -EFAULT;
    return highest;
}

long core_semctl(long a, long b, long c, long d)
{
    int command = (int)c & ~0x100; /* IPC_64, which is all there is here */

    if (command == IPC_INFO || command == SEM_INFO_)
        return system_info(command, d);
    struct semaphore_set *set = set_get(a);
    if (command == SEM_STAT_) { /* by place instead of id */
        int place = (int)a;
        if (place < 0 || place >= LIMIT_SEMAPHORE_SETS || !sets || !sets[place])
            return -EINVAL;
        long result = set_describe(sets[place], d);
        return result < 0 ? result : sets[place]->id;
    }
    if (!set)
        return -EINVAL;
    switch (command) {
    case IPC_RMID:
        return set_remove(set);
    case IPC_STAT:
        return set_describe(set, d);
    case IPC_SET:
        return set_owner(set, d);
    case GETALL:
        return get_all(set, d);
    case SETALL:
        return set_all(set, d);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
    case SETVAL:
        return one_control(set, (unsigned)b, command, d);
    default:
        return -EINVAL;
    }
}
