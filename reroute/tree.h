/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tree of files in memory: what tree.c (nodes and names) and tree_open.c
 * (open files) share. All with tree_lock but for what is said.
 */
#ifndef REROUTE_TREE_H
#define REROUTE_TREE_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "halvm/file.h"
#include "reroute/service.h"

#define FILE_SIZE_MAX (1ll << 32) /* bytes of one file */

struct node {
    struct node *next; /* in its directory */
    struct node *children;
    struct halvm_tree *tree;
    ino_t inode;
    mode_t mode;
    struct timespec changed;
    bool served;
    unsigned references; /* its name, and one an open file */
    unsigned char *data;
    size_t size, room;
    char name[];
};

struct halvm_tree {
    struct halvm_file_provider provider;
    struct node *root;
    struct halvm_service *service;
    int flags;
    ino_t last_inode;
};

extern pthread_mutex_t tree_lock;

static inline bool tree_writable(const struct halvm_tree *tree)
{
    return tree->flags & HALVM_TREE_WRITABLE;
}

static inline void tree_touch(struct node *node)
{
    clock_gettime(CLOCK_REALTIME, &node->changed);
}

/* -- tree.c -- */

/* Room for size bytes, zeros behind what is there. 0 or -ENOSPC. */
int tree_grow(unsigned char **data, size_t *room, size_t size);
/* What is at offset, at most size bytes; returns how many. */
long tree_copy(void *to, size_t size, const unsigned char *data,
               size_t data_size, off_t offset);
void tree_node_put(struct node *node);
/* The node at path, or NULL; *parent (NULL: there is none) and *last are where
 * it is or would be. */
struct node *tree_find(struct halvm_tree *tree, const char *path,
                       struct node **parent, const char **last);
/* A new node under its parent. 0 or -errno. */
int tree_make(struct node *parent, const char *name, mode_t mode,
              struct node **out);
int tree_resize(struct node *node, off_t size);
/* HALVM_FILE_CHANGE; without the lock. */
void tree_tell(struct halvm_tree *tree, int change, const char *path,
               const char *other);

/* -- tree_open.c: functions of the provider -- */

int tree_open(void *context, const char *path, mode_t mode,
              struct halvm_file *file);
void tree_close(void *context, struct halvm_file *file);
long tree_read(void *context, struct halvm_file *file, void *buffer,
               size_t size, off_t offset);
long tree_write(void *context, struct halvm_file *file, const void *buffer,
                size_t size, off_t offset);
int tree_sync(void *context, struct halvm_file *file);

#endif
