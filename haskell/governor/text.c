/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small texts and numbers: see text.h. Called by budget.c, group.c, report.c.
 */
#include "text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_still(const struct text_source *source)
{
    struct stat now;

    return source->is_open && fstat(source->fd, &now) == 0 &&
           now.st_dev == source->device && now.st_ino == source->inode;
}

static bool source_open(struct text_source *source, const char *path)
{
    struct stat now;

    source->is_open = false;
    source->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0)
        return false;
    if (fstat(source->fd, &now) != 0) {
        close(source->fd);
        return false;
    }
    source->device = now.st_dev;
    source->inode = now.st_ino;
    source->is_open = true;
    return true;
}

bool text_source_read(struct text_source *source, const char *path, char *text,
                      size_t size)
{
    ssize_t got;

    text[0] = 0;
    if (!is_still(source) && !source_open(source, path))
        return false;
    got = pread(source->fd, text, size - 1, 0);
    if (got < 0)
        return false;
    text[got] = 0;
    return true;
}

void text_source_close(struct text_source *source)
{
    if (is_still(source))
        close(source->fd);
    source->is_open = false;
}

bool text_read(const char *path, char *text, size_t size)
{
    struct text_source source = {0};
    bool done = text_source_read(&source, path, text, size);

    text_source_close(&source);
    return done;
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
