/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A provider of files: what is under a path is served by the program itself,
 * to open, stat, read, readdir and all the rest, for every library in it. For
 * applications.
 *
 * There are two ways. A struct halvm_file_provider is functions of C, which run
 * in the thread that makes the call. A tree (below) is such a provider, ready
 * made: names and contents that the program puts there, files that others may
 * write, and files whose content a service is asked for (halvm/service.h).
 *
 *     struct halvm_tree *tree = halvm_tree_new(NULL, 0);
 *     halvm_tree_put(tree, "motd", "hello\n", 6, 0444);
 *     halvm_tree_mount(tree, "/proc/app");
 *
 * What holds under a path of a provider. The path need not exist otherwise, and
 * does not stand in the directory above it. Names are taken as they are
 * written: "..", ".", and no symbolic links lead into it or out of it. It can
 * be opened, read, written and listed; it cannot be mapped (ENODEV), be the
 * current directory or have other names (EOPNOTSUPP, EXDEV).
 */
#ifndef HALVM_FILE_PROVIDERS_H
#define HALVM_FILE_PROVIDERS_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "halvm/service.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HALVM_FILE_NAME_MAX 255 /* bytes of one name */

/* An open file, as a provider sees it. */
struct halvm_file {
    void *data;         /* the provider's own */
    int flags;          /* O_* of open(2) */
    volatile int ready; /* 0: a read or write would wait (halvm_file_ready) */
    int fd_ready;       /* not the provider's */
};

/*
 * Functions of a provider. context is that of halvm_file_mount; path is below
 * the mount, without a slash at either end, "" being the mount itself. All
 * return >= 0 or -errno. A missing function answers as a read-only file system
 * without that feature would. They run in the thread that makes the call; two
 * may run at once.
 */
struct halvm_file_provider {
    const char *name;
    /* st_mode, st_size, st_ino (not 0, one a file), st_mtim; the rest is
     * filled in. Must be there. */
    int (*stat)(void *context, const char *path, struct stat *out);
    /* path is there or O_CREAT is set; not called for directories. */
    int (*open)(void *context, const char *path, mode_t mode,
                struct halvm_file *file);
    /* At most size bytes; 0: the end; -EAGAIN: not now. Before it returns that,
     * the provider calls halvm_file_ready(file, 0), under the lock of its own
     * under which it calls halvm_file_ready(file, 1) when it is worth another
     * try; else the caller would try again at once, or sleep for ever. */
    long (*read)(void *context, struct halvm_file *file, void *buffer,
                 size_t size, off_t offset);
    /* With O_APPEND (flags) offset is where the end was just now; where others
     * may append at the same time, the provider looks itself. */
    long (*write)(void *context, struct halvm_file *file, const void *buffer,
                  size_t size, off_t offset);
    int (*sync)(void *context, struct halvm_file *file);
    void (*close)(void *context, struct halvm_file *file);
    /* The index-th name in a directory and its st_mode; 1, or 0 at the end. */
    int (*list)(void *context, const char *path, size_t index,
                char name[HALVM_FILE_NAME_MAX + 1], mode_t *mode);
    int (*truncate)(void *context, const char *path, off_t size);
    int (*make_directory)(void *context, const char *path, mode_t mode);
    int (*remove)(void *context, const char *path, int directory);
    int (*rename)(void *context, const char *from, const char *to);
    /* The service that reads wait for, or NULL: see halvm/service.h. */
    struct halvm_service *service;
};

/* Puts a provider in the place of what is under path, which is absolute. Newer
 * ones go before older ones. Returns an id for halvm_file_unmount, -EINVAL,
 * -ENOSPC, -ENOMEM. */
long halvm_file_mount(const char *path,
                      const struct halvm_file_provider *provider,
                      void *context);
/* -ESRCH, -EDEADLK as halvm_reroute_end. Files that are open stay usable, so
 * the provider and its context must stay, too. */
int halvm_file_unmount(long id);
/* Whether a read or a write is worth a try now. */
void halvm_file_ready(struct halvm_file *file, int ready);

/* -- trees -- */

struct halvm_tree;

#define HALVM_TREE_WRITABLE 1 /* others may make, change and remove files */

/* An empty directory. service: who hears of it, or NULL. NULL: no memory. */
struct halvm_tree *halvm_tree_new(struct halvm_service *service, int flags);
long halvm_tree_mount(struct halvm_tree *tree, const char *path);

/* The following are the program's own way; path as above; 0 or -errno. */

/* A file with this content (copied), new or in place of another's. Directories
 * above it are made; with path "" the tree itself is the file, if it is empty:
 * so one can be mounted in another's place. mode: its permissions, 0444 or so;
 * a file is written by others only if it has a w and the tree is
 * HALVM_TREE_WRITABLE. */
int halvm_tree_put(struct halvm_tree *tree, const char *path, const void *data,
                   size_t size, mode_t mode);
int halvm_tree_directory(struct halvm_tree *tree, const char *path,
                         mode_t mode);
/*
 * A file whose content the service is asked for, each time it is opened:
 *
 *   HALVM_FILE_OPEN    id of the open file, number[0] O_* flags; data: the
 *                      path. If it is open for reading, to be answered with
 *                      halvm_file_answer or halvm_file_fail. Those who read it
 *                      wait, if they may; poll says when there is something
 *   HALVM_FILE_WRITE   id, number[0] offset; data. Who wrote has his answer
 *                      already; an error is told by halvm_file_fail
 *   HALVM_FILE_CLOSE   id
 */
int halvm_tree_serve(struct halvm_tree *tree, const char *path, mode_t mode);
/* A file or an empty directory; from others' sight: who has it open keeps it.
 */
int halvm_tree_remove(struct halvm_tree *tree, const char *path);
/* Reads a file's content as it is now. Returns bytes, -ENOENT, -EISDIR. */
long halvm_tree_get(struct halvm_tree *tree, const char *path, void *buffer,
                    size_t size, off_t offset);

/* What others changed in a tree of a service comes as
 *   HALVM_FILE_CHANGE  number[0] one of these; data: the path (of MOVED: the
 *                      old one, a zero, the new one) */
enum halvm_file_change {
    HALVM_FILE_WRITTEN = 1, /* it was open for writing, and is closed */
    HALVM_FILE_MADE,        /* a directory */
    HALVM_FILE_REMOVED,
    HALVM_FILE_MOVED
};

/* More of a file's content, which others may read from then on; last: that is
 * all. data is copied. 0, -ESRCH (closed already), -ENOMEM. */
int halvm_file_answer(struct halvm_service *service, uint64_t id,
                      const void *data, size_t size, int last);
/* The next read, write or fsync returns -error. */
int halvm_file_fail(struct halvm_service *service, uint64_t id, int error);

#ifdef __cplusplus
}
#endif
#endif
