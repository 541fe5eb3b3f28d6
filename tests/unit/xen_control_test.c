/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/control.c against a XenStore with transactions: the words that
 * ask for something, those that do not, and how the domain ends.
 */
#include <errno.h>
#include <setjmp.h>

#include "check.h"

#include "drivers/xen/control.c"

#include "xen_mock.h"

#define UNDER_WAY 77

static struct {
    char word[64], written[64]; /* committed; in the transaction */
    bool there, open, wrote;
    unsigned disturb;      /* transactions that have to be done again */
    const char *disturber; /* the word that the first of them is met by */
    bool no_begin, no_write, no_watch;
    unsigned begins, ends, features, agains;
    void (*changed)(void *argument, const char *path);
} s;

static unsigned suspends, balloons;
static jmp_buf ended;

/* -- the store -- */

long xen_store_watch(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument)
{
    CHECK(strcmp(path, "control/shutdown") == 0);
    if (s.no_watch)
        return -ENODEV;
    s.changed = changed;
    return 0;
}

void xen_store_again(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument, uint64_t delay_ns)
{
    CHECK(strcmp(path, "control/shutdown") == 0 && changed == s.changed);
    CHECK(delay_ns == AGAIN_NS);
    s.agains++;
}

long xen_store_begin(void)
{
    CHECK(!s.open);
    if (s.no_begin)
        return -EIO;
    s.begins++;
    s.open = true;
    s.wrote = false;
    return UNDER_WAY;
}

long xen_store_read(xen_store_transaction t, const char *path, char *out,
                    size_t size)
{
    CHECK(t == UNDER_WAY && s.open && strcmp(path, "control/shutdown") == 0);
    if (!s.there)
        return -ENOENT;
    if (strlen(s.word) >= size)
        return -E2BIG;
    strcpy(out, s.word);
    return (long)strlen(s.word);
}

long xen_store_write(xen_store_transaction t, const char *path,
                     const char *value)
{
    if (strncmp(path, "control/feature-", 16) == 0) {
        CHECK(t == 0 && strcmp(value, "1") == 0);
        s.features++;
        return -EACCES; /* of an old toolstack */
    }
    CHECK(t == UNDER_WAY && s.open && strcmp(path, "control/shutdown") == 0);
    if (s.no_write)
        return -EACCES;
    strcpy(s.written, value);
    s.wrote = true;
    return 0;
}

long xen_store_end(xen_store_transaction t, bool commit)
{
    CHECK(t == UNDER_WAY && s.open);
    s.open = false;
    s.ends++;
    if (s.disturb > 0) {
        s.disturb--;
        if (s.disturber != NULL)
            strcpy(s.word, s.disturber);
        return -EAGAIN;
    }
    if (commit) {
        CHECK(s.wrote);
        strcpy(s.word, s.written);
    }
    return 0;
}

/* -- the rest -- */

void xen_suspend(void)
{
    CHECK(s.word[0] == 0); /* heard before: else it would be asked again */
    suspends++;
}

void xen_balloon_init(void)
{
    balloons++;
}

long xen_hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e)
{
    CHECK(number == __HYPERVISOR_sched_op && a == SCHEDOP_shutdown);
    longjmp(ended, 1 + (int)((struct sched_shutdown *)b)->reason);
}

static void start(void)
{
    mock_end();
    memset(&s, 0, sizeof(s));
    poweroff_wanted = reboot_wanted = false;
    xen_dom0 = false;
    suspends = balloons = 0;
    xen_control_init();
    CHECK(s.changed != NULL && s.features == 4 && balloons == 1);
}

/* Somebody writes a word; what is ready then. */
static uint32_t ask(const char *word)
{
    s.there = true;
    strcpy(s.word, word);
    mock_ready = 0;
    s.changed(NULL, "control/shutdown");
    CHECK(!s.open);
    s.changed(NULL, "control/shutdown"); /* our own change */
    CHECK(!s.open && s.begins == s.ends);
    return mock_ready;
}

/* The reason that the domain ends with. */
static unsigned end(int status)
{
    int reason = setjmp(ended);

    if (reason == 0)
        xen_exit(status);
    return (unsigned)reason - 1;
}

static void test_words(void)
{
    start();
    CHECK(end(0) == SHUTDOWN_poweroff && end(3) == SHUTDOWN_crash);
    CHECK(ask("poweroff") == BASE_READY_POWER && s.word[0] == 0);
    CHECK(end(0) == SHUTDOWN_poweroff && end(143) == SHUTDOWN_poweroff);
    CHECK(ask("reboot") == BASE_READY_POWER);
    CHECK(end(0) == SHUTDOWN_reboot && end(1) == SHUTDOWN_reboot);
    CHECK(ask("halt") == BASE_READY_POWER);
    CHECK(end(1) == SHUTDOWN_poweroff);
    CHECK(ask("suspend") == 0 && suspends == 1);
    CHECK(end(1) == SHUTDOWN_poweroff);
    CHECK(mock_log_lines == 0);
    start();
    xen_dom0 = true; /* nothing else ends the machine */
    CHECK(end(0) == SHUTDOWN_reboot && end(1) == SHUTDOWN_reboot);
    start();
    int reason = setjmp(ended);
    if (reason == 0)
        ask("crash");
    CHECK(reason == 1 + SHUTDOWN_crash && mock_log_lines == 1);
}

static void test_garbage(void)
{
    static const char *const words[] = {
        "x",
        "Poweroff",
        "poweroff ",
        "reboot\n",
        "fifteen letters",
        "sixteen letters!",
        "a word that is longer than any that we know",
    };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        start();
        CHECK(ask(words[i]) == 0);
        CHECK(mock_log_lines == 1 && suspends == 0);
        CHECK(s.word[0] == 0); /* heard, if not understood */
        CHECK(end(0) == SHUTDOWN_poweroff && end(1) == SHUTDOWN_crash);
    }
    start();
    CHECK(ask("") == 0 && mock_log_lines == 0);
    s.there = false; /* nobody ever wrote it */
    s.changed(NULL, "control/shutdown");
    CHECK(mock_ready == 0 && mock_log_lines == 0 && s.begins == s.ends);
}

static void test_transaction(void)
{
    start();
    s.disturb = 3; /* by something else */
    CHECK(ask("suspend") == 0);
    CHECK(suspends == 1 && s.word[0] == 0);
    start();
    s.disturb = 1;
    s.disturber = "reboot"; /* the later word counts */
    CHECK(ask("suspend") == BASE_READY_POWER);
    CHECK(suspends == 0 && end(0) == SHUTDOWN_reboot);
    start();
    CHECK(s.agains == 0);
    s.disturb = UINT32_MAX; /* for ever: left for later */
    CHECK(ask("poweroff") == 0);
    CHECK(s.begins == 2 * TRIES && strcmp(s.word, "poweroff") == 0);
    CHECK(s.agains == 2);
    s.disturb = 0;
    s.changed(NULL, "control/shutdown");
    CHECK(mock_ready == BASE_READY_POWER && s.word[0] == 0 && s.agains == 2);
    xen_control_resume();
    CHECK(s.features == 8);
    start();
    s.no_begin = true;
    CHECK(ask("poweroff") == 0 && s.begins == 0);
    s.no_begin = false;
    s.no_write = true; /* not heard: the operator sees that */
    CHECK(ask("poweroff") == 0 && strcmp(s.word, "poweroff") == 0);
    s.no_write = false;
    CHECK(ask("poweroff") == BASE_READY_POWER);
    /* Without a store there is nothing to say. */
    memset(&s, 0, sizeof(s));
    s.no_watch = true;
    xen_control_init();
    CHECK(s.features == 0 && balloons == 1);
}

int main(void)
{
    test_words();
    test_garbage();
    test_transaction();
    mock_end();
    return 0;
}
