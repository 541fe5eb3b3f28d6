/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files: what is behind a descriptor.
 *
 * Everything with a descriptor is a struct file with a struct file_ops; a
 * missing operation takes a default that says what Linux would (read:
 * EINVAL, lseek: ESPIPE, poll: always ready, ...). Operations see
 * application pointers: they copy with core_copy_in and core_copy_out.
 *
 * Blocking. An operation that cannot go on returns -EAGAIN if O_NONBLOCK is
 * set in file->flags; else it waits on a wait queue and tries again.
 *
 * Monitor held in every function here.
 */
#ifndef HALVM_FILE_H
#define HALVM_FILE_H

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "core/core.h"
#include "core/thread/thread.h"

struct file;
struct file_node;
struct socket_ops;

/* The poll side of a call: see file_poll_wait. */
struct file_poller;

struct file_ops {
    const char *name; /* "pipe", "[eventfd]": for /proc/self/fd */
    /* Transfer at *offset (and advance it) if the file has a position; the
     * caller passes &file->offset or its own (pread). Return bytes or
     * -errno. iov is core's copy, the buffers are the application's. */
    long (*readv)(struct file *file, const struct iovec *iov, int count,
                  off_t *offset);
    long (*writev)(struct file *file, const struct iovec *iov, int count,
                   off_t *offset);
    off_t (*lseek)(struct file *file, off_t offset, int whence);
    /* The POLL* bits that hold now. If poller is not NULL, the operation
     * first registers it: file_poll_wait(poller, &its_queue) for each queue
     * that announces a change. */
    uint32_t (*poll)(struct file *file, struct file_poller *poller);
    long (*ioctl)(struct file *file, unsigned long request, long argument);
    int (*stat)(struct file *file, struct stat *out);
    int (*truncate)(struct file *file, off_t size);
    int (*sync)(struct file *file);
    /* Directories: fills entries as getdents64 does. */
    long (*getdents)(struct file *file, void *user_buffer, size_t size);
    int (*fallocate)(struct file *file, int mode, off_t offset, off_t size);
    /* Where the content at offset lies in memory, for mapping and sendfile:
     * sets *data and returns the bytes there, 0 at the end, -errno. */
    long (*data_at)(struct file *file, off_t offset, const void **data);
    /* mmap of pages that are the device's: gives their address, at which no
     * mapping of the application's can be, or -errno; prot is PROT_*. munmap
     * then asks mem_device_unmap (core/mem/device.h). */
    long (*map)(struct file *file, uint64_t size, long prot, bool shared,
                int64_t offset);
    int (*set_flags)(struct file *file, int flags); /* F_SETFL changed them */
    const struct socket_ops *socket;                /* NULL: ENOTSOCK */
    /* The last reference is gone. Frees private; cannot fail. */
    void (*release)(struct file *file);
};

/* An open file description (open(2)): shared by dup. */
struct file {
    const struct file_ops *ops;
    uint32_t references;
    int flags; /* O_ACCMODE, O_NONBLOCK, O_APPEND, ...; not O_CLOEXEC */
    off_t offset;
    void *private;
    struct file_node *node;  /* if it has a place in the tree */
    struct list epoll_items; /* of core/file/epoll.c */
};

/* A new open file with one reference, or NULL; file_new_error() then says why,
 * -ENFILE or -ENOMEM. */
struct file *file_new(const struct file_ops *ops, int flags, void *private);
int file_new_error(void);
struct file *file_ref(struct file *file);
void file_put(struct file *file);

/* The open file behind a descriptor, with a reference the caller puts; NULL
 * is EBADF. */
struct file *file_get(int fd);
/* Gives file (taking over the caller's reference) the lowest free descriptor
 * >= lowest; flags: O_CLOEXEC or 0. Returns it, or -EMFILE or -ENOMEM with the
 * reference put. */
int file_install(struct file *file, int lowest, int flags);
/* 0 if file_install would find a descriptor now, or its error: for calls that
 * must not take what they then cannot give. */
int file_room(void);
/* As file_get, and also gives files opened with O_PATH, which can be named
 * but not used: for dup, fstat, fchdir and the *at calls. */
struct file *file_get_path(int fd);
/* Takes a descriptor away; 0 or -EBADF. */
int file_close(int fd);
/* How many descriptors are open. */
unsigned file_open_count(void);

/* RLIMIT_NOFILE: descriptors are below the soft limit. The hard limit only
 * goes down; LIMIT_DESCRIPTORS is where it starts. */
uint32_t file_limit(void);
uint32_t file_limit_hard(void);
/* 0 or -EINVAL (soft above hard), -EPERM (above LIMIT_DESCRIPTORS). */
int file_limit_set(uint64_t soft, uint64_t hard);

/* Makes a file of the tree, or gives it new content (a copy): how core/net
 * fills /etc/resolv.conf. A file that came from the initrd is left as it is.
 * 0, -EEXIST (from the initrd), -ENOSPC, -ENOTDIR, ... */
int file_provide(const char *path, const void *data, size_t size);
/* Called once before /etc/resolv.conf is first looked up, if set: so that
 * the network can start and fill it. */
extern void (*file_resolver_hook)(void);

void file_init(void);

/* -- poll, select and epoll -- */

/* Called by a poll operation for each queue that announces changes, at most
 * FILE_POLL_QUEUES of one file. poller may be NULL: then nothing is done. */
#define FILE_POLL_QUEUES 3
void file_poll_wait(struct file_poller *poller, struct wait_queue *queue);
/* The poll bits now, without waiting. */
uint32_t file_poll_now(struct file *file);

/* -- vectors -- */

/* Copies an application's iovec array; fills *total (bytes). Returns count or
 * -EFAULT, -EINVAL. out has room for LIMIT_IOV only if count fits fixed
 * storage: see file_iov_get. */
struct file_iov {
    struct iovec fixed[8];
    struct iovec *iov;
    int count;
    size_t total; /* bytes */
    void *pages;  /* NULL unless count > 8 */
};
int file_iov_get(struct file_iov *out, const struct iovec *user, int count);
void file_iov_put(struct file_iov *iov);
/* Copies between a flat buffer and vectors, starting at byte offset skip of
 * the vectors; returns 0 or -EFAULT. */
int file_iov_copy_out(const struct iovec *iov, int count, size_t skip,
                      const void *from, size_t size);
int file_iov_copy_in(void *to, const struct iovec *iov, int count, size_t skip,
                     size_t size);

/* -- what sockets put behind file_ops.socket (core/net/socket.c) -- */

struct msghdr;
struct socket_ops {
    int (*bind)(struct file *file, const void *address, unsigned size);
    int (*connect)(struct file *file, const void *address, unsigned size);
    int (*listen)(struct file *file, int backlog);
    /* A new open file for a connection; -errno through *error if NULL. */
    struct file *(*accept)(struct file *file, int flags, int *error);
    /* address has room for sizeof(struct sockaddr_storage); returns size. */
    int (*getsockname)(struct file *file, void *address);
    int (*getpeername)(struct file *file, void *address);
    int (*shutdown)(struct file *file, int how);
    int (*setsockopt)(struct file *file, int level, int name, const void *value,
                      unsigned size);
    /* *size: room on entry, bytes on exit. value is core's buffer. */
    int (*getsockopt)(struct file *file, int level, int name, void *value,
                      unsigned *size);
    /* message is core's copy: msg_name a core buffer with room for
     * sockaddr_storage, msg_iov core's array of application buffers,
     * msg_control a core buffer. */
    long (*sendmsg)(struct file *file, struct msghdr *message, int flags);
    long (*recvmsg)(struct file *file, struct msghdr *message, int flags);
};

#endif
