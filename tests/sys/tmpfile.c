/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files without a name.
 *
 * Covers: open memfd_create linkat
 */
#include "check.h"
#include <sys/mman.h>

static void test_tmpfile_flag(void)
{
    struct stat st;
    char buffer[16], path[64];
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);

    if (fd < 0) {
        CHECK(errno == EOPNOTSUPP); /* not every file system has it */
        return;
    }
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK(S_ISREG(st.st_mode) && st.st_nlink == 0);
    CHECK_EQ(write(fd, "nameless", 8), 8);
    CHECK_EQ(pread(fd, buffer, 16, 0), 8);
    /* Given a name later. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    CHECK_EQ(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
    CHECK(!strcmp(check_content("named"), "nameless"));
    close(fd);
    CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
    CHECK_ERR(open("missing", O_TMPFILE | O_RDWR, 0600), ENOENT);
}

static void test_memfd(void)
{
    char buffer[16];
    struct stat st;
    int fd = (int)syscall(SYS_memfd_create, "name", 1u /* CLOEXEC */);

    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(ftruncate(fd, 8192), 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 8192);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    memcpy(map + 4096, "shared", 6);
    CHECK_EQ(msync(map, 8192, MS_SYNC), 0);
    CHECK_EQ(pread(fd, buffer, 6, 4096), 6);
    CHECK(!memcmp(buffer, "shared", 6));
    CHECK_EQ(munmap(map, 8192), 0);
    close(fd);
    CHECK_ERR(syscall(SYS_memfd_create, "x", 0x40000000u), EINVAL);
    CHECK_ERR(syscall(SYS_memfd_create, check_bad_pointer(), 0u), EFAULT);
}

static void test_libc(void)
{
    char name[] = "made-XXXXXX";
    FILE *file = tmpfile();

    CHECK(file != NULL);
    CHECK(fputs("text", file) >= 0);
    rewind(file);
    char line[10];
    CHECK(fgets(line, sizeof(line), file) && !strcmp(line, "text"));
    fclose(file);
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQ(unlink(name), 0);
}

int main(void)
{
    check_scratch();
    int before = check_open_descriptors();
    test_tmpfile_flag();
    test_memfd();
    test_libc();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
