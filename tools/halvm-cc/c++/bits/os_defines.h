/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the host's libstdc++ headers ask about the system, in place of their
 * own file of this name, which speaks of glibc: we have musl. Found first by
 * halvm-c++.
 */
#ifndef HALVM_CXX_OS_DEFINES_H
#define HALVM_CXX_OS_DEFINES_H

#define __NO_CTYPE 1
#include <features.h>

#undef _GLIBCXX_HAVE_GETS
#define _GLIBCXX_NO_OBSOLETE_ISINF_ISNAN_DYNAMIC 1
#define _GLIBCXX_NATIVE_THREAD_ID                pthread_self()
#define _GLIBCXX_GTHREAD_USE_WEAK                0

/* glibc's name for locale_t; the struct's name is the same in musl, so that
 * mangled names fit the library. */
struct __locale_struct;
typedef struct __locale_struct *__locale_t;

#endif
