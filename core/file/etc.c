/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /etc: the few files that libc and common libraries ask for, where the
 * initrd has none of that name; and file_provide, by which the network writes
 * resolv.conf. Monitor held.
 */
#include <sys/utsname.h>

#include "core/calls.h"
#include "core/file/node.h"
#include "core/mem/mem.h"

static const struct {
    const char *name;
    const char *text;
} files[] = {
    {"passwd", "root:x:0:0:root:/root:/bin/sh\n"
               "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"group", "root:x:0:\nnogroup:x:65534:\n"},
    {"hosts", "127.0.0.1\tlocalhost\n"
              "::1\tlocalhost ip6-localhost ip6-loopback\n"},
    {"protocols", "ip\t0\tIP\nicmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\n"
                  "ipv6\t41\tIPv6\nipv6-icmp\t58\tIPv6-ICMP\n"},
    {"services", "echo\t7/tcp\necho\t7/udp\nftp\t21/tcp\nssh\t22/tcp\n"
                 "smtp\t25/tcp\ndomain\t53/tcp\ndomain\t53/udp\n"
                 "http\t80/tcp\npop3\t110/tcp\nntp\t123/udp\n"
                 "imap2\t143/tcp\nldap\t389/tcp\nhttps\t443/tcp\n"
                 "https\t443/udp\nsyslog\t514/udp\nmysql\t3306/tcp\n"
                 "postgresql\t5432/tcp\nhttp-alt\t8080/tcp\n"},
};

/* A file that reads text in place. */
static int make_file(struct file_node *directory, const char *name,
                     const char *text)
{
    if (node_entry(directory, name, strlen(name)))
        return 0;
    struct file_node *node = node_new(S_IFREG | 0644);
    if (!node)
        return -ENOMEM;
    node->content.base = text;
    node->content.base_size = node->content.size = strlen(text);
    int error = node_link(directory, name, strlen(name), node, true);
    node_put(node);
    return error;
}

static int write_all(struct file_node *node, const void *data, size_t size)
{
    const struct iovec one = {(void *)(uintptr_t)data, size};

    content_resize(&node->content, 0);
    long done = content_write(&node->content, 0, &one, 1);
    node_touch(node);
    return done == (long)size ? 0 : -ENOSPC;
}

static int make_host_name(struct file_node *directory)
{
    struct utsname name;

    if (node_entry(directory, "hostname", 8) || core_uname((long)&name) < 0)
        return 0;
    size_t size = strlen(name.nodename);
    name.nodename[size++] = '\n'; /* its room is 65 bytes, the name's 64 */
    struct file_node *node = node_new(S_IFREG | 0644);
    if (!node)
        return -ENOMEM;
    int error = write_all(node, name.nodename, size);
    if (error == 0)
        error = node_link(directory, "hostname", 8, node, true);
    node_put(node);
    return error;
}

int etc_make_nodes(struct file_node *root)
{
    int error = 0;
    struct file_node *directory = node_make_path("etc", 3, 0755);

    if (!directory)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && error == 0; i++)
        error = make_file(directory, files[i].name, files[i].text);
    if (error == 0)
        error = make_host_name(directory);
    node_put(directory);
    return error;
}

int file_provide(const char *path, const void *data, size_t size)
{
    struct path found;
    int error = path_find_core(path, PATH_FOLLOW | PATH_PARENT, &found);

    if (error < 0)
        return error;
    struct file_node *node = found.node;
    error = 0;
    if (!node) {
        error = -ENOSPC;
        node = node_new(S_IFREG | 0644);
        if (node)
            error = node_link(found.parent, found.name, found.name_size, node,
                              false);
        found.node = node;
    } else if (!S_ISREG(node->mode) || node->ops) {
        error = -EISDIR;
    } else if (node->archived) {
        error = -EEXIST;
    }
    if (error == 0)
        error = write_all(node, data, size);
    path_put(&found);
    return error;
}
