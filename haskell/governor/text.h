/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small texts that a system tells of itself in, and numbers in them: for
 * budget.c, group.c and report.c. No memory is taken.
 */
#ifndef GOVERNOR_TEXT_H
#define GOVERNOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of a file, cut at size - 1 bytes, and a zero; false: it cannot be read,
 * and text is empty. */
bool text_read(const char *path, char *text, size_t size);
/* The decimal number at text; false: there is none ("max"), or too long a one.
 */
bool text_number(const char *text, uint64_t *number);
/* The number that a file begins with; false likewise. */
bool text_file_number(const char *path, uint64_t *number);

/*
 * A file that is read again and again. It stays open, so that reading needs no
 * descriptor when the program has used up all, and no path after chroot; one
 * that the program has closed is opened anew. All zero: not open.
 */
struct text_source {
    bool is_open;
    int fd;
    dev_t device; /* whose descriptor it is still */
    ino_t inode;
};
/* As text_read. One thread at a time. */
bool text_source_read(struct text_source *source, const char *path, char *text,
                      size_t size);
void text_source_close(struct text_source *source);

#endif
