/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of a provider: open ones, and the calls on their descriptors.
 * halvm/file.h is the contract.
 *
 * The descriptor that the world knows is an eventfd, which is readable while
 * the file is ready: so poll, select and epoll do with it what they do with
 * any other.
 */
#include "reroute/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "reroute/descriptor.h"
#include "reroute/service.h"
#include "statx.h"

#define BLOCK 4096

/* What a provider is given at once, of what a call moves. */
#define READ_PIECE  65536u
#define WRITE_PIECE (1u << 20)

#define NAMES_SIZE   4096u       /* room for a directory's, at first */
#define VECTORS_MAX  1024        /* UIO_MAXIOV */
#define TRANSFER_MAX 0x7ffff000u /* Linux's MAX_RW_COUNT */

struct open_file {
    struct object object;
    struct halvm_file file; /* what the provider sees */
    struct file_mount *mount;
    pthread_mutex_t lock; /* of the position */
    off_t position;       /* of a directory: the index of its next name */
    bool directory;
    char *names; /* of a directory, since it was read from its beginning */
    size_t names_size;
    char path[];
};

void halvm_file_ready(struct halvm_file *file, int ready)
{
    uint64_t count = 1;

    if (__atomic_exchange_n(&file->ready, ready != 0, __ATOMIC_ACQ_REL) ==
        (ready != 0))
        return;
    if (ready) {
        if (write(file->fd_ready, &count, sizeof count) < 0)
            service_say("a file lost its wake-up");
        service_wake(&file->ready);
    } else if (read(file->fd_ready, &count, sizeof count) < 0) {
        count = 0; /* it was not readable */
    }
}

/* -- what a file is -- */

int file_stat(const struct file_mount *mount, const char *path,
              struct stat *out)
{
    int result;

    memset(out, 0, sizeof *out);
    result = mount->provider->stat(mount->context, path, out);
    if (result < 0)
        return result;
    out->st_dev = mount->device;
    out->st_nlink = S_ISDIR(out->st_mode) ? 2 : 1;
    out->st_uid = getuid();
    out->st_gid = getgid();
    out->st_blksize = BLOCK;
    out->st_blocks = (out->st_size + 511) / 512;
    out->st_atim = out->st_ctim = out->st_mtim;
    return 0;
}

int file_statx(const struct stat *from, void *user)
{
    struct statx_answer out = statx_of(from);

    return halvm_copy_out(user, &out, sizeof out);
}

static long call(struct object *object, int fd, const struct halvm_call *call);
static void release(struct object *object);

static const struct object_ops file_ops = {.call = call, .release = release};

bool file_is_ours(int fd)
{
    struct object *object = object_get(fd, &file_ops);

    if (object)
        object_put(object);
    return object != NULL;
}

bool file_directory_path(int fd, char path[PATH_MAX])
{
    struct object *object = object_get(fd, &file_ops);
    struct open_file *open = (struct open_file *)object;
    bool found = object && open->directory;

    if (found)
        found = snprintf(path, PATH_MAX, "%s/%s", open->mount->prefix,
                         open->path) < PATH_MAX;
    if (object)
        object_put(object);
    return found;
}

/* -- open and close -- */

mode_t file_umask(void)
{
    static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
    mode_t mask;

    pthread_mutex_lock(&asking);
    mask = umask(022);
    umask(mask);
    pthread_mutex_unlock(&asking);
    return mask;
}

static void release(struct object *object)
{
    struct open_file *open = (struct open_file *)object;
    const struct halvm_file_provider *provider = open->mount->provider;

    if (!open->directory && provider->close)
        provider->close(open->mount->context, &open->file);
    close(open->file.fd_ready);
    pthread_mutex_destroy(&open->lock);
    file_mount_put(open->mount);
    free(open->names);
    free(open);
}

/* 0, or why it may not be opened so. */
static int check_open(const struct file_mount *mount, const char *path,
                      int flags, bool *directory)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    struct stat found;
    int result = file_stat(mount, path, &found);

    if (result == -ENOENT && (flags & O_CREAT))
        return mount->provider->write ? 0 : -EROFS;
    if (result < 0)
        return result;
    *directory = S_ISDIR(found.st_mode);
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (*directory)
        return writes || (flags & O_CREAT) ? -EISDIR : 0;
    if (flags & O_DIRECTORY)
        return -ENOTDIR;
    if (writes && !mount->provider->write)
        return -EROFS;
    if (writes && !(found.st_mode & 0222))
        return -EACCES;
    if (!writes && !(found.st_mode & 0444))
        return -EACCES;
    return 0;
}

/* The provider's end of the eventfd is a second descriptor of it, so that it
 * stays as long as the open file. */
static int make_descriptor(struct open_file *open, int flags)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return -errno;
    open->file.fd_ready = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (open->file.fd_ready < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    if (!(flags & O_CLOEXEC))
        fcntl(fd, F_SETFD, 0);
    return fd;
}

/* O_NONBLOCK is the file's, not the eventfd's, which halvm_file_ready reads
 * and writes. */
static long open_provided(struct open_file *open, mode_t mode)
{
    const struct halvm_file_provider *provider = open->mount->provider;
    long result = 0;

    if (open->directory)
        return 0;
    if (!provider->open)
        return -EACCES;
    result =
        provider->open(open->mount->context, open->path, mode, &open->file);
    if (result < 0 || !(open->file.flags & O_TRUNC) ||
        (open->file.flags & O_ACCMODE) == O_RDONLY || !provider->truncate)
        return result;
    result = provider->truncate(open->mount->context, open->path, 0);
    if (result < 0 && provider->close)
        provider->close(open->mount->context, &open->file);
    return result;
}

long file_open(struct file_mount *mount, const char *path, int flags,
               mode_t mode)
{
    struct open_file *open;
    bool directory = false;
    long result;
    int fd;

    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    result = check_open(mount, path, flags, &directory);
    if (result < 0)
        return result;
    open = calloc(1, sizeof *open + strlen(path) + 1);
    if (!open)
        return -ENOMEM;
    strcpy(open->path, path);
    open->object.ops = &file_ops;
    open->object.references = 1;
    open->mount = mount;
    open->directory = directory;
    open->file.flags = flags;
    open->file.ready = 1;
    pthread_mutex_init(&open->lock, NULL);
    fd = make_descriptor(open, flags);
    if (fd < 0) {
        free(open);
        return fd;
    }
    if (flags & O_CREAT)
        mode &= ~file_umask();
    result = open_provided(open, mode & 07777);
    if (result == 0) {
        __atomic_fetch_add(&mount->references, 1, __ATOMIC_RELAXED);
        result = object_install(fd, &open->object);
        if (result == 0)
            return fd;
        close(fd);
        object_put(&open->object);
        return result;
    }
    close(fd);
    close(open->file.fd_ready);
    free(open);
    return result;
}

/* -- reading and writing -- */

static bool may_read(const struct open_file *open)
{
    return (open->file.flags & O_ACCMODE) != O_WRONLY;
}

static bool may_write(const struct open_file *open)
{
    return (open->file.flags & O_ACCMODE) != O_RDONLY;
}

/* Waits until the provider says that it is worth a try. */
static long wait_ready(struct open_file *open)
{
    struct halvm_service *service = open->mount->provider->service;
    long result = 0;

    if (open->file.flags & O_NONBLOCK)
        return -EAGAIN;
    if (service)
        result = service_wait(service);
    if (result < 0)
        return result == -ENETDOWN ? -EIO : result;
    result = service_sleep(&open->file.ready, 0);
    if (service)
        service_waited(service);
    return result;
}

/* wait: the caller may wait for the provider; else -EAGAIN. */
static long move_one(struct open_file *open, void *buffer, size_t size,
                     off_t offset, bool write, bool wait)
{
    const struct halvm_file_provider *provider = open->mount->provider;
    void *context = open->mount->context;
    long result;

    for (;;) {
        if (write)
            result = provider->write ? provider->write(context, &open->file,
                                                       buffer, size, offset)
                                     : -EBADF;
        else
            result = provider->read ? provider->read(context, &open->file,
                                                     buffer, size, offset)
                                    : -EINVAL;
        if (result != -EAGAIN || !wait)
            return result;
        result = wait_ready(open);
        if (result < 0)
            return result;
    }
}

/* A piece of the application's buffer, by way of one of ours, as its own may
 * be no memory at all. */
static long move_piece(struct open_file *open, void *ours,
                       const struct iovec *piece, off_t offset, bool write,
                       bool wait)
{
    long result = 0;

    if (write)
        result = halvm_copy_in(ours, piece->iov_base, piece->iov_len);
    if (result == 0)
        result = move_one(open, ours, piece->iov_len, offset, write, wait);
    if (!write && result > 0 &&
        halvm_copy_out(piece->iov_base, ours, (size_t)result) < 0)
        result = -EFAULT;
    return result;
}

/* What is there, waiting for its first byte only. */
static long move(struct open_file *open, const struct iovec *iov, long count,
                 off_t offset, bool write)
{
    size_t most = write ? WRITE_PIECE : READ_PIECE, longest = 0;
    long total = 0, part = 0;
    void *ours;

    for (long i = 0; i < count; i++)
        if (iov[i].iov_len > longest)
            longest = iov[i].iov_len;
    ours = malloc(longest < most ? longest + 1 : most);
    if (!ours)
        return -ENOMEM;
    for (long i = 0; i < count; i++)
        for (size_t at = 0; at < iov[i].iov_len; at += (size_t)part) {
            struct iovec piece = {(char *)iov[i].iov_base + at,
                                  iov[i].iov_len - at};
            if (piece.iov_len > most)
                piece.iov_len = most;
            part = move_piece(open, ours, &piece, offset + total, write,
                              total == 0);
            if (part > 0)
                total += part;
            if (part < (long)piece.iov_len)
                goto out;
        }
out:
    free(ours);
    return total > 0 ? total : part;
}

/* A copy of an application's vectors, in small if there are few; for iov_put
 * in any case. 0 or -errno. */
static long iov_get(struct iovec **out, struct iovec small[8], long user,
                    long count)
{
    size_t size = (size_t)count * sizeof(struct iovec);

    *out = small;
    if (count < 0 || count > VECTORS_MAX)
        return -EINVAL;
    if (count > 8)
        *out = malloc(size);
    if (!*out)
        return -ENOMEM;
    if (halvm_copy_in(*out, (const void *)user, size) < 0)
        return -EFAULT;
    for (long i = 0; i < count; i++)
        if ((ssize_t)(*out)[i].iov_len < 0)
            return -EINVAL;
    return 0;
}

static void iov_put(struct iovec *iov, const struct iovec *small)
{
    if (iov != small)
        free(iov);
}

static off_t size_of(const struct open_file *open)
{
    struct stat found;

    if (file_stat(open->mount, open->path, &found) < 0)
        return 0;
    return found.st_size;
}

static long transfer(struct open_file *open, const struct iovec *iov,
                     long count, bool write, const off_t *at)
{
    long result;
    off_t offset;

    if (write ? !may_write(open) : !may_read(open))
        return -EBADF;
    if (open->directory)
        return -EISDIR;
    if (at && *at < 0)
        return -EINVAL;
    if (at)
        return move(open, iov, count, *at, write);
    pthread_mutex_lock(&open->lock);
    offset = open->position;
    pthread_mutex_unlock(&open->lock);
    if (write && (open->file.flags & O_APPEND))
        offset = size_of(open);
    result = move(open, iov, count, offset, write);
    if (result > 0) {
        pthread_mutex_lock(&open->lock);
        open->position = offset + result;
        if (write && (open->file.flags & O_APPEND))
            open->position = size_of(open); /* others append, too */
        pthread_mutex_unlock(&open->lock);
    }
    return result;
}

static long seek(struct open_file *open, off_t offset, int whence)
{
    off_t base = 0;

    pthread_mutex_lock(&open->lock);
    if (whence == SEEK_CUR)
        base = open->position;
    else if (whence == SEEK_END)
        base = size_of(open);
    if (whence < SEEK_SET || whence > SEEK_END || offset + base < 0)
        base = -1;
    else
        open->position = base += offset;
    pthread_mutex_unlock(&open->lock);
    return base < 0 ? -EINVAL : base;
}

/* -- directories -- */

static size_t entry_size(const char *entry)
{
    return ((const struct dirent *)(const void *)entry)->d_reclen;
}

/* There is room for any; returns its size. */
static size_t fill_entry(char *out, const char *name, mode_t mode, off_t next)
{
    struct dirent *entry = (struct dirent *)(void *)out;
    size_t size = offsetof(struct dirent, d_name) + strlen(name) + 1;

    size = (size + 7) & ~(size_t)7;
    entry->d_ino = (ino_t)next + 1; /* anything but 0 */
    entry->d_off = next;
    entry->d_reclen = (unsigned short)size;
    entry->d_type = (unsigned char)(mode >> 12 & 15);
    strcpy(entry->d_name, name);
    return size;
}

/* All names of a directory as they are now, so that none is missed when others
 * go while it is read. 0 or -ENOMEM. */
static long take_names(struct open_file *open)
{
    const struct halvm_file_provider *provider = open->mount->provider;
    char name[HALVM_FILE_NAME_MAX + 1];
    size_t room = 0;
    mode_t mode;

    open->names_size = 0;
    for (off_t at = 0;; at++) {
        mode = S_IFDIR;
        if (at < 2)
            strcpy(name, at == 0 ? "." : "..");
        else if (!provider->list ||
                 provider->list(open->mount->context, open->path,
                                (size_t)at - 2, name, &mode) <= 0)
            return 0;
        if (room - open->names_size < sizeof(struct dirent)) {
            room = room ? 2 * room : NAMES_SIZE;
            char *more = realloc(open->names, room);
            if (!more)
                return -ENOMEM;
            open->names = more;
            /* What pads a name. */
            memset(more + open->names_size, 0, room - open->names_size);
        }
        open->names_size +=
            fill_entry(open->names + open->names_size, name, mode, at + 1);
    }
}

/* As many as room bytes hold; the position, an index, is behind them. */
static long give_names(struct open_file *open, void *user, size_t room)
{
    size_t from = 0, to;
    off_t at = 0;

    if (open->position == 0 && take_names(open) < 0)
        return -ENOMEM;
    for (; at < open->position && from < open->names_size; at++)
        from += entry_size(open->names + from);
    for (to = from; to < open->names_size &&
                    to + entry_size(open->names + to) - from <= room;
         at++)
        to += entry_size(open->names + to);
    if (to == from)
        return to < open->names_size ? -EINVAL : 0;
    if (halvm_copy_out(user, open->names + from, to - from) < 0)
        return -EFAULT;
    open->position = at;
    return (long)(to - from);
}

static long read_names(struct open_file *open, void *user, size_t room)
{
    long result;

    if (!open->directory)
        return -ENOTDIR;
    pthread_mutex_lock(&open->lock);
    result = give_names(open, user, room);
    pthread_mutex_unlock(&open->lock);
    return result;
}

/* -- the calls -- */

static long truncate_open(struct open_file *open, off_t size)
{
    const struct halvm_file_provider *provider = open->mount->provider;

    if (!may_write(open) || open->directory || size < 0)
        return -EINVAL;
    if (!provider->truncate)
        return -EROFS;
    return provider->truncate(open->mount->context, open->path, size);
}

static long sync_open(struct open_file *open)
{
    const struct halvm_file_provider *provider = open->mount->provider;

    return provider->sync && !open->directory
               ? provider->sync(open->mount->context, &open->file)
               : 0;
}

static long flags_of(struct open_file *open, const struct halvm_call *call)
{
    const int settable = O_NONBLOCK | O_APPEND;

    switch ((int)call->args[1]) {
    case F_GETFL:
        return open->file.flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
    case F_SETFL:
        open->file.flags =
            (open->file.flags & ~settable) | ((int)call->args[2] & settable);
        return 0;
    default:
        return OBJECT_PASS;
    }
}

static long stat_open(struct open_file *open, const struct halvm_call *call)
{
    struct stat found;
    long result;
    void *out;

    if (call->number != SYS_fstat && call->args[1]) {
        char first;
        if (halvm_copy_in(&first, (const void *)call->args[1], 1) < 0)
            return -EFAULT;
        if (first != '\0')
            return OBJECT_PASS;
    }
    result = file_stat(open->mount, open->path, &found);
    if (result < 0)
        return result == -ENOENT ? -ESTALE : result; /* removed, or moved */
    if (call->number == SYS_statx)
        return file_statx(&found, (void *)call->args[4]);
    out = (void *)call->args[call->number == SYS_fstat ? 1 : 2];
    return halvm_copy_out(out, &found, sizeof found);
}

static long transfer_vectors(struct open_file *open,
                             const struct halvm_call *call, bool write,
                             const off_t *at)
{
    struct iovec small[8], *iov;
    long result = iov_get(&iov, small, call->args[1], call->args[2]);

    if (result == 0)
        result = transfer(open, iov, call->args[2], write, at);
    iov_put(iov, small);
    return result;
}

static long transfer_call(struct open_file *open, const struct halvm_call *call)
{
    struct iovec one = {(void *)call->args[1], (size_t)call->args[2]};
    const off_t at = (off_t)call->args[3];

    if ((ssize_t)one.iov_len < 0 || one.iov_len > TRANSFER_MAX)
        one.iov_len = TRANSFER_MAX;
    switch (call->number) {
    case SYS_read:
        return transfer(open, &one, 1, false, NULL);
    case SYS_write:
        return transfer(open, &one, 1, true, NULL);
    case SYS_readv:
        return transfer_vectors(open, call, false, NULL);
    case SYS_writev:
        return transfer_vectors(open, call, true, NULL);
    case SYS_pread64:
        return transfer(open, &one, 1, false, &at);
    case SYS_pwrite64:
        return transfer(open, &one, 1, true, &at);
    case SYS_preadv:
        return transfer_vectors(open, call, false, &at);
    case SYS_preadv2:
        return transfer_vectors(open, call, false, at == -1 ? NULL : &at);
    case SYS_pwritev:
        return transfer_vectors(open, call, true, &at);
    default: /* pwritev2 */
        return transfer_vectors(open, call, true, at == -1 ? NULL : &at);
    }
}

static long call(struct object *object, int fd, const struct halvm_call *call)
{
    struct open_file *open = (struct open_file *)object;

    (void)fd;
    switch (call->number) {
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_preadv:
    case SYS_preadv2:
    case SYS_pwritev:
    case SYS_pwritev2:
        if (open->file.flags & O_PATH)
            return -EBADF;
        return transfer_call(open, call);
    case SYS_lseek:
        return seek(open, (off_t)call->args[1], (int)call->args[2]);
    case SYS_fstat:
    case SYS_newfstatat:
    case SYS_statx:
        return stat_open(open, call);
    case SYS_ftruncate:
        return truncate_open(open, (off_t)call->args[1]);
    case SYS_getdents64:
    case SYS_getdents:
        if (call->number == SYS_getdents)
            return -EINVAL; /* the old form, which libc does not use */
        return read_names(open, (void *)call->args[1], (size_t)call->args[2]);
    case SYS_fsync:
    case SYS_fdatasync:
        return sync_open(open);
    case SYS_fcntl:
        return flags_of(open, call);
    case SYS_fchmod:
    case SYS_fchown:
    case SYS_fadvise64:
    case SYS_flock:
        return 0;
    case SYS_ioctl:
        return -ENOTTY;
    case SYS_fallocate:
    case SYS_fchdir:
        return -EOPNOTSUPP;
    default:
        return OBJECT_PASS;
    }
}
