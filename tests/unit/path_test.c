/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths and the tree: an initrd of every kind of member, hostile ones
 * included; links, dots, slashes and bounds of look-ups; names made, moved
 * and removed; and no node, page or descriptor too many at the end, with
 * each allocation failing in turn.
 */
#include "file_mock.h"

#include <dirent.h>
#include <unistd.h>

#include "core/file/node.h"

static char archive[64 * 512];
static size_t archive_size;

static void octal(char *field, size_t width, uint64_t value)
{
    field[width - 1] = '\0';
    for (size_t i = width - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
}

static void member(char type, const char *name, const char *link,
                   const char *data)
{
    char *header = archive + archive_size;
    unsigned sum = 0;

    strncpy(header, name, 100);
    octal(header + 100, 8, 0750);
    octal(header + 124, 12, strlen(data));
    octal(header + 136, 12, 1000);
    header[156] = type;
    strncpy(header + 157, link, 100);
    memcpy(header + 257, "ustar\00000", 8);
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (uint8_t)header[i];
    octal(header + 148, 7, sum);
    memcpy(header + 512, data, strlen(data));
    archive_size += 512 + (strlen(data) + 511) / 512 * 512;
}

static void make_archive(void)
{
    member('5', "./", "", "");
    member('0', "./a/b/file", "", "in the initrd");
    member('2', "./a/link", "b/file", "");
    member('2', "./a/up", "../a/b", "");
    member('2', "./loop", "loop", "");
    member('1', "./hard", "a/b/file", "");
    member('1', "./dangling", "nowhere", "");
    member('0', "../../evil", "", "x");
    member('0', "a/b", "", "over a folder");
    member('0', "/abs/olute", "", "y");
    member('0', "etc/hosts", "", "mine");
    memcpy(archive + archive_size, "no header", 9);
    archive_size += 512;
}

static bool holds(const char *path, const char *expected)
{
    char got[64] = "";
    long fd = CALL(core_open(P(path), O_RDONLY, 0));
    if (fd < 0)
        return false;
    CHECK(CALL(core_read(fd, P(got), sizeof(got) - 1)) >= 0);
    CHECK(CALL(core_close(fd)) == 0);
    return strcmp(got, expected) == 0;
}

static long open_close(const char *path, int flags)
{
    long fd = CALL(core_open(P(path), flags, 0644));
    return fd < 0 ? fd : CALL(core_close(fd));
}

static void test_initrd(void)
{
    struct stat st;
    CHECK(holds("/a/b/file", "in the initrd"));
    CHECK(holds("/a/link", "in the initrd"));
    CHECK(holds("a/up/../b/./file", "in the initrd"));
    CHECK(holds("/hard", "in the initrd"));
    CHECK(holds("/abs/olute", "y"));
    CHECK(holds("/etc/hosts", "mine"));
    CHECK(open_close("/evil", O_RDONLY) == -ENOENT);
    CHECK(open_close("/dangling", O_RDONLY) == -ENOENT);
    CHECK(strstr(mock_log, "initrd is broken at byte") != NULL);
    CHECK(strstr(mock_log, "3 members of the initrd were left out") != NULL);
    CHECK(CALL(core_stat(P("/hard"), P(&st))) == 0);
    CHECK(st.st_nlink == 2 && st.st_mode == (S_IFREG | 0750));
    CHECK(st.st_mtime == 1000);
    /* Written to, the archive stays as it was. */
    char before[sizeof(archive)];
    memcpy(before, archive, sizeof(archive));
    long fd = CALL(core_open(P("/hard"), O_RDWR, 0));
    CHECK(CALL(core_pwrite64(fd, P("IN"), 2, 0)) == 2);
    CHECK(CALL(core_close(fd)) == 0);
    CHECK(holds("/a/b/file", "IN the initrd"));
    CHECK(memcmp(before, archive, sizeof(archive)) == 0);
    CHECK(file_provide("/etc/hosts", "theirs", 6) == -EEXIST);
    CHECK(file_provide("/etc/resolv.conf", "one", 3) == 0);
    CHECK(file_provide("/etc/resolv.conf", "no", 2) == 0);
    CHECK(holds("/etc/resolv.conf", "no"));
}

static void test_look_up(void)
{
    static char long_path[5000];
    struct stat st;

    CHECK(open_close("/loop", O_RDONLY) == -ELOOP);
    CHECK(open_close("/a/b/file/x", O_RDONLY) == -ENOTDIR);
    CHECK(open_close("/a/b/file/", O_RDONLY) == -ENOTDIR);
    CHECK(open_close("/a/link/", O_RDONLY) == -ENOTDIR);
    CHECK(open_close("/a//.//up///", O_RDONLY) == 0);
    CHECK(open_close("/../../a", O_RDONLY) == 0);
    CHECK(open_close("/a", O_WRONLY) == -EISDIR);
    CHECK(open_close("/a/link", O_RDONLY | O_NOFOLLOW) == -ELOOP);
    CHECK(open_close("/a/up", O_RDONLY | O_DIRECTORY) == 0);
    CHECK(open_close("/a/link", O_RDONLY | O_DIRECTORY) == -ENOTDIR);
    CHECK(open_close("/new/", O_CREAT | O_RDWR) == -EISDIR);
    CHECK(open_close("", O_RDONLY) == -ENOENT);
    CHECK(CALL(core_open(P(NULL), O_RDONLY, 0)) == -EFAULT);
    memset(long_path, 'x', 4200);
    CHECK(open_close(long_path, O_RDONLY) == -ENAMETOOLONG);
    long_path[256] = '\0';
    CHECK(open_close(long_path, O_RDONLY) == -ENAMETOOLONG);
    /* Targets that grow without end. */
    memset(long_path, 'y', 4000);
    memcpy(long_path, "/grow/", 6);
    long_path[4000] = '\0';
    for (int i = 100; i < 4000; i += 100)
        long_path[i] = '/';
    CHECK(CALL(core_symlink(P(long_path), P("/grow"))) == 0);
    CHECK(CALL(core_stat(P("/grow"), P(&st))) == -ENAMETOOLONG);
    CHECK(CALL(core_unlink(P("/grow"))) == 0);
    CHECK(CALL(core_fstat(1, P(&st))) == 0);
    CHECK(CALL(core_newfstatat(1, P("x"), P(&st), 0)) == -ENOTDIR);
    CHECK(CALL(core_newfstatat(99, P("x"), P(&st), 0)) == -EBADF);
    CHECK(CALL(core_newfstatat(99, P("/a"), P(&st), 0)) == 0);
    CHECK(CALL(core_newfstatat(1, P(""), P(&st), AT_EMPTY_PATH)) == 0);
}

static void test_names(void)
{
    char path[64];

    CHECK(CALL(core_mkdir(P("/d"), 0777)) == 0);
    CHECK(CALL(core_mkdir(P("/d/"), 0777)) == -EEXIST);
    CHECK(CALL(core_mkdir(P("/d/e/"), 0777)) == 0);
    CHECK(CALL(core_mkdir(P("/d/none/f"), 0777)) == -ENOENT);
    CHECK(CALL(core_rename(P("/d"), P("/d/e/f"))) == -EINVAL);
    CHECK(CALL(core_rmdir(P("/d"))) == -ENOTEMPTY);
    CHECK(CALL(core_rmdir(P("/d/e/."))) == -EINVAL);
    CHECK(CALL(core_unlink(P("/d/e"))) == -EISDIR);
    CHECK(CALL(core_chdir(P("/d/e"))) == 0);
    CHECK(CALL(core_rename(P("/d"), P("/moved"))) == 0);
    CHECK(CALL(core_getcwd(P(path), 64)) == 9 && !strcmp(path, "/moved/e"));
    CHECK(CALL(core_getcwd(P(path), 8)) == -ERANGE);
    CHECK(open_close("f", O_CREAT | O_EXCL | O_RDWR) == 0);
    CHECK(open_close("f", O_CREAT | O_EXCL | O_RDWR) == -EEXIST);
    CHECK(CALL(core_link(P("f"), P("../g"))) == 0);
    CHECK(CALL(core_link(P(".."), P("h"))) == -EPERM);
    CHECK(CALL(core_rename(P("f"), P("../g"))) == 0); /* the same file */
    CHECK(CALL(core_renameat2(AT_FDCWD, P("f"), AT_FDCWD, P("../g"), 1)) ==
          -EEXIST);
    CHECK(CALL(core_unlink(P("f"))) == 0 && CALL(core_unlink(P("../g"))) == 0);
    CHECK(CALL(core_rmdir(P("/moved/e"))) == 0);
    CHECK(open_close("f", O_CREAT | O_RDWR) == -ENOENT);
    CHECK(CALL(core_getcwd(P(path), 64)) == -ENOENT);
    CHECK(CALL(core_chdir(P("/"))) == 0);
    CHECK(CALL(core_rmdir(P("/moved"))) == 0);
    CHECK(open_close("/proc/x", O_CREAT | O_RDWR) == -ENOENT);
    CHECK(CALL(core_unlink(P("/proc/uptime"))) == -EPERM);
    CHECK(CALL(core_rmdir(P("/proc"))) == -EBUSY ||
          CALL(core_rmdir(P("/proc"))) == -ENOTEMPTY);
    CHECK(CALL(core_chdir(P("/proc/self/fd"))) == 0);
    CHECK(CALL(core_getcwd(P(path), 64)) == 11 && !strcmp(path, "/proc/1/fd"));
    CHECK(CALL(core_chdir(P("/"))) == 0);
}

/* A directory that changes while it is read. */
static void test_listing(void)
{
    char name[64], out[4096];
    bool seen[100] = {false};
    CHECK(CALL(core_mkdir(P("/l"), 0755)) == 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "/l/%d", i);
        CHECK(CALL(core_mknod(P(name), S_IFREG | 0600, 0)) == 0);
    }
    long fd = CALL(core_open(P("/l"), O_RDONLY | O_DIRECTORY, 0)), got;
    CHECK(CALL(core_getdents64(fd, P(out), 20)) == -EINVAL);
    int count = 0;
    while ((got = CALL(core_getdents64(fd, P(out), 200))) > 0) {
        for (long at = 0; at < got;) {
            struct dirent64 *entry = (struct dirent64 *)(out + at);
            at += entry->d_reclen;
            if (entry->d_name[0] == '.')
                continue;
            CHECK(entry->d_type == DT_REG && !seen[atoi(entry->d_name)]);
            seen[atoi(entry->d_name)] = true;
            snprintf(name, sizeof(name), "/l/%.9s", entry->d_name);
            CHECK(CALL(core_unlink(P(name))) == 0);
            count++;
        }
    }
    CHECK(got == 0 && count == 100);
    CHECK(CALL(core_rmdir(P("/l"))) == 0);
    CHECK(CALL(core_getdents64(fd, P(out), 200)) == -ENOENT);
    CHECK(CALL(core_close(fd)) == 0);
}

/* What is read from its beginning again is new, and takes no memory. */
static void test_texts_again(void)
{
    char first[200], again[200];
    long fd = CALL(core_open(P("/proc/halvm/status"), O_RDONLY, 0));
    CHECK(CALL(core_read(fd, P(first), 199)) > 0);
    long other = CALL(core_open(P("/proc/version"), O_RDONLY, 0));
    int pages = mock_pages;
    mock_no_memory = true;
    long size = CALL(core_pread64(fd, P(again), 199, 0));
    mock_no_memory = false;
    CHECK(size > 0 && mock_pages == pages);
    CHECK(CALL(core_close(other)) == 0);
    CHECK(CALL(core_close(fd)) == 0);
    fd = CALL(core_open(P("/proc/halvm/fault"), O_RDWR, 0));
    CHECK(CALL(core_write(fd, P("page:1"), 6)) == -EPERM);
    CHECK(CALL(core_close(fd)) == 0);
}

static void test_texts(void)
{
    static const char *const texts[] = {
        "/proc/self/maps",
        "/proc/self/status",
        "/proc/1/stat",
        "/proc/self/statm",
        "/proc/self/cmdline",
        "/proc/self/environ",
        "/proc/self/mounts",
        "/proc/self/limits",
        "/proc/meminfo",
        "/proc/cpuinfo",
        "/proc/stat",
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/version",
        "/proc/halvm/status",
        "/proc/halvm/memory",
        "/proc/halvm/fault",
        "/proc/self/smaps_rollup",
        "/proc/self/task/1/comm",
        "/proc/sys/kernel/random/boot_id",
        "/proc/sys/net/core/somaxconn",
    };
    char text[64];
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        long fd = CALL(core_open(P(texts[i]), O_RDONLY, 0));
        CHECK(fd >= 0);
        CHECK(CALL(core_read(fd, P(text), 60)) > 0);
        CHECK(CALL(core_close(fd)) == 0);
        bool writable = strstr(texts[i], "/comm") || strstr(texts[i], "/fault");
        CHECK(open_close(texts[i], O_WRONLY) == (writable ? 0 : -EACCES));
    }
    test_texts_again();
    CHECK(CALL(core_readlink(P("/proc/self/fd/1"), P(text), 60)) == 12);
    CHECK(memcmp(text, "/dev/console", 12) == 0);
    CHECK(CALL(core_readlink(P("/proc/self/exe"), P(text), 3)) == 3);
    CHECK(open_close("/dev/fd/0", O_RDONLY) == 0);
    CHECK(open_close("/dev/fd/77", O_RDONLY) == -ENOENT);
    CHECK(open_close("/dev/vda", O_RDONLY) == -ENOENT);
    CHECK(open_close("/proc/self/task/99", O_RDONLY) == -ENOENT);
}

/* Nothing may be made, and nothing may change. */
static void test_no_memory(void)
{
    mock_no_memory = true;
    CHECK(open_close("/new", O_CREAT | O_RDWR) < 0);
    CHECK(CALL(core_mkdir(P("/new"), 0755)) == -ENOSPC);
    CHECK(CALL(core_symlink(P("a"), P("/new"))) == -ENOSPC);
    CHECK(CALL(core_link(P("/hard"), P("/new"))) == -ENOSPC);
    CHECK(CALL(core_rename(P("/hard"), P("/new"))) == -ENOSPC);
    CHECK(file_provide("/new", "x", 1) == -ENOSPC);
    CHECK(open_close("/proc/uptime", O_RDONLY) < 0);
    mock_no_memory = false;
    CHECK(holds("/hard", "IN the initrd"));
    CHECK(open_close("/new", O_RDONLY) == -ENOENT);
}

static void run(void)
{
    test_initrd();
    /* The table of disks is made once. */
    CHECK(open_close("/dev/vda", O_RDONLY) == -ENOENT);
    int pages = mock_pages;
    test_look_up();
    test_names();
    test_listing();
    test_texts();
    test_no_memory();
    CHECK(mock_pages == pages);
    CHECK(file_open_count() == 3);
}

int main(void)
{
    make_archive();
    file_mock_run(run, archive, archive_size);
}
