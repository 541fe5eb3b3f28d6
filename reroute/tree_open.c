/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files of a tree (tree.h). Of a served node each has what the service has
 * answered so far, and is in the list of those that wait for more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "reroute/tree.h"

/* An open file; of a served one, in the list of those that wait. */
struct opened {
    struct opened *next;
    struct service_client client;
    struct halvm_service *service;
    struct node *node;
    struct halvm_file *file;
    uint64_t id;
    unsigned char *data; /* the answer so far */
    size_t size, room;
    bool complete, written;
    int error;
    char path[];
};

static struct opened *served_files;
static uint64_t last_id;

static void failed(struct service_client *client)
{
    struct opened *opened =
        (struct opened *)(void *)((char *)client -
                                  offsetof(struct opened, client));

    pthread_mutex_lock(&tree_lock);
    opened->error = EIO;
    opened->complete = true;
    halvm_file_ready(opened->file, 1);
    pthread_mutex_unlock(&tree_lock);
}

/* Asks the service for the content; with nothing locked. */
static int begin_served(struct halvm_tree *tree, struct opened *opened)
{
    struct halvm_event event = {.kind = HALVM_FILE_OPEN, .fd = -1};
    int result;

    if (!tree->service)
        return -EIO;
    opened->service = tree->service;
    opened->client.ended = failed;
    pthread_mutex_lock(&tree_lock);
    opened->id = ++last_id;
    opened->next = served_files;
    served_files = opened;
    if ((opened->file->flags & O_ACCMODE) != O_WRONLY)
        halvm_file_ready(opened->file, 0);
    pthread_mutex_unlock(&tree_lock);
    if (service_client_add(tree->service, &opened->client) < 0)
        return -EIO;
    event.id = opened->id;
    event.number[0] = opened->file->flags;
    result =
        service_post(tree->service, &event, opened->path, strlen(opened->path));
    return result == -ENETDOWN ? -EIO : result;
}

static void end_served(struct opened *opened)
{
    struct halvm_event event = {
        .kind = HALVM_FILE_CLOSE, .fd = -1, .id = opened->id};

    service_client_remove(opened->service, &opened->client);
    pthread_mutex_lock(&tree_lock);
    for (struct opened **at = &served_files; *at; at = &(*at)->next)
        if (*at == opened) {
            *at = opened->next;
            break;
        }
    pthread_mutex_unlock(&tree_lock);
    service_post(opened->service, &event, NULL, 0);
    service_unref(opened->service);
}

int tree_open(void *context, const char *path, mode_t mode,
              struct halvm_file *file)
{
    struct halvm_tree *tree = context;
    struct opened *opened = calloc(1, sizeof *opened + strlen(path) + 1);
    struct node *parent, *node;
    const char *last;
    int result = 0;

    if (!opened)
        return -ENOMEM;
    strcpy(opened->path, path);
    opened->file = file;
    pthread_mutex_lock(&tree_lock);
    node = tree_find(tree, path, &parent, &last);
    /* What file.c has looked at may have changed since then. */
    if (node && (file->flags & O_CREAT) && (file->flags & O_EXCL))
        result = -EEXIST;
    else if (node && S_ISDIR(node->mode))
        result = -EISDIR;
    else if (!node && !(file->flags & O_CREAT))
        result = -ENOENT;
    else if (!node && !tree_writable(tree))
        result = -EROFS;
    else if (!node)
        result = tree_make(parent, parent ? last : "", S_IFREG | mode, &node);
    if (result == 0) {
        node->references++;
        opened->node = node;
    }
    pthread_mutex_unlock(&tree_lock);
    file->data = opened;
    if (result == 0 && node->served) {
        if (tree->service)
            service_ref(tree->service);
        result = begin_served(tree, opened);
        if (result < 0 && opened->service)
            end_served(opened);
    }
    if (result == 0)
        return 0;
    pthread_mutex_lock(&tree_lock);
    if (opened->node)
        tree_node_put(opened->node);
    pthread_mutex_unlock(&tree_lock);
    free(opened->data);
    free(opened);
    return result;
}

void tree_close(void *context, struct halvm_file *file)
{
    struct halvm_tree *tree = context;
    struct opened *opened = file->data;

    if (opened->service)
        end_served(opened);
    else if (opened->written)
        tree_tell(tree, HALVM_FILE_WRITTEN, opened->path, "");
    pthread_mutex_lock(&tree_lock);
    tree_node_put(opened->node);
    pthread_mutex_unlock(&tree_lock);
    free(opened->data);
    free(opened);
}

/* The error that the service has told, once; with the lock. */
static int take_error(struct opened *opened)
{
    int error = opened->error;

    if (!opened->service || !opened->service->ended)
        opened->error = 0;
    return -error;
}

long tree_read(void *context, struct halvm_file *file, void *buffer,
               size_t size, off_t offset)
{
    struct opened *opened = file->data;
    struct node *node = opened->node;
    long result;

    (void)context;
    pthread_mutex_lock(&tree_lock);
    result = take_error(opened);
    if (result == 0 && !opened->service) {
        result = tree_copy(buffer, size, node->data, node->size, offset);
    } else if (result == 0) {
        result = tree_copy(buffer, size, opened->data, opened->size, offset);
        if (result == 0 && !opened->complete) {
            halvm_file_ready(file, 0);
            result = -EAGAIN;
        }
    }
    pthread_mutex_unlock(&tree_lock);
    return result;
}

static long write_served(struct opened *opened, const void *buffer, size_t size,
                         off_t offset)
{
    struct halvm_event event = {.kind = HALVM_FILE_WRITE,
                                .fd = -1,
                                .id = opened->id,
                                .number = {(int64_t)offset}};
    const struct timespec pause = {0, 5000000};
    long result;

    if (size > 1u << 20)
        size = 1u << 20; /* in one event */
    for (;;) {
        result = service_post(opened->service, &event, buffer, size);
        if (result != -ENOBUFS)
            break;
        /* Its queue is full: it is slow. */
        if (opened->file->flags & O_NONBLOCK)
            return -EAGAIN;
        result = service_wait(opened->service);
        if (result < 0)
            break;
        nanosleep(&pause, NULL);
        service_waited(opened->service);
    }
    if (result == -ENETDOWN)
        return -EIO;
    return result < 0 ? result : (long)size;
}

long tree_write(void *context, struct halvm_file *file, const void *buffer,
                size_t size, off_t offset)
{
    struct opened *opened = file->data;
    struct node *node = opened->node;
    long result;

    (void)context;
    pthread_mutex_lock(&tree_lock);
    result = take_error(opened);
    if (result == 0 && !opened->service) {
        if (file->flags & O_APPEND)
            offset = (off_t)node->size;
        uint64_t end = (uint64_t)offset + size;
        result = 0;
        if (end > (uint64_t)FILE_SIZE_MAX)
            result = -EFBIG;
        else if (end > node->size)
            result = tree_resize(node, (off_t)end);
        if (result == 0) {
            memcpy(node->data + offset, buffer, size);
            tree_touch(node);
            opened->written = true;
            result = (long)size;
        }
        pthread_mutex_unlock(&tree_lock);
        return result;
    }
    pthread_mutex_unlock(&tree_lock);
    return result < 0 ? result : write_served(opened, buffer, size, offset);
}

int tree_sync(void *context, struct halvm_file *file)
{
    int result;

    (void)context;
    pthread_mutex_lock(&tree_lock);
    result = take_error(file->data);
    pthread_mutex_unlock(&tree_lock);
    return result;
}

/* -- what the service answers -- */

static struct opened *opened_find(struct halvm_service *service, uint64_t id)
{
    for (struct opened *opened = served_files; opened; opened = opened->next)
        if (opened->id == id && opened->service == service)
            return opened;
    return NULL;
}

int halvm_file_answer(struct halvm_service *service, uint64_t id,
                      const void *data, size_t size, int last)
{
    struct opened *opened;
    int result = -ESRCH;

    pthread_mutex_lock(&tree_lock);
    opened = opened_find(service, id);
    if (opened && !opened->complete) {
        result = tree_grow(&opened->data, &opened->room, opened->size + size);
        if (result == 0) {
            memcpy(opened->data + opened->size, data, size);
            opened->size += size;
            opened->complete = last != 0;
            if (size > 0 || last)
                halvm_file_ready(opened->file, 1);
        }
    }
    pthread_mutex_unlock(&tree_lock);
    return result == -ENOSPC ? -ENOMEM : result;
}

int halvm_file_fail(struct halvm_service *service, uint64_t id, int error)
{
    struct opened *opened;

    if (error <= 0 || error > 4095)
        return -EINVAL;
    pthread_mutex_lock(&tree_lock);
    opened = opened_find(service, id);
    if (opened) {
        opened->error = error;
        opened->complete = true;
        halvm_file_ready(opened->file, 1);
    }
    pthread_mutex_unlock(&tree_lock);
    return opened ? 0 : -ESRCH;
}
