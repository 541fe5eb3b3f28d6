/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people read at the limit: who holds what.
 *
 * Printed with write() alone, from static memory: there is none left.
 */
#include "governor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[256];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 1)
        length = (int)sizeof line - 1;
    for (int done = 0; done < length;) {
        ssize_t wrote = write(2, line + done, (size_t)(length - done));

        if (wrote <= 0)
            return;
        done += (int)wrote;
    }
}

#define MIB(bytes) ((double)(bytes) / (1 << 20))

static W_ blocks(W_ count)
{
    return count * BLOCK_SIZE;
}

/* One of the system's accounts in bytes (/proc/halvm/memory: a line each,
 * "name: N kB"); 0 if it has none of that name. */
static W_ account(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    uint64_t kb;

    if (at == NULL)
        return 0;
    at += strlen(name);
    return text_number(at + strspn(at, ": "), &kb) ? kb * 1024 : 0;
}

static void row(const char *name, W_ bytes)
{
    say("  %-18s %8.1f MiB\n", name, MIB(bytes));
}

void report_accounts(void)
{
    static char text[2048]; /* stays empty as a Linux process */
    W_ heap = mblocks_allocated * MBLOCK_SIZE;
    W_ live = blocks(limit_blocks_live());
    W_ reserve = (budget_reserve_mb() + budget_held_mb()) * MBLOCK_SIZE;
    W_ c_heap, maps;

    (void)text_read("/proc/halvm/memory", text, sizeof text);
    if (live > heap)
        live = heap;
    if (*text != 0) {
        row("code", account(text, "\nimage:"));
        row("system", account(text, "\ncore:"));
    }
    row("Haskell, live", live);
    row("Haskell, garbage", heap - live);
    row("reserve", reserve);
    if (*text != 0) {
        maps = account(text, "\nanonymous_maps:");
        c_heap = account(text, "\nanonymous_break:") +
                 (maps > reserve ? maps - reserve : 0);
        row("C heap", c_heap);
        row("stacks", account(text, "\nanonymous_stacks:"));
        row("files mapped", account(text, "\nfile:"));
        row("network", account(text, "\nnetwork:"));
        row("cache", account(text, "\ncache:"));
    }
    row("free", budget_free());
    row("in all", budget_total());
}

/* what: "" or what was wanted; how: what became of HeapOverflow. */
static void say_holder(const char *what, const char *how)
{
    say("halvm: out of memory: %sHaskell holds %.1f of %.1f MiB, and "
        "HeapOverflow was not %s\n",
        what, MIB(mblocks_allocated * MBLOCK_SIZE), MIB(budget_total()), how);
    report_accounts();
}

void report_uncaught(void)
{
    say_holder("", "caught");
}

void report_end(W_ wanted, const char *whom)
{
    char what[96];

    snprintf(what, sizeof what, "%.1f MiB more for %s; ", MIB(wanted), whom);
    say_holder(what, "heeded");
    _exit(EXIT_HEAPOVERFLOW);
}

void report_refuse(const char *what, const char *why, const char *fix)
{
    say("halvm: error: %s\n  why: %s\n  fix: %s\n", what, why, fix);
    _exit(1);
}
