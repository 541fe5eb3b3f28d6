/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev: null, zero, full, random, urandom, console, tty, and the links to the
 * process's own descriptors. Disks (/dev/vda, ...) are in block.c, /dev/xen is
 * in core/xen; they are found when they are looked for. Monitor held.
 */
#include <dirent.h>
#include <sys/sysmacros.h>

#include "core/file/console.h"
#include "core/file/node.h"
#include "core/file/table.h"
#include "core/random/random.h"
#include "core/xen/xen.h"

#define CHUNK 256 /* random bytes at a time, on the application's stack */

static long swallow(struct file *file, const struct iovec *iov, int count,
                    off_t *offset)
{
    return (long)file_iov_total(iov, count);
}

static long null_readv(struct file *file, const struct iovec *iov, int count,
                       off_t *offset)
{
    return 0;
}

static off_t null_lseek(struct file *file, off_t offset, int whence)
{
    return file->offset = 0;
}

static const struct file_ops null_ops = {
    .name = "/dev/null",
    .readv = null_readv,
    .writev = swallow,
    .lseek = null_lseek,
    .stat = node_file_stat,
};

static long zero_readv(struct file *file, const struct iovec *iov, int count,
                       off_t *offset)
{
    size_t size = file_iov_total(iov, count);

    for (size_t done = 0; done < size;) {
        size_t part =
            size - done < LIMIT_PAGE_SIZE ? size - done : LIMIT_PAGE_SIZE;
        if (file_copy_out(iov, count, done, content_zeros, part) < 0)
            return done ? (long)done : -EFAULT;
        done += part;
    }
    return (long)size;
}

static const struct file_ops zero_ops = {
    .name = "/dev/zero",
    .readv = zero_readv,
    .writev = swallow,
    .lseek = null_lseek,
    .stat = node_file_stat,
};

static long full_writev(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    return -ENOSPC;
}

static const struct file_ops full_ops = {
    .name = "/dev/full",
    .readv = zero_readv,
    .writev = full_writev,
    .lseek = null_lseek,
    .stat = node_file_stat,
};

static long random_readv(struct file *file, const struct iovec *iov, int count,
                         off_t *offset)
{
    size_t size = file_iov_total(iov, count);
    char chunk[CHUNK];
    long result = 0;

    for (size_t done = 0; done < size; result = (long)done) {
        size_t part = size - done < CHUNK ? size - done : CHUNK;
        if (random_bytes(chunk, part) < 0)
            return done ? (long)done : -EIO;
        if (file_copy_out(iov, count, done, chunk, part) < 0)
            return done ? (long)done : -EFAULT;
        done += part;
    }
    memset(chunk, 0, sizeof(chunk));
    return result;
}

static const struct file_ops random_ops = {
    .name = "/dev/urandom",
    .readv = random_readv,
    .writev = swallow, /* what is offered is not needed */
    .lseek = null_lseek,
    .stat = node_file_stat,
};

static const struct {
    const char *name;
    const struct file_ops *ops;
    unsigned major, minor; /* Linux Documentation/admin-guide/devices.txt */
    mode_t mode;
} devices[] = {
    {"null", &null_ops, 1, 3, 0666},
    {"zero", &zero_ops, 1, 5, 0666},
    {"full", &full_ops, 1, 7, 0666},
    {"random", &random_ops, 1, 8, 0666},
    {"urandom", &random_ops, 1, 9, 0666},
    {"tty", &file_console_ops, 5, 0, 0666},
    {"console", &file_console_ops, 5, 1, 0600},
};
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

const struct file_ops *device_find(dev_t device, mode_t *mode)
{
    if (S_ISCHR(*mode)) {
        for (size_t i = 0; i < DEVICES; i++) {
            if (makedev(devices[i].major, devices[i].minor) == device)
                return devices[i].ops;
        }
    }
    return NULL;
}

/* vda to vdp, and xen: they become nodes when somebody asks for them. */
static struct file_node *found_lookup(struct file_node *directory,
                                      const char *name, size_t size, int *error)
{
    struct file_node *node;

    if (size != 3)
        return NULL;
    if (memcmp(name, "xen", 3) == 0)
        node = xen_directory(error);
    else if (name[0] == 'v' && name[1] == 'd' && name[2] >= 'a' &&
             name[2] < 'a' + LIMIT_BLOCK_DEVICES)
        node = block_node((unsigned)(name[2] - 'a'), error);
    else
        return NULL;
    if (node)
        node->made_parent = node_ref(directory);
    return node;
}

static bool found_list(struct file_node *directory, uint64_t index, char *name,
                       unsigned char *type)
{
    if (xen_base() && index-- == 0) {
        memcpy(name, "xen", 4);
        *type = DT_DIR;
        return true;
    }
    if (index >= LIMIT_BLOCK_DEVICES)
        return false;
    int error = 0;
    struct file_node *node = block_node((unsigned)index, &error);
    if (!node)
        return false;
    node_put(node);
    memcpy(name, "vda", 4);
    name[2] = (char)(name[2] + index);
    *type = DT_BLK;
    return true;
}

static const struct node_ops devices_ops = {
    .lookup = found_lookup,
    .list = found_list,
};

static int make_device(struct file_node *directory, size_t i)
{
    const char *name = devices[i].name;

    if (node_entry(directory, name, strlen(name)))
        return 0; /* of the initrd */
    struct file_node *node = node_new(S_IFCHR | devices[i].mode);
    if (!node)
        return -ENOMEM;
    node->device = devices[i].ops;
    node->rdev = makedev(devices[i].major, devices[i].minor);
    int error = node_link(directory, name, strlen(name), node, true);
    node_put(node);
    return error;
}

static int make_link(struct file_node *directory, const char *name,
                     const char *target)
{
    if (node_entry(directory, name, strlen(name)))
        return 0;
    struct file_node *node = node_new(S_IFLNK | 0777);
    if (!node)
        return -ENOMEM;
    int error = node_target(node, target, strlen(target), true);
    if (error == 0)
        error = node_link(directory, name, strlen(name), node, true);
    node_put(node);
    return error;
}

int device_make_nodes(struct file_node *root)
{
    int error = 0;
    struct file_node *directory = node_make_path("dev", 3, 0755);

    if (!directory)
        return -ENOMEM;
    for (size_t i = 0; i < DEVICES && error == 0; i++)
        error = make_device(directory, i);
    if (error == 0)
        error = make_link(directory, "fd", "/proc/self/fd");
    if (error == 0)
        error = make_link(directory, "stdin", "/proc/self/fd/0");
    if (error == 0)
        error = make_link(directory, "stdout", "/proc/self/fd/1");
    if (error == 0)
        error = make_link(directory, "stderr", "/proc/self/fd/2");
    directory->ops = &devices_ops;
    node_put(directory);
    /* POSIX shared memory and semaphores of libc are files there. */
    struct file_node *shm = node_make_path("dev/shm", 7, 0755);
    if (!shm)
        return -ENOMEM;
    shm->mode = S_IFDIR | 01777;
    node_put(shm);
    return error;
}
