/* SPDX-License-Identifier: BSD-3-Clause */
/* The console, for /dev/console and /dev/tty. */
#ifndef HALVM_FILE_CONSOLE_H
#define HALVM_FILE_CONSOLE_H

#include "core/file/file.h"

extern const struct file_ops file_console_ops;

/* The open file that descriptors 0, 1 and 2 start with. */
extern struct file file_console;

#endif
