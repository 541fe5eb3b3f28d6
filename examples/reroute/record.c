/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A recorder: every system call that a piece of the program makes, by name,
 * with its arguments and result. One handler for all calls that can be had.
 */
#include <halvm/reroute.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void *sleeper(void *unused)
{
    struct timespec pause = {0, 1000000};

    nanosleep(&pause, NULL);
    return unused;
}

/* Its own calls (dprintf's) go past it: there is no loop. */
static HALVM_HANDLER(record)
{
    const char *kinds = halvm_call_arguments(call->number);
    long result = halvm_call_previous(call);
    char line[256];
    int size =
        snprintf(line, sizeof line, "%s(", halvm_call_name(call->number));

    for (int i = 0; kinds[i] != '\0'; i++) {
        const char *comma = i > 0 ? ", " : "";
        if (kinds[i] == 's' && call->args[i] != 0)
            size += snprintf(line + size, sizeof line - (size_t)size,
                             "%s\"%.40s\"", comma, (const char *)call->args[i]);
        else if (strchr("fdu", kinds[i]) != NULL)
            size += snprintf(line + size, sizeof line - (size_t)size, "%s%d",
                             comma, (int)call->args[i]);
        else
            size += snprintf(line + size, sizeof line - (size_t)size, "%s%#lx",
                             comma, (unsigned long)call->args[i]);
    }
    ++*(volatile int *)context;
    dprintf(2, "%s) = %ld\n", line, result);
    return result;
}

int main(void)
{
    volatile int count = 0;
    short numbers[512];
    size_t known = halvm_calls(HALVM_CALLS_ALL, numbers, 512);
    long id = halvm_reroute_calls(numbers, known, record, (void *)&count);
    pthread_t thread;
    FILE *file;

    if (id < 0)
        return 1;
    file = fopen("/dev/null", "w");
    fputs("hello\n", file);
    fclose(file);
    access("/none", R_OK);
    pthread_create(&thread, NULL, sleeper, NULL);
    pthread_join(thread, NULL);
    halvm_reroute_end(id);
    printf("%s\n", count >= 6 ? "recorded" : "too little");
    return count >= 6 ? 0 : 1;
}
