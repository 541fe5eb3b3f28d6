/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line, split into words: core/options.c. core_option() is in
 * core/core.h, since every part of core may ask.
 */
#ifndef HALVM_OPTIONS_H
#define HALVM_OPTIONS_H

#include "core/core.h"

/* Splits it; once, from core_main. 0, -E2BIG or -ENOMEM. */
int options_init(const char *command_line);
/* The word after previous (NULL: the first), or NULL. */
const char *options_argument(const char *previous);
const char *options_variable(const char *previous);

#endif
