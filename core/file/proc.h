/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /proc, between its two halves: proc.c has the folders, links and open
 * files, proc_text.c writes the texts.
 */
#ifndef HALVM_FILE_PROC_H
#define HALVM_FILE_PROC_H

#include "core/file/file.h"

/* Where a text goes. Written twice: first to be measured (at is NULL). */
struct proc_text {
    char *at;
    size_t size; /* bytes written, or that would be */
    size_t room;
    uint64_t seen; /* halvm/shortage: those that the text counted */
};

void proc_put(struct proc_text *text, const char *bytes, size_t size);

/* A line or less: at most 200 bytes. */
#define PROC_PRINT(text, ...)                                                  \
    do {                                                                       \
        char proc_line[200];                                                   \
        int proc_size =                                                        \
            core_format(proc_line, sizeof(proc_line), __VA_ARGS__);            \
        proc_put(text, proc_line, (size_t)proc_size);                          \
    } while (0)

/* number: the thread's, in folders that are about one. */
void proc_write_maps(struct proc_text *text, int number);
void proc_write_status(struct proc_text *text, int number);
void proc_write_stat(struct proc_text *text, int number);
void proc_write_statm(struct proc_text *text, int number);
void proc_write_command_line(struct proc_text *text, int number);
void proc_write_environment(struct proc_text *text, int number);
void proc_write_comm(struct proc_text *text, int number);
void proc_write_mounts(struct proc_text *text, int number);
void proc_write_limits(struct proc_text *text, int number);
void proc_write_memory(struct proc_text *text, int number);
void proc_write_processors(struct proc_text *text, int number);
void proc_write_system_stat(struct proc_text *text, int number);
void proc_write_uptime(struct proc_text *text, int number);
void proc_write_load(struct proc_text *text, int number);
void proc_write_version(struct proc_text *text, int number);
void proc_write_halvm(struct proc_text *text, int number);
void proc_write_accounts(struct proc_text *text, int number);
void proc_write_shortage(struct proc_text *text, int number);
void proc_write_fault(struct proc_text *text, int number);
void proc_write_rollup(struct proc_text *text, int number);
void proc_write_system_name(struct proc_text *text, int number);
void proc_write_release(struct proc_text *text, int number);
void proc_write_host_name(struct proc_text *text, int number);
void proc_write_boot_id(struct proc_text *text, int number);
void proc_write_uuid(struct proc_text *text, int number);
void proc_write_pid_max(struct proc_text *text, int number);
void proc_write_overcommit(struct proc_text *text, int number);
void proc_write_map_max(struct proc_text *text, int number);
void proc_write_backlog(struct proc_text *text, int number);

#endif
