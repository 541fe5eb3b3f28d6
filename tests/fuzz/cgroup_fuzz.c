/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What /proc/self/cgroup may say, to the governor of Haskell's memory: any
 * text. Links haskell/governor/group.c and
 * text.c.
 */
#include <stdlib.h>
#include <string.h>

#include "haskell/governor/group.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct group group;
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = 0;
    if (group_find(&group, text, "/nonexistent"))
        abort(); /* there is no such folder */
    free(text);
    return 0;
}
