/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is typed is reported by wait() and read once; what is written arrives
 * untranslated.
 *
 * input: typed words
 * says: read: typed words
 */
#include "check.h"

void test_main(void)
{
    char line[64];
    size_t size = 0;

    CHECK(base->console_read(line, sizeof(line)) == 0);
    say("ready\n");
    while (size == 0 || line[size - 1] != '\n') {
        CHECK(size < sizeof(line) - 1);
        CHECK(base->wait(base->clock_monotonic() + 20000000000u) &
              BASE_READY_CONSOLE);
        size += base->console_read(line + size, 3);
    }
    line[size] = 0;
    say("read: ");
    say(line);
    pass();
}
