/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dev_get of base.h: the devices that core asks for, by kind and index, and
 * what drivers have to say to the operator. Nothing is looked for at boot.
 */
#include <stdarg.h>
#include <string.h>

#include "parts.h"

#define LINE_SIZE 160

/* Free pages that a device may take when it is made ready: rings, buffers (as
 * few as there may be), page tables. */
#define DEVICE_PAGES 24

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

static enum base_status device_get(enum base_device_kind kind, unsigned index,
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

/* What begins can be finished: drivers ask before they touch a device, since
 * one that was half made ready cannot be made so again. */
bool hw_device_room(void)
{
    return hw_memory_free() >= DEVICE_PAGES;
}

enum base_status hw_dev_get(enum base_device_kind kind, unsigned index,
                            struct base_device *out)
{
    static bool looked;

    /* The buses' registers are mapped when they are looked at first. */
    if (!looked && !hw_device_room())
        return BASE_NOMEM;
    looked = true;
    return device_get(kind, index, out);
}
