/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts a program's writes, and lets the third to a file fail as if the disk
 * were full. What it says itself is neither counted nor failed.
 */
#include <errno.h>
#include <halvm/reroute.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

struct writes {
    long count, bytes;
};

static HALVM_HANDLER(on_write)
{
    struct writes *writes = context;

    writes->count++;
    if (call->args[0] > 2 && writes->count == 3)
        return -ENOSPC;
    writes->bytes += call->args[2];
    return halvm_call_previous(call);
}

/* What a library would do, that knows nothing of it. */
static int save(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    setvbuf(file, NULL, _IONBF, 0);
    for (int line = 1; line <= 5; line++)
        if (write(fileno(file), "a line\n", 7) != 7) {
            perror("save");
            fclose(file);
            return -1;
        }
    return fclose(file);
}

int main(void)
{
    struct writes writes = {0};
    long id = halvm_reroute(SYS_write, on_write, &writes);

    if (id < 0)
        return 1;
    int result = save("/tmp/halvm-fail");
    halvm_reroute_end(id);
    printf("save gave %d after %ld writes, %ld bytes of them done\n", result,
           writes.count, writes.bytes);
    printf("and without it: %d\n", save("/tmp/halvm-fail"));
    unlink("/tmp/halvm-fail");
    return result == -1 && writes.count == 3 ? 0 : 1;
}
