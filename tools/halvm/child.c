/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Owns one child process, QEMU or the program itself: starts it so that it
 * dies with us, carries its console, turns ^C and SIGTERM into a power button
 * first and a kill later, and keeps the timeout. Called by qemu.c, xen.c and
 * linux.c.
 *
 * One loop over poll(): a pidfd, a signalfd, and, with a console, our standard
 * input and the child's output. With a console the child has a process group
 * of its own, so that the terminal's ^C comes to us only.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "halvm.h"

#define GRACE_MS         10000 /* between a stop and the kill; docker's */
#define GRACE_TIMEOUT_MS 2000  /* the same, after --timeout */
#define INPUT_WAIT_MS    300   /* a booting machine loses early input */
#define TERMINAL_WAIT_MS 50    /* how often to look at the child's terminal */
#define END_OF_INPUT     "\x04"
#define CONSOLE_ESCAPE   0x1d /* alone it ends xl's console */
#define CHUNK            65536

struct run_state {
    struct child *child;
    pid_t pid;
    int pidfd, signals;
    int input, output;  /* the child's; -1: none */
    bool input_open;    /* our standard input may bring more */
    bool input_started; /* the guest can take input */
    bool stopping, destroying, killed;
    char pending[CHUNK]; /* for the child's input */
    size_t pending_start, pending_end;
    uint64_t started_ms, deadline_ms; /* of the timeout, or of the grace */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

/* The child's side: never returns. */
static void become(const struct child *child, pid_t parent, int in, int out,
                   int report)
{
    sigset_t set;
    int error;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(STATUS_HALVM);
    if (child->console) {
        setpgid(0, 0);
        dup2(in, 0);
        dup2(out, 1);
    }
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTTIN, SIG_DFL);
    if (child->before && !child->before(child->context))
        _exit(STATUS_HALVM);
    execvpe(child->vector[0], child->vector, child->environment);
    error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(STATUS_HALVM);
    _exit(STATUS_HALVM);
}

/* A terminal of the child's own for both. It is in lines until the child makes
 * it raw and with that drops what was typed before. */
static bool make_terminal(int in[2], int out[2])
{
    struct termios mode;
    char name[64];

    in[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (in[1] < 0 || grantpt(in[1]) || unlockpt(in[1]) ||
        ptsname_r(in[1], name, sizeof(name)))
        return false;
    in[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (in[0] < 0 || tcgetattr(in[0], &mode))
        return false;
    mode.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    mode.c_oflag &= ~(tcflag_t)OPOST;
    out[0] = fcntl(in[1], F_DUPFD_CLOEXEC, 0);
    out[1] = fcntl(in[0], F_DUPFD_CLOEXEC, 0);
    return out[0] >= 0 && out[1] >= 0 && tcsetattr(in[0], TCSANOW, &mode) == 0;
}

static bool is_raw(int terminal)
{
    struct termios mode;

    return tcgetattr(terminal, &mode) == 0 && !(mode.c_lflag & ICANON);
}

/* Starts the child; 0 or an errno. */
static int start(struct run_state *state)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, report[2], error = 0;
    bool terminal = state->child->terminal;
    pid_t parent = getpid();

    if (state->child->console &&
        (terminal ? !make_terminal(in, out)
                  : pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)))
        return errno;
    if (pipe2(report, O_CLOEXEC))
        return errno;
    state->pid = fork();
    if (state->pid < 0)
        return errno;
    if (state->pid == 0)
        become(state->child, parent, in[0], out[1], report[1]);
    close(report[1]);
    if (state->child->console) {
        close(in[0]);
        close(out[1]);
        fcntl(in[1], F_SETFL, O_NONBLOCK);
    }
    state->input = in[1];
    state->output = out[0];
    if (read(report[0], &error, sizeof(error)) != sizeof(error))
        error = 0;
    close(report[0]);
    return error;
}

/* -- stopping -- */

/* A command beside the child; nobody waits for it. */
static void run_command(char **vector)
{
    pid_t pid = fork();
    sigset_t set;
    int null;

    if (pid < 0)
        fprintf(stderr, "halvm: cannot run %s: %s\n", vector[0],
                strerror(errno));
    if (pid != 0)
        return;
    setpgid(0, 0);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGPIPE, SIG_DFL);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    dup2(null, 1);
    execvp(vector[0], vector);
    _exit(STATUS_HALVM);
}

/* By its own command first, if it has one; by force the next time. */
static void kill_child(struct run_state *state)
{
    if (state->child->destroy && !state->destroying) {
        state->destroying = true;
        state->deadline_ms = now_ms() + GRACE_MS;
        run_command(state->child->destroy);
        return;
    }
    state->killed = true;
    if (state->child->console)
        kill(-state->pid, SIGKILL);
    kill(state->pid, SIGKILL);
}

/* The power button. QMP wants its greeting answered once; a second
 * qmp_capabilities is an error that does no harm. */
static void press_power(int control)
{
    static const char words[] = "{\"execute\":\"qmp_capabilities\"}\n"
                                "{\"execute\":\"system_powerdown\"}\n";

    if (write(control, words, sizeof(words) - 1) < 0)
        fprintf(stderr, "halvm: cannot reach QEMU: %s\n", strerror(errno));
}

static void stop(struct run_state *state, enum child_end end, uint64_t grace_ms)
{
    state->stopping = true;
    state->child->end = end;
    state->deadline_ms = now_ms() + grace_ms;
    if (state->child->stop)
        run_command(state->child->stop);
    else if (state->child->control >= 0)
        press_power(state->child->control);
    else
        kill(state->pid, SIGTERM);
}

static void take_signal(struct run_state *state)
{
    struct signalfd_siginfo info;

    if (read(state->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (state->stopping) {
        kill_child(state);
        return;
    }
    if (!state->child->console && info.ssi_signo == SIGINT &&
        info.ssi_code == SI_KERNEL)
        return; /* the terminal's ^C: the child has it, too */
    if (!state->child->quiet && state->child->console)
        fprintf(stderr, "halvm: stopping; ^C again kills it\n");
    stop(state, CHILD_STOPPED, GRACE_MS);
}

static void take_deadline(struct run_state *state)
{
    if (state->stopping)
        kill_child(state);
    else
        stop(state, CHILD_TIMEOUT, GRACE_TIMEOUT_MS);
}

/* -- the console -- */

static void take_output(struct run_state *state)
{
    static char chunk[CHUNK];
    ssize_t got = read(state->output, chunk, sizeof(chunk));

    if (got > 0) {
        console_take(state->child->console, chunk, (size_t)got);
        state->input_started = state->input_started || !state->child->terminal;
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        close(state->output);
        state->output = -1;
    }
}

/* Without what would make xl's console go away. */
static size_t without_escapes(char *data, size_t size)
{
    size_t kept = 0;

    for (size_t i = 0; i < size; i++)
        if (data[i] != CONSOLE_ESCAPE)
            data[kept++] = data[i];
    return kept;
}

static void take_input(struct run_state *state)
{
    ssize_t got = read(0, state->pending, sizeof(state->pending) - 1);

    if (got < 0 && errno == EINTR)
        return;
    state->pending_start = 0;
    state->pending_end = got > 0 ? (size_t)got : 0;
    if (got > 0 && state->child->terminal)
        state->pending_end = without_escapes(state->pending, (size_t)got);
    if (got > 0)
        return;
    state->input_open = false;
    if (got == 0) { /* not EIO: a terminal that is not ours to read */
        memcpy(state->pending, END_OF_INPUT, 1);
        state->pending_end = 1;
    }
}

static void give_input(struct run_state *state)
{
    ssize_t done = write(state->input, state->pending + state->pending_start,
                         state->pending_end - state->pending_start);

    if (done > 0)
        state->pending_start += (size_t)done;
    else if (done < 0 && errno != EAGAIN && errno != EINTR)
        state->pending_start = state->pending_end;
}

/* QMP's answers are of no interest, but must not fill the socket. */
static void take_control(struct run_state *state)
{
    char chunk[4096];

    if (read(state->child->control, chunk, sizeof(chunk)) <= 0)
        state->child->control = -1;
}

/* -- the loop -- */

enum { WATCH_CHILD, WATCH_SIGNAL, WATCH_OUTPUT, WATCH_IN, WATCH_TO, WATCH_QMP };

/* Milliseconds until something must be done; -1: nothing. */
static int wait_ms(const struct run_state *state)
{
    uint64_t now = now_ms(), until = UINT64_MAX;

    if (state->deadline_ms && !state->killed)
        until = state->deadline_ms;
    if (!state->input_started && state->input >= 0) {
        uint64_t look = state->child->terminal
                            ? now + TERMINAL_WAIT_MS
                            : state->started_ms + INPUT_WAIT_MS;

        until = look < until ? look : until;
    }
    if (until == UINT64_MAX)
        return -1;
    return until > now ? (int)(until - now) : 0;
}

/* One turn; false when the child has ended and its output is drained. */
static bool turn(struct run_state *state, bool *ended)
{
    bool have_pending = state->pending_start < state->pending_end;
    bool input = state->input >= 0 && state->input_started;
    struct pollfd fds[] = {
        [WATCH_CHILD] = {*ended ? -1 : state->pidfd, POLLIN, 0},
        [WATCH_SIGNAL] = {state->signals, POLLIN, 0},
        [WATCH_OUTPUT] = {state->output, POLLIN, 0},
        [WATCH_IN] = {input && state->input_open && !have_pending ? 0 : -1,
                      POLLIN, 0},
        [WATCH_TO] = {input && have_pending ? state->input : -1, POLLOUT, 0},
        [WATCH_QMP] = {state->child->control, POLLIN, 0},
    };
    int count =
        poll(fds, sizeof(fds) / sizeof(*fds), *ended ? 0 : wait_ms(state));

    if (count < 0)
        return true;
    if (fds[WATCH_OUTPUT].revents)
        take_output(state);
    else if (*ended)
        return false;
    if (fds[WATCH_SIGNAL].revents)
        take_signal(state);
    if (fds[WATCH_IN].revents)
        take_input(state);
    if (fds[WATCH_TO].revents)
        give_input(state);
    if (fds[WATCH_QMP].revents)
        take_control(state);
    if (fds[WATCH_CHILD].revents)
        *ended = waitpid(state->pid, &state->child->wait_status, 0) > 0;
    if (state->child->terminal ? is_raw(state->input)
                               : now_ms() >= state->started_ms + INPUT_WAIT_MS)
        state->input_started = true;
    if (!*ended && !state->killed && state->deadline_ms &&
        now_ms() >= state->deadline_ms)
        take_deadline(state);
    return true;
}

static void finish(struct run_state *state)
{
    close(state->pidfd);
    close(state->signals);
    if (state->input >= 0)
        close(state->input);
    if (state->output >= 0)
        close(state->output);
    state->child->elapsed_ms = now_ms() - state->started_ms;
}

bool child_run(struct child *child)
{
    static struct run_state state;
    bool ended = false;
    sigset_t set;
    int error;

    state = (struct run_state){.child = child, .input_open = true};
    stop_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTTIN, SIG_IGN);
    state.signals = signalfd(-1, &set, SFD_CLOEXEC);
    state.started_ms = now_ms();
    if (child->timeout_ms)
        state.deadline_ms = state.started_ms + child->timeout_ms;
    error = start(&state);
    if (error) {
        if (state.pid > 0)
            waitpid(state.pid, NULL, 0);
        tool_error(
            words_format("cannot run %s", child->vector[0]), strerror(error),
            error == ENOENT ? "halvm doctor" : "halvm run --dry-run ...");
        return false;
    }
    state.pidfd = (int)syscall(SYS_pidfd_open, state.pid, 0);
    if (state.pidfd < 0) { /* before Linux 5.3 */
        tool_error("cannot watch the child", strerror(errno),
                   "run Linux 5.3 or later");
        kill_child(&state);
        return false;
    }
    while (turn(&state, &ended))
        ;
    finish(&state);
    return true;
}
