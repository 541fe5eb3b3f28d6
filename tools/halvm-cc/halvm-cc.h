/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm-cc: gcc's arguments in, gcc run with our headers, start files and
 * libraries. main.c finds out what is asked, arguments.c rewrites the
 * arguments, run.c runs gcc, explain.c says why it failed.
 */
#ifndef HALVM_CC_H
#define HALVM_CC_H

#include "../words.h"

/* Where a failed halvm-cc of its own accord exits (gcc's own is 1, too). */
#define CC_STATUS_ERROR 1

/* Linking such a command line needs a response file: Linux refuses a vector
 * of about 2 MiB, and one word of 128 KiB. */
#define CC_ARGUMENTS_SIZE_MAX 100000

enum cc_task {
    CC_COMPILE, /* -c, -S, -E, -M...: no link */
    CC_LINK,    /* an executable comes out */
    CC_HOST,    /* shared objects, questions: gcc as it is */
    CC_MACHINE, /* -dumpmachine */
};

struct cc_job {
    enum cc_task task;
    bool cxx;        /* halvm-c++: g++ is run */
    bool cxx_source; /* the same, or a C++ file is named */
    bool codegen;    /* -mhalvm-codegen: the image makes code at run time */
    bool no_lwip;    /* -mhalvm-no-lwip: the program has a network of its own */
    const char *governor; /* folder of Haskell's memory governor, or NULL */
    bool ungoverned;      /* -mhalvm-no-governor */
    const char *runtime;  /* GHC's runtime among the libraries, or NULL */
    bool has_input;       /* a file or a library is named */
    bool show_only;       /* -###: gcc prints what it would run */
    bool own_headers;     /* -nostdinc was given: ours stay out, too */
    const char *sysroot;
    struct words given;     /* arguments as expanded, argv[0] left out */
    struct words kept;      /* arguments for gcc */
    struct words libraries; /* -lNAME and archives, to be searched again */
};

/* response.c: adds the words of arguments to *to, with every @FILE replaced
 * by the words in it, to any depth that is not endless. */
void cc_expand(struct words *to, int count, char *const *arguments);

/* arguments.c: what is asked for. */
enum cc_task cc_task_of(const struct words *given);
/* arguments.c: fills job->kept and job->libraries from job->given. Returns
 * false after an error message. */
bool cc_filter(struct cc_job *job);
/* arguments.c: whether a word is an option that gcc does not know. */
bool cc_is_own(const char *word);
/* arguments.c: a C++ source is among them. */
bool cc_has_cxx(const struct words *given);

/* run.c: runs gcc, explains failures; returns its status. */
int cc_run(const struct cc_job *job, const struct words *command);

/* explain.c: says in three lines what a failed link's messages mean; text is
 * all of the linker's standard error. */
void cc_explain(const char *text);

#endif
