/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The base starts with its command line and ends with the status it is given.
 *
 * status: 7
 * says: hello: A=1 halvm.x=y -- one "two three"
 * append: A=1 halvm.x=y -- one "two three"
 */
#include "check.h"

void test_main(void)
{
    CHECK(base->version == BASE_VERSION);
    CHECK(info->image_start < info->image_end);
    CHECK(info->initrd == NULL && info->initrd_size == 0);
    say("hello: ");
    say(info->command_line);
    say("\n");
    base->exit(7);
}
