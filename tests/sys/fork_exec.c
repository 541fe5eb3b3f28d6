/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * New processes: as ever on Linux, refused with ENOSYS in a unikernel, which
 * then also has no children to wait for.
 *
 * Covers: fork vfork execve execveat wait4 waitid clone
 */
#include "check.h"
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static void test_no_children(void)
{
    int status;
    siginfo_t info;

    CHECK_ERR(wait(&status), ECHILD);
    CHECK_ERR(waitpid(12345, &status, WNOHANG), ECHILD);
    CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    CHECK_ERR(syscall(SYS_wait4, -1, &status, 0x40, NULL), EINVAL);
    CHECK_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
}

static void test_refused(void)
{
    static char *const arguments[] = {(char *)(uintptr_t) "x", NULL};
    pid_t pid;

    CHECK_ERR(fork(), ENOSYS);
    CHECK_ERR(vfork(), ENOSYS);
    CHECK_ERR(execve("/proc/self/exe", arguments, environ), ENOSYS);
    CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "x", arguments, environ, 0),
              ENOSYS);
    CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) != 0);
    CHECK_EQ(system("true"), -1);
    CHECK(popen("true", "r") == NULL);
    /* clone without threads is a fork. */
    CHECK(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == -1);
    CHECK(errno == ENOSYS || errno == EINVAL);
}

static void test_fork(void)
{
    int status, p[2];
    char c = 0;
    pid_t pid;

    CHECK_EQ(pipe(p), 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(p[0]);
        _exit(write(p[1], "c", 1) == 1 ? 7 : 1);
    }
    close(p[1]);
    CHECK_EQ(read(p[0], &c, 1), 1);
    CHECK_EQ(c, 'c');
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    close(p[0]);
    pid = fork();
    if (pid == 0) {
        raise(SIGKILL);
        _exit(0);
    }
    siginfo_t info = {0};
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
    CHECK_EQ(info.si_status, SIGKILL);
    CHECK_EQ(info.si_code, CLD_KILLED);
}

static void test_exec(char *self)
{
    char *const arguments[] = {self, (char *)(uintptr_t) "child", NULL};
    pid_t pid, spawned;
    int status;

    pid = vfork();
    if (pid == 0) {
        execve("/proc/self/exe", arguments, environ);
        _exit(1);
    }
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK_EQ(
        posix_spawn(&spawned, "/proc/self/exe", NULL, NULL, arguments, environ),
        0);
    CHECK_EQ(waitpid(spawned, &status, 0), spawned);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK_EQ(WEXITSTATUS(system("exit 3")), 3);
    CHECK_ERR(execve("/missing", arguments, environ), ENOENT);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "child"))
        return 42;
    test_no_children();
    if (check_unikernel()) {
        test_refused();
    } else {
        test_fork();
        test_exec(argv[0]);
    }
    return 0;
}
