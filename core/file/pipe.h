/* SPDX-License-Identifier: BSD-3-Clause */
/* Pipes, for what else makes or feeds them: open of a FIFO, splice. */
#ifndef HALVM_FILE_PIPE_H
#define HALVM_FILE_PIPE_H

#include "core/file/file.h"

struct pipe;

/* Opens a FIFO of the tree: *slot is the node's pipe, made here and NULL
 * again after the last end is closed. Blocks for the other end as open(2)
 * says. NULL with *error. */
struct file *pipe_open_fifo(struct pipe **slot, int flags, int *error);

/* Whether the file is an end of a pipe. */
bool pipe_is(const struct file *file);

/* The bytes at a read end that lie in one piece: their count, 0 at the end,
 * -EAGAIN if there are none now. pipe_consume takes some away. */
long pipe_data(struct file *file, const void **data);
void pipe_consume(struct file *file, size_t size);

/* Room at a write end in one piece: bytes, -EAGAIN if it is full, -EPIPE (and
 * SIGPIPE) without readers, -ENOMEM. pipe_produce counts what was put there. */
long pipe_space(struct file *file, void **space);
void pipe_produce(struct file *file, size_t size);

#endif
