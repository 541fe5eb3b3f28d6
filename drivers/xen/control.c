/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the operator asks of the domain by control/shutdown, and the domain's
 * end. Called by the bases; monitor held, but in xen_exit(), which may be
 * called anywhere.
 */
#include <errno.h>
#include <string.h>

#include "drivers/xen/xen.h"

#include <xen/sched.h>

#define SHUTDOWN_PATH "control/shutdown"
#define WORD_SIZE     16 /* bytes; longer ones are none that we know */
#define TRIES         8  /* of a transaction that is disturbed, in a row */
#define AGAIN_NS      100000000u /* and then from the beginning */

static bool poweroff_wanted, reboot_wanted;

static void shutdown(unsigned reason) __attribute__((noreturn));
static void shutdown(unsigned reason)
{
    struct sched_shutdown how = {.reason = reason};

    for (;;)
        xen_sched_op(SCHEDOP_shutdown, &how);
}

void xen_exit(int status)
{
    /* An end that the operator asked for is no crash, though the program may
     * have died of the signal that told it. */
    if (xen_dom0 || reboot_wanted)
        shutdown(SHUTDOWN_reboot);
    shutdown(status == 0 || poweroff_wanted ? SHUTDOWN_poweroff
                                            : SHUTDOWN_crash);
}

/* Reads the word and writes "" in its place, which says that it was heard;
 * its length. In one transaction: else a word that is written in between
 * would be lost. */
static long word_take(char word[WORD_SIZE])
{
    long result = -EAGAIN;

    for (unsigned i = 0; i < TRIES && result == -EAGAIN; i++) {
        long t = xen_store_begin(), length;
        bool taken;

        if (t < 0)
            return t;
        length = xen_store_read((xen_store_transaction)t, SHUTDOWN_PATH, word,
                                WORD_SIZE);
        if (length == -E2BIG) {
            memcpy(word, "(a long word)", 14);
            length = 13;
        }
        taken = length > 0 && xen_store_write((xen_store_transaction)t,
                                              SHUTDOWN_PATH, "") == 0;
        result = xen_store_end((xen_store_transaction)t, taken);
        if (result == 0)
            result = taken ? length : 0;
    }
    return result;
}

static void on_shutdown(void *argument, const char *path)
{
    char word[WORD_SIZE];
    long length = word_take(word);

    if (length == -EAGAIN)
        xen_store_again(SHUTDOWN_PATH, on_shutdown, NULL, AGAIN_NS);
    if (length <= 0)
        return;
    if (strcmp(word, "poweroff") == 0 || strcmp(word, "halt") == 0) {
        poweroff_wanted = true;
        reboot_wanted = false;
        hw_ready(BASE_READY_POWER);
    } else if (strcmp(word, "reboot") == 0) {
        reboot_wanted = true;
        hw_ready(BASE_READY_POWER);
    } else if (strcmp(word, "suspend") == 0) {
        xen_suspend();
    } else if (strcmp(word, "crash") == 0) {
        hw_log("xen: the operator asked for a crash", NULL);
        shutdown(SHUTDOWN_crash);
    } else {
        hw_log("xen: ", SHUTDOWN_PATH, " asks for what is not known: ", word,
               NULL);
    }
}

/* The toolstack makes these for us to fill in; an old one does not, and then
 * nobody reads them. */
void xen_control_resume(void)
{
    static const char *const features[] = {
        "control/feature-poweroff", "control/feature-halt",
        "control/feature-reboot", "control/feature-suspend"};

    for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        xen_store_write(0, features[i], "1");
}

void xen_control_init(void)
{
    if (xen_store_watch(SHUTDOWN_PATH, on_shutdown, NULL) != 0)
        return;
    xen_control_resume();
    xen_balloon_init();
}
