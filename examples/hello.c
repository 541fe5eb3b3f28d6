/* SPDX-License-Identifier: BSD-3-Clause */
/* The smallest program: says where it is. See hello.md. */
#include <stdio.h>
#include <sys/utsname.h>

int main(void)
{
    struct utsname name;

    if (uname(&name) == 0)
        printf("Hello from C on %s\n", name.sysname);
    else
        puts("Hello from C");
    return 0;
}
