/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What gcc 12's libgcc_eh.a and libstdc++.a, built against glibc 2.36, want
 * of it: where the unwind table is, and destructors at a thread's end.
 */
#include <elf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"

/* glibc <dlfcn.h>, x86-64: DLFO_STRUCT_HAS_EH_DBASE is 0. */
struct dl_find_object {
    unsigned long long flags;
    void *map_start;
    void *map_end;
    void *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

extern const char __ehdr_start[]; /* the static image, by the linker */
extern const char _end[];

/* The one object there is: the static image. -1 if it has no unwind table or
 * the address is not in it. */
int _dl_find_object(void *address, struct dl_find_object *out)
{
    const Elf64_Ehdr *ehdr = (const void *)__ehdr_start;
    const Elf64_Phdr *phdr = (const void *)(__ehdr_start + ehdr->e_phoff);

    if ((const char *)address < __ehdr_start || (const char *)address >= _end)
        return -1;
    for (int i = 0; i < ehdr->e_phnum; i++)
        if (phdr[i].p_type == PT_GNU_EH_FRAME) {
            memset(out, 0, sizeof *out);
            out->map_start = (void *)(uintptr_t)__ehdr_start;
            out->map_end = (void *)(uintptr_t)_end;
            out->eh_frame = (void *)(uintptr_t)phdr[i].p_vaddr;
            return 0;
        }
    return -1;
}

/* -- thread_local destructors (Itanium C++ ABI, 3.3.6) -- */

struct at_thread_exit {
    struct at_thread_exit *next;
    void (*function)(void *);
    void *object;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local struct at_thread_exit *list;

/* Newest first; one that runs may add more. */
static void run(void *unused)
{
    while (list != NULL) {
        struct at_thread_exit *entry = list;

        list = entry->next;
        entry->function(entry->object);
        free(entry);
    }
}

/* exit(3) ends the main thread without its key's destructor. */
static void run_main(void)
{
    run(NULL);
}

static void make_key(void)
{
    if (pthread_key_create(&key, run) != 0)
        abort();
    atexit(run_main);
}

int __cxa_thread_atexit_impl(void (*function)(void *), void *object,
                             void *dso_handle)
{
    struct at_thread_exit *entry = malloc(sizeof *entry);

    if (entry == NULL)
        return -1;
    pthread_once(&once, make_key);
    entry->next = list;
    entry->function = function;
    entry->object = object;
    list = entry;
    /* Any value but NULL makes pthread_exit call run. */
    return pthread_setspecific(key, &list) == 0 ? 0 : -1;
}
