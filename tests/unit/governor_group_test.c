/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The limit of a control group, as the governor finds it in folders that look
 * like Linux's, v1 and v2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "haskell/governor/group.h"

static char root[64] = "/tmp/governor_group.XXXXXX";

static void put(const char *path, const char *text)
{
    char name[256];
    FILE *file;

    snprintf(name, sizeof name, "%s%s", root, path);
    for (char *at = name + strlen(root) + 1; *at; at++)
        if (*at == '/') {
            *at = 0;
            mkdir(name, 0700);
            *at = '/';
        }
    file = fopen(name, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static bool find(struct group *group, const char *membership)
{
    char text[256];

    snprintf(text, sizeof text, "%s", membership);
    return group_find(group, text, root);
}

static void test_v2(void)
{
    struct group group;

    put("/a/memory.max", "104857600\n");
    put("/a/b/memory.max", "max\n");
    put("/a/b/c/memory.max", "67108864\n");
    put("/a/memory.current", "50000000\n");
    put("/a/memory.stat", "anon 1\ninactive_file 10000000\nfile 3\n");
    put("/a/b/c/memory.current", "20000000\n");

    /* The least on the way up, and its own folder's usage. */
    CHECK(find(&group, "0::/a/b/c\n"));
    CHECK(group.limit == 67108864 && !group.v1);
    CHECK(group_used(&group) == 20000000); /* no memory.stat */
    CHECK(find(&group, "0::/a/b\n"));
    CHECK(group.limit == 104857600);
    CHECK(group_used(&group) == 40000000);
    /* A container sees its own group as the root. */
    CHECK(!find(&group, "0::/\n"));
    CHECK(!find(&group, "0::/elsewhere\n"));
}

static void test_v1(void)
{
    struct group group;

    put("/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/memory/job/memory.limit_in_bytes", "33554432\n");
    put("/memory/job/memory.usage_in_bytes", "30000000\n");
    put("/memory/job/memory.stat",
        "cache 5\ntotal_cache 6\ntotal_inactive_file 4000000\n");
    CHECK(find(&group, "5:cpu,memory:/job/task\n0::/\n"));
    CHECK(group.limit == 33554432 && group.v1);
    CHECK(group_used(&group) == 26000000);
    CHECK(!find(&group, "5:cpu:/job\n"));
    CHECK(!find(&group, "5:memory:/\n")); /* no limit there */
    /* The counter is gone: nothing may be taken. */
    CHECK(find(&group, "5:memory:/job\n"));
    strcpy(group.usage, "/nonexistent");
    CHECK(group_used(&group) == group.limit);
}

/* The files are read although the program may open nothing; and what cannot be
 * read any more is as it was. */
static void test_no_descriptors(void)
{
    struct rlimit before, none;
    struct group group;

    put("/few/memory.max", "50000000\n");
    put("/few/memory.current", "20000000\n");
    put("/few/memory.stat", "anon 1\ninactive_file 1000000\n");
    CHECK(find(&group, "0::/few\n"));
    CHECK(group_used(&group) == 19000000);
    put("/few/memory.current", "30000000\n");
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(group_used(&group) == 29000000);
    close(group.usage_source.fd);
    close(group.stat_source.fd);
    CHECK(group_used(&group) == 29000000);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    put("/few/memory.current", "40000000\n");
    CHECK(group_used(&group) == 39000000);
    /* Another file has the descriptor. */
    close(group.usage_source.fd);
    CHECK(dup2(group.stat_source.fd, group.usage_source.fd) >= 0);
    CHECK(group_used(&group) == 39000000);
}

static void test_odd(void)
{
    struct group group;
    char text[1200];

    CHECK(!find(&group, ""));
    CHECK(!find(&group, ":\n::\n:::\n0::\n0::a\n"));
    memset(text, 'x', sizeof text);
    memcpy(text, "0::/", 4);
    text[sizeof text - 1] = 0;
    CHECK(!group_find(&group, text, root)); /* longer than any path */
    put("/huge/memory.max", "99999999999999999999999\n");
    CHECK(!find(&group, "0::/huge\n"));
}

int main(void)
{
    char command[128];

    CHECK(mkdtemp(root) != NULL);
    test_v2();
    test_v1();
    test_no_descriptors();
    test_odd();
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK(system(command) == 0);
    return 0;
}
