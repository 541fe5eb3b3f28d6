/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console: descriptors 0, 1 and 2 at the start, /dev/console, /dev/tty.
 *
 * It is a terminal (TIOCGWINSZ answers, so that libc and GHC's runtime buffer
 * lines), unless halvm.tty=off makes it a pair of plain byte streams. Output
 * goes out as it is. Input is kept in a ring: in canonical mode it becomes
 * readable line by line, with erase and kill; ^C raises SIGINT; ^D ends the
 * input, on a plain stream too, since a serial line has no other end. Echo is
 * off until halvm.tty=echo or tcsetattr asks for it: whoever types into a
 * pipe does not want his words in the output.
 *
 * Monitor held.
 */
#include "core/file/console.h"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/signal/signal.h"

#define INPUT_SIZE 1024u /* a power of two */
#define CHUNK      256   /* copied to the stack, which is the application's */
#define END        4     /* ^D */

/* Linux's struct termios of the ioctl, which is not libc's. */
struct console_termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[19];
};
_Static_assert(sizeof(struct console_termios) == 36, "asm-generic/termbits.h");

static uint8_t input[INPUT_SIZE];
static struct {
    bool started;
    bool terminal;
    bool ended;                 /* a plain stream's ^D was read */
    uint32_t head, ready, tail; /* written, readable up to, read; canonical
                                   input between ready and head is a line
                                   still being typed */
    struct console_termios termios;
    struct winsize size;
    struct wait_queue wait;
} console = {
    .termios =
        {
            .iflag = ICRNL | IXON,
            .oflag = 0,
            .cflag = B38400 | CS8 | CREAD | CLOCAL,
            .lflag = ISIG | ICANON,
            .cc = {[VINTR] = 3,
                   [VQUIT] = 28,
                   [VERASE] = 127,
                   [VKILL] = 21,
                   [VEOF] = END,
                   [VMIN] = 1},
        },
    .size = {.ws_row = 24, .ws_col = 80},
    .wait = WAIT_QUEUE_INIT(console.wait),
};

struct file file_console = {
    .ops = &file_console_ops,
    .references = 1, /* ours: it is never released */
    .flags = O_RDWR,
    .epoll_items = LIST_INIT(file_console.epoll_items),
};

static void console_start(void)
{
    const char *option = core_option("tty");

    console.started = true;
    console.terminal = !option || strcmp(option, "off") != 0;
    if (option && strcmp(option, "echo") == 0)
        console.termios.lflag |= ECHO | ECHOE;
}

static inline bool canonical(void)
{
    return console.terminal && (console.termios.lflag & ICANON);
}

static inline bool is_control(uint8_t byte, int which)
{
    return byte == console.termios.cc[which] && byte != 0;
}

static void echo(uint8_t byte)
{
    if (console.termios.lflag & ECHO)
        core_base->console_write(&byte, 1);
}

static void console_put(uint8_t byte)
{
    if (console.head - console.tail < INPUT_SIZE)
        input[console.head++ % INPUT_SIZE] = byte;
}

/* Erases one byte, or the line, that is still being typed. */
static void erase(bool all)
{
    while (console.head != console.ready) {
        console.head--;
        if (console.termios.lflag & ECHO)
            core_base->console_write("\b \b", 3);
        if (!all)
            break;
    }
}

/* A byte comes in on a terminal. */
static void terminal_input(uint8_t byte)
{
    if (console.termios.lflag & ISIG) {
        if (is_control(byte, VINTR)) {
            signal_send(SIGINT, NULL);
            return;
        }
        if (is_control(byte, VQUIT)) {
            signal_send(SIGQUIT, NULL);
            return;
        }
    }
    if (byte == '\r' && (console.termios.iflag & ICRNL))
        byte = '\n';
    if (!canonical()) {
        echo(byte);
        console_put(byte);
        console.ready = console.head;
        return;
    }
    if (is_control(byte, VERASE) || byte == '\b') {
        erase(false);
        return;
    }
    if (is_control(byte, VKILL)) {
        erase(true);
        return;
    }
    if (!is_control(byte, VEOF))
        echo(byte);
    console_put(byte);
    /* A full ring is given up as it is, or nobody could go on. */
    if (byte == '\n' || is_control(byte, VEOF) ||
        console.head - console.tail == INPUT_SIZE)
        console.ready = console.head;
}

/* How much to take from the base at once. A plain stream that is full stays
 * unread there, which stops the sender; a terminal drops what it cannot keep,
 * since a ^C may follow. */
static size_t input_chunk(size_t most)
{
    size_t room = INPUT_SIZE - (console.head - console.tail);

    return console.terminal || room > most ? most : room;
}

/* BASE_READY_CONSOLE: takes what has come in. Hooked in from the start, since
 * ^C is for a program that never reads, too. */
static void console_ready(void)
{
    uint8_t bytes[64];
    size_t size;
    uint32_t before = console.ready;

    if (!console.started)
        console_start();
    while ((size = input_chunk(sizeof(bytes))) > 0 &&
           (size = core_base->console_read(bytes, size)) > 0) {
        for (size_t i = 0; i < size; i++) {
            if (console.terminal)
                terminal_input(bytes[i]);
            else
                console_put(bytes[i]);
        }
        if (!console.terminal)
            console.ready = console.head;
    }
    if (console.ready != before)
        wait_wake(&console.wait, POLLIN | POLLRDNORM, UINT32_MAX);
}

static bool readable(void)
{
    if (console.ready == console.tail)
        console_ready();
    return console.ready != console.tail || console.ended;
}

/* Takes readable bytes up to a line's end in canonical mode and up to the end
 * of the input; bytes taken or -EFAULT. */
static long console_take(const struct iovec *iov, int count, size_t size)
{
    size_t done = 0;

    while (done < size && console.tail != console.ready) {
        uint8_t byte = input[console.tail % INPUT_SIZE];
        bool ends = canonical() ? byte == console.termios.cc[VEOF]
                                : byte == END && !console.terminal;
        if (ends) {
            /* Behind bytes it only ends this read; a plain stream stays
             * at its end. */
            if (done && !console.terminal)
                return (long)done;
            console.tail++;
            console.ended = !console.terminal;
            return (long)done;
        }
        if (file_copy_out(iov, count, done, &byte, 1) < 0)
            return done ? (long)done : -EFAULT;
        console.tail++;
        done++;
        if (canonical() && byte == '\n')
            break;
    }
    return (long)done;
}

static long console_readv(struct file *file, const struct iovec *iov, int count,
                          off_t *offset)
{
    size_t size = file_iov_total(iov, count);

    if (size == 0)
        return 0;
    while (!readable()) {
        if (console.terminal && !canonical() && console.termios.cc[VMIN] == 0)
            return 0;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&console.wait, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    return console.ended ? 0 : console_take(iov, count, size);
}

static long console_writev(struct file *file, const struct iovec *iov,
                           int count, off_t *offset)
{
    char chunk[CHUNK];
    long done = 0;

    for (int i = 0; i < count; i++) {
        const char *from = iov[i].iov_base;
        size_t left = iov[i].iov_len;
        while (left > 0) {
            size_t part = left < CHUNK ? left : CHUNK;
            if (core_copy_in(chunk, from, part) < 0)
                return done ? done : -EFAULT;
            core_base->console_write(chunk, part);
            from += part;
            left -= part;
            done += (long)part;
        }
    }
    return done;
}

static uint32_t console_poll(struct file *file, struct file_poller *poller)
{
    file_poll_wait(poller, &console.wait);
    return POLLOUT | POLLWRNORM | (readable() ? POLLIN | POLLRDNORM : 0);
}

static void set_termios(const struct console_termios *termios, bool flush)
{
    console.termios = *termios;
    if (flush)
        console.tail = console.ready = console.head;
    else if (!canonical())
        console.ready = console.head;
}

static long terminal_ioctl(unsigned long request, long argument)
{
    struct console_termios termios;
    void *user = (void *)argument;
    int number = 1;

    switch (request) {
    case TIOCGWINSZ:
        return core_copy_out(user, &console.size, sizeof(console.size));
    case TIOCSWINSZ:
        return core_copy_in(&console.size, user, sizeof(console.size));
    case TCGETS:
        return core_copy_out(user, &console.termios, sizeof(console.termios));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        if (core_copy_in(&termios, user, sizeof(termios)) < 0)
            return -EFAULT;
        set_termios(&termios, request == TCSETSF);
        return 0;
    case TCFLSH:
        if ((unsigned long)argument > TCIOFLUSH)
            return -EINVAL;
        if (argument != TCOFLUSH)
            console.tail = console.ready = console.head;
        return 0;
    case TCSBRK: /* tcdrain: output has left when write returns */
    case TCXONC:
    case TIOCSCTTY:
        return 0;
    case TIOCGPGRP:
    case TIOCGSID: /* the one process and session */
        return core_copy_out(user, &number, sizeof(number));
    case TIOCSPGRP:
        if (core_copy_in(&number, user, sizeof(number)) < 0)
            return -EFAULT;
        return number == 1 ? 0 : -ESRCH;
    default:
        return -ENOTTY;
    }
}

static long console_ioctl(struct file *file, unsigned long request,
                          long argument)
{
    if (!console.started)
        console_start();
    if (request == FIONREAD) {
        int size = readable() ? (int)(console.ready - console.tail) : 0;
        return core_copy_out((void *)argument, &size, sizeof(size));
    }
    return console.terminal ? terminal_ioctl(request, argument) : -ENOTTY;
}

static int console_stat(struct file *file, struct stat *out)
{
    if (!console.started)
        console_start();
    /* Without a terminal it is what a program sees behind "| prog |". */
    out->st_mode = console.terminal ? S_IFCHR | 0620 : S_IFIFO | 0600;
    out->st_rdev = console.terminal ? makedev(5, 1) : 0;
    out->st_ino = 3;
    out->st_blksize = 1024;
    return 0;
}

const struct file_ops file_console_ops = {
    .name = "/dev/console",
    .readv = console_readv,
    .writev = console_writev,
    .poll = console_poll,
    .ioctl = console_ioctl,
    .stat = console_stat,
};

void file_init(void)
{
    core_console_ready = console_ready;
    for (int fd = 0; fd < 3; fd++)
        file_install(file_ref(&file_console), 0, 0);
}
