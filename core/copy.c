/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying to and from application memory, whose addresses may be anything.
 *
 * arch_copy stops at an address that is not mapped. Core and application share
 * one address space and one privilege, so this keeps a bad argument from
 * ending the program, not a hostile one from reaching core.
 */
#include "core/core.h"

int core_copy_in(void *to, const void *user_from, size_t size)
{
    return arch_copy(to, user_from, size) == 0 ? 0 : -EFAULT;
}

int core_copy_out(void *user_to, const void *from, size_t size)
{
    return arch_copy(user_to, from, size) == 0 ? 0 : -EFAULT;
}

/* Copies up to the end of a page at a time: the string may end just before
 * one that is not mapped. */
long core_copy_string(char *to, const char *user_from, size_t size)
{
    size_t done = 0;

    while (done < size) {
        uintptr_t from = (uintptr_t)user_from + done;
        size_t chunk = 64 - from % 64; /* divides the page */
        const char *end;

        if (chunk > size - done)
            chunk = size - done;
        if (arch_copy(to + done, (const void *)from, chunk) != 0)
            return -EFAULT;
        end = memchr(to + done, '\0', chunk);
        if (end != NULL)
            return end - to;
        done += chunk;
    }
    return -ENAMETOOLONG;
}
