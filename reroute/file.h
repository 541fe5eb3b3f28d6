/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of a provider: what path.c and file.c share. */
#ifndef REROUTE_FILE_H
#define REROUTE_FILE_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

#include "halvm/file.h"
#include "halvm/reroute.h"

struct file_mount {
    const struct halvm_file_provider *provider;
    void *context;
    unsigned device;     /* st_dev */
    unsigned references; /* the mount's own, and one an open file */
    size_t prefix_size;
    char prefix[]; /* no slash at its end */
};

void file_mount_put(struct file_mount *mount);

/* What stat says, with what the provider leaves out. */
int file_stat(const struct file_mount *mount, const char *path,
              struct stat *out);
int file_statx(const struct stat *from, void *statx);
/* The process's; one asks at a time, as asking changes it for a moment. */
mode_t file_umask(void);
/* open(2) below the mount: a descriptor or -errno. */
long file_open(struct file_mount *mount, const char *path, int flags,
               mode_t mode);
/* Where a descriptor of a directory of some mount is: its absolute path.
 * False: it is none. */
bool file_directory_path(int fd, char path[PATH_MAX]);
/* Whether fd is a provider's file. */
bool file_is_ours(int fd);

#endif
