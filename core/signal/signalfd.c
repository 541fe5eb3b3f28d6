/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signalfd(2): signals read from a descriptor. The program masks them first,
 * so that they stay pending until they are read here. Monitor held.
 */
#include <stdlib.h>
#include <sys/signalfd.h>

#include "core/calls.h"
#include "core/file/file.h"
#include "core/mem/mem.h"
#include "core/signal/pending.h"

#define MASK_SIZE sizeof(uint64_t)

struct signalfd {
    uint64_t set;
};
static struct mem_pool signalfds =
    MEM_POOL(struct signalfd, MEM_CORE, LIMIT_DESCRIPTORS);

_Static_assert(sizeof(struct signalfd_siginfo) == 128, "Linux ABI");

static void convert(struct signalfd_siginfo *to, const siginfo_t *from)
{
    memset(to, 0, sizeof *to);
    to->ssi_signo = (uint32_t)from->si_signo;
    to->ssi_errno = from->si_errno;
    to->ssi_code = from->si_code;
    if (from->si_code == SI_TIMER) {
        to->ssi_tid = (uint32_t)from->si_timerid;
        to->ssi_overrun = (uint32_t)from->si_overrun;
    } else if (from->si_code < 0 || from->si_code == SI_USER) {
        to->ssi_pid = (uint32_t)from->si_pid;
        to->ssi_uid = from->si_uid;
    } else {
        to->ssi_addr = (uint64_t)(uintptr_t)from->si_addr;
    }
    /* Where the sender gave a value: sigqueue, timers, message queues. */
    if (from->si_code < 0) {
        to->ssi_ptr = (uint64_t)(uintptr_t)from->si_ptr;
        to->ssi_int = from->si_int;
    }
}

static bool readable(const struct file *file)
{
    const struct signalfd *fd = file->private;

    return (signal_pending_for(thread_current) & fd->set) != 0;
}

static long signalfd_readv(struct file *file, const struct iovec *iov,
                           int count, off_t *offset)
{
    const struct signalfd *fd = file->private;
    struct signalfd_siginfo out;
    size_t room = 0, done = 0;
    siginfo_t info;

    for (int i = 0; i < count; i++)
        room += iov[i].iov_len;
    if (room < sizeof out)
        return -EINVAL;
    while (!readable(file)) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&signal_arrival, TIME_NEVER, true) == -EINTR)
            return -CORE_RESTART;
    }
    while (room - done >= sizeof out && signal_take(fd->set, &info) != 0) {
        convert(&out, &info);
        if (file_iov_copy_out(iov, count, done, &out, sizeof out) != 0)
            return done != 0 ? (long)done : -EFAULT;
        done += sizeof out;
    }
    return (long)done;
}

static uint32_t signalfd_poll(struct file *file, struct file_poller *poller)
{
    file_poll_wait(poller, &signal_arrival);
    return readable(file) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct file *file)
{
    mem_pool_put(&signalfds, file->private);
}

static const struct file_ops signalfd_ops = {
    .name = "[signalfd]",
    .readv = signalfd_readv,
    .poll = signalfd_poll,
    .release = signalfd_release,
};

static long signalfd_new(uint64_t set, int flags)
{
    struct signalfd *fd = mem_pool_get(&signalfds);
    struct file *file;

    if (fd == NULL)
        return -ENOMEM;
    fd->set = set;
    file = file_new(&signalfd_ops, O_RDWR | (flags & SFD_NONBLOCK), fd);
    if (file == NULL) {
        mem_pool_put(&signalfds, fd);
        return file_new_error();
    }
    return file_install(file, 0, flags & SFD_CLOEXEC);
}

static long signalfd_change(int number, uint64_t set)
{
    struct file *file = file_get(number);
    long result = number;

    if (file == NULL)
        return -EBADF;
    if (file->ops == &signalfd_ops) {
        ((struct signalfd *)file->private)->set = set;
        wait_wake(&signal_arrival, POLLIN, ~0u);
    } else {
        result = -EINVAL;
    }
    file_put(file);
    return result;
}

long core_signalfd4(long a, long b, long c, long d)
{
    uint64_t set;

    if (c != MASK_SIZE || (d & ~(long)(SFD_CLOEXEC | SFD_NONBLOCK)) != 0)
        return -EINVAL;
    if (core_copy_in(&set, (const void *)b, sizeof set) != 0)
        return -EFAULT;
    set &= ~SIGNAL_UNMASKABLE;
    return (int)a == -1 ? signalfd_new(set, (int)d)
                        : signalfd_change((int)a, set);
}

long core_signalfd(long a, long b, long c)
{
    return core_signalfd4(a, b, c, 0);
}
