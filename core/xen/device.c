/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The nodes of /dev/xen, which are there in a guest of Xen only, and made when
 * they are looked up. Monitor held.
 */
#include <dirent.h>
#include <sys/sysmacros.h>

#include "core/mem/device.h"
#include "core/xen/xen.h"

#define MAJOR_MISC 10 /* Linux gives these a dynamic minor */

static const struct {
    const char *name;
    struct file *(*open)(int flags, int *error);
} devices[] = {
    {"xenbus", xen_store_open},
    {"evtchn", xen_event_open},
    {"gntalloc", xen_share_open},
    {"gntdev", xen_map_open},
};
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

static void ready(void)
{
    xen_event_ready();
    xen_store_ready();
}

static bool unmap(uint64_t start, uint64_t size, long *result)
{
    return xen_share_unmap(start, size, result) ||
           xen_map_unmap(start, size, result);
}

const struct base_xen *xen_base(void)
{
    base_uses_xen();
    return core_base->xen();
}

static struct file *device_open(struct file_node *node, int flags, int *error)
{
    core_xen_ready = ready;
    mem_device_unmap = unmap;
    return devices[node->made_number].open(flags, error);
}

static size_t device_name(struct file_node *node, char *buffer)
{
    const char *name = devices[node->made_number].name;

    memcpy(buffer, name, strlen(name));
    return strlen(name);
}

static const struct node_ops device_node_ops = {
    .open = device_open,
    .name = device_name,
};

static struct file_node *directory_lookup(struct file_node *directory,
                                          const char *name, size_t size,
                                          int *error)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        struct file_node *node;

        if (strlen(devices[i].name) != size ||
            memcmp(devices[i].name, name, size) != 0)
            continue;
        node = node_new(S_IFCHR | 0600);
        if (!node) {
            *error = -ENOMEM;
            return NULL;
        }
        node->ops = &device_node_ops;
        node->links = 1;
        node->made_number = (int)i;
        node->made_parent = node_ref(directory);
        node->ino = 1024 + i;
        node->rdev = makedev(MAJOR_MISC, 240 + i);
        return node;
    }
    return NULL;
}

static bool directory_list(struct file_node *directory, uint64_t index,
                           char *name, unsigned char *type)
{
    if (index >= DEVICES)
        return false;
    strcpy(name, devices[index].name);
    *type = DT_CHR;
    return true;
}

static size_t directory_name(struct file_node *node, char *buffer)
{
    memcpy(buffer, "xen", 3);
    return 3;
}

static const struct node_ops directory_node_ops = {
    .fixed = true,
    .lookup = directory_lookup,
    .list = directory_list,
    .name = directory_name,
};

struct file_node *xen_directory(int *error)
{
    struct file_node *node;

    if (xen_base() == NULL)
        return NULL;
    node = node_new(S_IFDIR | 0755);
    if (!node) {
        *error = -ENOMEM;
        return NULL;
    }
    node->ops = &directory_node_ops;
    node->links = 2;
    node->ino = 1023;
    return node;
}
