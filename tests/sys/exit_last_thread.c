/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The main thread leaves first; the program ends with the last thread, with
 * status 0.
 *
 * Covers: exit set_tid_address
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>

static pthread_t main_thread;

static void *last(void *argument)
{
    CHECK_EQ(pthread_join(main_thread, NULL), 0);
    check_sleep_ms(20);
    return argument;
}

int main(void)
{
    pthread_t thread;

    main_thread = pthread_self();
    CHECK_EQ(pthread_create(&thread, NULL, last, NULL), 0);
    pthread_exit(NULL);
}
