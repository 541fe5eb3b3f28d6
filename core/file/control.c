/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls that ask or change something about an open file: fcntl, ioctl,
 * sync and their relatives. Monitor held.
 */
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/calls.h"
#include "core/file/table.h"

/* What F_SETFL may change. O_ASYNC is not among them: nobody sends SIGIO. */
#define FLAGS_SETTABLE (O_APPEND | O_NONBLOCK | O_NOATIME)
/* What only open acts on; F_GETFL does not show it. */
#define FLAGS_OF_OPEN (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

static long set_flags(struct file *file, int flags)
{
    int old = file->flags;
    int result = 0;

    file->flags = (old & ~FLAGS_SETTABLE) | (flags & FLAGS_SETTABLE);
    if (file->flags != old && file->ops->set_flags)
        result = file->ops->set_flags(file, file->flags);
    if (result < 0)
        file->flags = old;
    return result;
}

static int get_flags(const struct file *file)
{
    int flags = file->flags & ~FLAGS_OF_OPEN;
    return flags & O_PATH ? flags & ~FILE_ACCESS_MASK : flags;
}

/* Locks. There is one process, and a lock never conflicts with its own
 * holder; what is left is to refuse what Linux refuses. Open file description
 * locks could conflict within a process; they are granted as well, which
 * include/syscalls.def says. */
static long lock(struct file *file, int command, long user)
{
    struct flock lock;

    if (core_copy_in(&lock, (const void *)user, sizeof(lock)) < 0)
        return -EFAULT;
    if (lock.l_whence < SEEK_SET || lock.l_whence > SEEK_END)
        return -EINVAL;
    if (lock.l_type != F_RDLCK && lock.l_type != F_WRLCK &&
        lock.l_type != F_UNLCK)
        return -EINVAL;
    if (lock.l_whence == SEEK_SET &&
        (lock.l_start < 0 || (lock.l_len < 0 && lock.l_start < -lock.l_len)))
        return -EINVAL;
    if (command == F_GETLK || command == F_OFD_GETLK) {
        if (lock.l_type == F_UNLCK)
            return -EINVAL;
        lock.l_type = F_UNLCK;
        return core_copy_out((void *)user, &lock, sizeof(lock));
    }
    if (lock.l_type == F_RDLCK && !file_readable(file))
        return -EBADF;
    if (lock.l_type == F_WRLCK && !file_writable(file))
        return -EBADF;
    return 0;
}

static long duplicate(struct file *file, long lowest, int flags)
{
    if (lowest < 0 || (uint64_t)lowest >= file_limit())
        return -EINVAL;
    return file_install(file_ref(file), (int)lowest, flags);
}

/* What may be asked of any descriptor, O_PATH included; -ENOSYS: not here. */
static long fcntl_any(struct file *file, int fd, int command, long argument)
{
    uintptr_t *slot = &file_slots[(unsigned)fd];

    switch (command) {
    case F_DUPFD:
        return duplicate(file, (int)argument, 0);
    case F_DUPFD_CLOEXEC:
        return duplicate(file, (int)argument, O_CLOEXEC);
    case F_GETFD:
        return *slot & FILE_SLOT_CLOEXEC ? FD_CLOEXEC : 0;
    case F_SETFD:
        *slot &= ~(uintptr_t)FILE_SLOT_CLOEXEC;
        if (argument & FD_CLOEXEC)
            *slot |= FILE_SLOT_CLOEXEC;
        return 0;
    case F_GETFL:
        return get_flags(file);
    default:
        return -ENOSYS;
    }
}

long core_fcntl(long a, long b, long c)
{
    struct file *file = file_slot(a);
    int command = (int)b;

    if (!file)
        return -EBADF;
    long result = fcntl_any(file, (int)a, command, c);
    if (result != -ENOSYS)
        return result;
    if (file->flags & O_PATH)
        return -EBADF;
    switch (command) {
    case F_SETFL:
        return set_flags(file, (int)c);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock(file, command, c);
    case F_SETPIPE_SZ:
        if ((int)c < 0)
            return -EINVAL;
        return file_pipe_size ? file_pipe_size(file, c ? (int)c : 1) : -EBADF;
    case F_GETPIPE_SZ:
        return file_pipe_size ? file_pipe_size(file, 0) : -EBADF;
    case F_ADD_SEALS:
        return file_seals ? file_seals(file, c & 0x7fffffff) : -EINVAL;
    case F_GET_SEALS:
        return file_seals ? file_seals(file, -1) : -EINVAL;
    case F_GETOWN:
    case F_GETSIG:
        return 0; /* nobody, SIGIO: what a fresh file has */
    case F_GETLEASE:
        return F_UNLCK;
    default:
        return -EINVAL;
    }
}

static long ioctl_nonblocking(struct file *file, long user)
{
    int on;
    if (core_copy_in(&on, (const void *)user, sizeof(on)) < 0)
        return -EFAULT;
    return set_flags(file,
                     on ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK);
}

long core_ioctl(long a, long b, long c)
{
    struct file *file = file_get((int)a);
    unsigned request = (unsigned)b;
    long result;

    if (!file)
        return -EBADF;
    switch (request) {
    case FIOCLEX:
        result = fcntl_any(file, (int)a, F_SETFD, FD_CLOEXEC);
        break;
    case FIONCLEX:
        result = fcntl_any(file, (int)a, F_SETFD, 0);
        break;
    case FIONBIO:
        result = ioctl_nonblocking(file, c);
        break;
    default:
        result = -ENOTTY;
        if (file->ops->ioctl)
            result = file->ops->ioctl(file, request, c);
        break;
    }
    file_unref(file);
    return result;
}

long core_flock(long a, long b)
{
    struct file *file = file_slot(a);
    int operation = (int)b & ~LOCK_NB;

    if (!file || (file->flags & O_PATH))
        return -EBADF;
    if (operation != LOCK_SH && operation != LOCK_EX && operation != LOCK_UN)
        return -EINVAL;
    return 0;
}

static long sync_file(long fd)
{
    struct file *file = file_get((int)fd);
    if (!file)
        return -EBADF;
    long result = file->ops->sync ? file->ops->sync(file) : -EINVAL;
    file_unref(file);
    return result;
}

long core_fsync(long a)
{
    return sync_file(a);
}

long core_fdatasync(long a)
{
    return sync_file(a);
}

/* The tree is in memory, and a block device is written through: there is
 * nothing that waits to be written. */
long core_sync(void)
{
    return 0;
}

long core_syncfs(long a)
{
    return file_slot(a) ? 0 : -EBADF;
}

long core_sync_file_range(long a, long b, long c, long d)
{
    /* SYNC_FILE_RANGE_WAIT_BEFORE, WRITE, WAIT_AFTER. */
    if (b < 0 || c < 0 || b + c < 0 || ((unsigned)d & ~7u))
        return -EINVAL;
    struct file *file = file_slot(a);
    if (!file || (file->flags & O_PATH))
        return -EBADF;
    return file->ops->lseek ? 0 : -ESPIPE;
}

long core_ftruncate(long a, long b)
{
    if (b < 0)
        return -EINVAL;
    struct file *file = file_get((int)a);
    if (!file)
        return -EBADF;
    long result = -EINVAL;
    if (file_writable(file) && file->ops->truncate)
        result = file->ops->truncate(file, b);
    file_unref(file);
    return result;
}

long core_fallocate(long a, long b, long c, long d)
{
    if (c < 0 || d <= 0)
        return -EINVAL;
    if (c + d < 0)
        return -EFBIG;
    struct file *file = file_get((int)a);
    if (!file)
        return -EBADF;
    long result = -EBADF;
    if (file_writable(file))
        result = file->ops->fallocate ? file->ops->fallocate(file, (int)b, c, d)
                                      : (file->ops->lseek ? -ENODEV : -ESPIPE);
    file_unref(file);
    return result;
}

long core_readahead(long a, long b, long c)
{
    struct file *file = file_slot(a);
    if (!file || !file_readable(file))
        return -EBADF;
    return file->ops->data_at ? 0 : -EINVAL;
}

long core_fadvise64(long a, long b, long c, long d)
{
    struct file *file = file_slot(a);
    if (!file || (file->flags & O_PATH))
        return -EBADF;
    if (!file->ops->lseek)
        return -ESPIPE;
    return (unsigned)d <= POSIX_FADV_NOREUSE && c >= 0 ? 0 : -EINVAL;
}
