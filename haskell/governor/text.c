/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small texts and numbers: see text.h. Called by budget.c, group.c, report.c.
 */
#include "text.h"

#include <fcntl.h>
#include <unistd.h>

bool text_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    text[0] = 0;
    if (fd < 0)
        return false;
    got = read(fd, text, size - 1);
    close(fd);
    if (got < 0)
        return false;
    text[got] = 0;
    return true;
}

bool text_number(const char *text, uint64_t *number)
{
    *number = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (*number > (UINT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

bool text_file_number(const char *path, uint64_t *number)
{
    char text[64];

    return text_read(path, text, sizeof text) && text_number(text, number);
}
