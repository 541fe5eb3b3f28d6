/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory limit of a Linux control group: see group.h. Called by budget.c.
 */
#include "group.h"

#include <string.h>

#include "text.h"

/* Above it a page-aligned counter of v1 says: no limit. */
#define NO_LIMIT ((uint64_t)1 << 62)

/* Looks in one folder for a limit; keeps the least. */
static void look(struct group *group, const char *folder, bool v1)
{
    char path[GROUP_PATH_MAX + 64];
    uint64_t limit;

    strcpy(path, folder);
    strcat(path, v1 ? "/memory.limit_in_bytes" : "/memory.max");
    if (!text_file_number(path, &limit) || limit == 0 || limit >= NO_LIMIT ||
        (group->limit != 0 && limit >= group->limit))
        return;
    group->limit = limit;
    group->v1 = v1;
    strcpy(group->usage, folder);
    strcat(group->usage, v1 ? "/memory.usage_in_bytes" : "/memory.current");
    strcpy(group->stat, folder);
    strcat(group->stat, "/memory.stat");
}

/* The group's folder and those above it. In a container its own group is the
 * mount's root, whatever /proc/self/cgroup says. */
static void look_upward(struct group *group, const char *root,
                        const char *mount, const char *name, bool v1)
{
    char folder[GROUP_PATH_MAX];
    size_t top = strlen(root) + strlen(mount);

    if (name[0] != '/' || top + strlen(name) + 1 > sizeof folder)
        return;
    strcpy(folder, root);
    strcat(folder, mount);
    strcat(folder, name);
    for (;;) {
        char *slash = strrchr(folder + top, '/');

        look(group, folder, v1);
        if (slash == NULL)
            return;
        *slash = 0;
    }
}

/* One line of /proc/self/cgroup: "NUMBER:CONTROLLERS:NAME" (cgroups(7)); no
 * controllers: v2. */
static void read_line(struct group *group, char *line, const char *root)
{
    char *controllers = strchr(line, ':'), *name;

    if (controllers == NULL)
        return;
    *controllers++ = 0;
    name = strchr(controllers, ':');
    if (name == NULL)
        return;
    *name++ = 0;
    if (controllers[0] == 0) {
        look_upward(group, root, "", name, false);
        return;
    }
    for (char *word = controllers; word != NULL;) {
        char *comma = strchr(word, ',');

        if (comma != NULL)
            *comma++ = 0;
        if (strcmp(word, "memory") == 0)
            look_upward(group, root, "/memory", name, true);
        word = comma;
    }
}

bool group_find(struct group *group, char *text, const char *root)
{
    memset(group, 0, sizeof *group);
    for (char *line = text; line != NULL && *line != 0;) {
        char *next = strchr(line, '\n');

        if (next != NULL)
            *next++ = 0;
        read_line(group, line, root);
        line = next;
    }
    group->used = group->limit;
    return group->limit != 0;
}

bool group_start(struct group *group)
{
    static char text[4096];

    return text_read("/proc/self/cgroup", text, sizeof text) &&
           group_find(group, text, "/sys/fs/cgroup");
}

uint64_t group_used(struct group *group)
{
    const char *key = group->v1 ? "\ntotal_inactive_file " : "\ninactive_file ";
    char text[8192];
    uint64_t number;
    const char *at;

    if (!text_source_read(&group->usage_source, group->usage, text,
                          sizeof text) ||
        !text_number(text, &number))
        return group->used;
    group->used = number;
    if (text_source_read(&group->stat_source, group->stat, text, sizeof text) &&
        (at = strstr(text, key)) != NULL &&
        text_number(at + strlen(key), &number))
        group->cached = number;
    if (group->cached <= group->used)
        group->used -= group->cached;
    return group->used;
}
