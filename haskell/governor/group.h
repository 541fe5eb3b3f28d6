/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory limit of a Linux control group, v1 or v2. Not of the runtime: it
 * is built for the tests by itself.
 *
 * Sources: cgroups(7); linux: admin-guide/cgroup-v2.rst,
 * admin-guide/cgroup-v1/memory.rst.
 */
#ifndef GOVERNOR_GROUP_H
#define GOVERNOR_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

#define GROUP_PATH_MAX 512

struct group {
    uint64_t limit; /* bytes; 0: none */
    bool v1;
    char usage[GROUP_PATH_MAX + 64]; /* files that say what is in use */
    char stat[GROUP_PATH_MAX + 64];
    struct text_source usage_source, stat_source;
    uint64_t used, cached; /* as they were last */
};

/* Finds the least limit of the groups that this process is in, and of those
 * above them; false: there is none. */
bool group_start(struct group *group);
/* The same, with what /proc/self/cgroup says (text is written over) and where
 * control groups are mounted ("/sys/fs/cgroup"). */
bool group_find(struct group *group, char *text, const char *root);
/* Bytes in use, without what the kernel can drop; as before if that cannot be
 * read, and the limit if it never could. */
uint64_t group_used(struct group *group);

#endif
