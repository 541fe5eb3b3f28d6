/* SPDX-License-Identifier: BSD-3-Clause */
/* CHECK() for the host-side unit tests: says where and ends with status 1. */
#ifndef HALVM_UNIT_CHECK_H
#define HALVM_UNIT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__,         \
                    #condition);                                               \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

#endif
