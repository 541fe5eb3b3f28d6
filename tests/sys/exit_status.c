/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a program: its status reaches who started it, what is buffered
 * is written, other threads do not hold it up.
 *
 * Covers: exit exit_group
 * cc: -pthread
 * status: 43
 */
#include "check.h"
#include <pthread.h>

static void *forever(void *argument)
{
    for (;;)
        check_sleep_ms(1000);
    return argument;
}

static void *brief(void *argument)
{
    pthread_exit(argument);
}

static void at_end(void)
{
    fputs("at the end\n", stdout);
    _exit(43); /* and not the 1 of main */
}

int main(void)
{
    pthread_t thread;
    void *result;

    CHECK_EQ(pthread_create(&thread, NULL, brief, &thread), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == &thread);
    CHECK_EQ(pthread_create(&thread, NULL, forever, NULL), 0);
    CHECK_EQ(pthread_detach(thread), 0);
    atexit(at_end);
    return 1;
}
