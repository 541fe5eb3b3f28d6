/* SPDX-License-Identifier: BSD-3-Clause */
/* stat of an open file, for what else answers it (statx). */
#ifndef HALVM_FILE_STAT_H
#define HALVM_FILE_STAT_H

#include "core/file/file.h"

/* Of a file whether or not it has a place in the tree. 0 or -errno. */
int file_stat(struct file *file, struct stat *out);

/* Set by core/file/node.c when the tree is made. */
extern void (*file_node_stat)(const struct file_node *node, struct stat *out);

#endif
