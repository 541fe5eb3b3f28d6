/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of /proc and /etc that libraries read.
 *
 * Covers: open read readlink getdents64
 */
#include "check.h"
#include <netdb.h>
#include <sys/sysinfo.h>

static void test_self(void)
{
    char path[300], link[300];
    struct stat a, b;

    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    CHECK(size > 0);
    path[size] = 0;
    CHECK_EQ(path[0], '/');
    check_file("file", "through");
    int fd = open("file", O_RDONLY);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof(path) - 1);
    CHECK(size > 0);
    path[size] = 0;
    CHECK(!strcmp(path + strlen(path) - 5, "/file"));
    CHECK(!strcmp(check_content(link), "through"));
    CHECK_EQ(stat(link, &a), 0);
    CHECK_EQ(fstat(fd, &b), 0);
    CHECK_EQ(a.st_ino, b.st_ino);
    close(fd);
    CHECK_ERR(readlink(link, path, sizeof(path)), ENOENT);
}

static void test_fd_listing(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    bool found[3] = {false};

    CHECK(dir != NULL);
    while ((entry = readdir(dir))) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd < 3)
            found[fd] = true;
    }
    closedir(dir);
    CHECK(found[0] && found[1] && found[2]);
}

static void test_memory(void)
{
    unsigned long total = 0, available = 0, free_kb = 0;
    struct sysinfo info;
    const char *text = check_content("/proc/meminfo");
    const char *at;

    CHECK((at = strstr(text, "MemTotal:")) != NULL);
    CHECK_EQ(sscanf(at, "MemTotal: %lu kB", &total), 1);
    CHECK((at = strstr(text, "MemFree:")) != NULL);
    CHECK_EQ(sscanf(at, "MemFree: %lu kB", &free_kb), 1);
    CHECK((at = strstr(text, "MemAvailable:")) != NULL);
    CHECK_EQ(sscanf(at, "MemAvailable: %lu kB", &available), 1);
    CHECK(total > 0 && free_kb <= total && available <= total);
    CHECK_EQ(sysinfo(&info), 0);
    CHECK_EQ(total, info.totalram * info.mem_unit / 1024);
}

static void test_texts(void)
{
    static const char *const files[] = {
        "/proc/self/maps",    "/proc/self/stat", "/proc/self/status",
        "/proc/self/cmdline", "/proc/cpuinfo",   "/proc/uptime",
        "/proc/loadavg",      "/proc/version",   "/proc/stat",
        "/proc/mounts",
    };
    char *end;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (check_content(files[i])[0] == 0) {
            fprintf(stderr, "%s is empty\n", files[i]);
            CHECK(false);
        }
    CHECK(strtod(check_content("/proc/uptime"), &end) > 0);
    CHECK_EQ(strtol(check_content("/proc/self/stat"), &end, 10), getpid());
    /* The code of this very function is in an executable mapping. */
    const char *maps = check_content("/proc/self/maps");
    bool found = false;
    while (*maps) {
        unsigned long low, high;
        char prot[5];
        CHECK_EQ(sscanf(maps, "%lx-%lx %4s", &low, &high, prot), 3);
        if (low <= (unsigned long)test_texts &&
            (unsigned long)test_texts < high) {
            CHECK_EQ(prot[2], 'x');
            found = true;
        }
        maps = strchr(maps, '\n');
        CHECK(maps != NULL);
        maps++;
    }
    CHECK(found);
}

static void test_etc(void)
{
    /* The unikernel has one; a bare Linux root may not. */
    if (access("/etc/hosts", F_OK) == 0 || check_unikernel())
        CHECK(strstr(check_content("/etc/hosts"), "localhost") != NULL);
    CHECK(strstr(check_content("/etc/passwd"), "root:") != NULL);
    CHECK_ERR(open("/proc/self/missing", O_RDONLY), ENOENT);
    CHECK_ERR(open("/proc/uptime/x", O_RDONLY), ENOTDIR);
    struct stat st;
    CHECK_EQ(stat("/proc/uptime", &st), 0);
    CHECK(S_ISREG(st.st_mode));
    CHECK_EQ(stat("/proc/self/fd", &st), 0);
    CHECK(S_ISDIR(st.st_mode));
}

int main(void)
{
    check_scratch();
    test_self();
    test_fd_listing();
    test_memory();
    test_texts();
    test_etc();
    return 0;
}
