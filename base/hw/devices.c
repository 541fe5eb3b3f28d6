/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dev_get of base.h: the devices that core asks for, by kind and index, and
 * what drivers have to say to the operator. Nothing is looked for at boot.
 */
#include <stdarg.h>
#include <string.h>

#include "parts.h"

#define LINE_SIZE 160

void hw_log(const char *first, ...)
{
    char line[LINE_SIZE];
    size_t size = 0;
    va_list pieces;

    va_start(pieces, first);
    for (const char *piece = first; piece != NULL;
         piece = va_arg(pieces, const char *)) {
        size_t length = strlen(piece);

        if (length > sizeof(line) - 1 - size)
            length = sizeof(line) - 1 - size;
        memcpy(line + size, piece, length);
        size += length;
    }
    va_end(pieces);
    line[size++] = '\n';
    hw_base.console_write(line, size);
}

enum base_status hw_dev_get(enum base_device_kind kind, unsigned index,
                            struct base_device *out)
{
    /* Interrupts of devices need what a boot leaves for later. */
    hw_late_init();
    memset(out, 0, sizeof(*out));
    switch (kind) {
    case BASE_DEVICE_NET:
        return hw_net_get(index, out);
    case BASE_DEVICE_BLOCK:
        return hw_blk_get(index, out);
    }
    hw_base.abort("dev_get: no such kind of device");
}
