/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's file of this name says what its configure script found in glibc;
 * here is taken back what musl has not. Found first by halvm-c++. No guard:
 * the host's file has one, and the rest may be read twice.
 */
#include_next <bits/c++config.h>

#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK
