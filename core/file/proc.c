/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /proc: a table of folders, links and texts. Nothing of it is in memory
 * until it is looked up; a text is written when it is opened and whenever it is
 * read from its beginning, so that one reader sees one moment. Monitor held.
 */
#include "core/file/proc.h"

#include <dirent.h>
#include <unistd.h>

#include "core/file/node.h"
#include "core/file/table.h"
#include "core/mem/fault.h"
#include "core/mem/mem.h"
#include "core/thread/thread.h"

enum folder {
    FOLDER_ROOT,
    FOLDER_PROCESS,
    FOLDER_FD,
    FOLDER_TASK,
    FOLDER_THREAD,
    FOLDER_SYS,
    FOLDER_KERNEL,
    FOLDER_RANDOM,
    FOLDER_VM,
    FOLDER_NET,
    FOLDER_CORE,
    FOLDER_HALVM,
    NOT_A_FOLDER
};

struct item {
    enum folder in;
    enum folder is;
    const char *name; /* NULL: any of the numbers in that folder */
    void (*write)(struct proc_text *text, int number); /* a text */
    /* A link: bytes of its target, or -errno. */
    long (*readlink)(int number, char *buffer, size_t size);
};

static long link_self(int number, char *buffer, size_t size)
{
    return core_format(buffer, size, "%d", THREAD_PID);
}

/* The image has no place in the tree; this is what it was called. */
static long link_exe(int number, char *buffer, size_t size)
{
    const char *name = core_option("name");

    if (!name || !*name)
        name = "halvm";
    return core_format(buffer, size, "%s%s", *name == '/' ? "" : "/", name);
}

static long node_target_path(struct file_node *node, char *buffer, size_t size)
{
    int error;
    char *at = node_path(node, buffer, size, &error);
    if (!at)
        return error;
    size_t length = strlen(at);
    memmove(buffer, at, length);
    return (long)length;
}

static long link_cwd(int number, char *buffer, size_t size)
{
    return node_target_path(path_working_directory(), buffer, size);
}

static long link_root(int number, char *buffer, size_t size)
{
    return core_format(buffer, size, "/");
}

static long link_fd(int number, char *buffer, size_t size)
{
    struct file *file = file_slot(number);

    if (!file)
        return -ENOENT;
    if (file->node) {
        long length = node_target_path(file->node, buffer, size);
        return length >= 0 ? length
                           : core_format(buffer, size, "/unnamed (deleted)");
    }
    const char *name = file->ops->name ? file->ops->name : "file";
    if (*name == '/')
        return core_format(buffer, size, "%s", name);
    if (*name == '[')
        return core_format(buffer, size, "anon_inode:%s", name);
    return core_format(buffer, size, "%s:[%lu]", name,
                       (unsigned long)(uintptr_t)file->private >> 4);
}

#define FOLDER(in, name, is)                                                   \
    {                                                                          \
        in, is, name, NULL, NULL                                               \
    }
#define TEXT(in, name, write)                                                  \
    {                                                                          \
        in, NOT_A_FOLDER, name, write, NULL                                    \
    }
#define LINK(in, name, readlink)                                               \
    {                                                                          \
        in, NOT_A_FOLDER, name, NULL, readlink                                 \
    }

static const struct item items[] = {
    LINK(FOLDER_ROOT, "self", link_self),
    FOLDER(FOLDER_ROOT, "1", FOLDER_PROCESS),
    FOLDER(FOLDER_ROOT, "sys", FOLDER_SYS),
    TEXT(FOLDER_ROOT, "meminfo", proc_write_memory),
    TEXT(FOLDER_ROOT, "cpuinfo", proc_write_processors),
    TEXT(FOLDER_ROOT, "stat", proc_write_system_stat),
    TEXT(FOLDER_ROOT, "uptime", proc_write_uptime),
    TEXT(FOLDER_ROOT, "loadavg", proc_write_load),
    TEXT(FOLDER_ROOT, "version", proc_write_version),
    TEXT(FOLDER_ROOT, "mounts", proc_write_mounts),
    FOLDER(FOLDER_ROOT, "halvm", FOLDER_HALVM),
    TEXT(FOLDER_HALVM, "status", proc_write_halvm),
    TEXT(FOLDER_HALVM, "memory", proc_write_accounts),
    TEXT(FOLDER_HALVM, "shortage", proc_write_shortage),
    TEXT(FOLDER_HALVM, "fault", proc_write_fault),
    LINK(FOLDER_PROCESS, "exe", link_exe),
    LINK(FOLDER_PROCESS, "cwd", link_cwd),
    LINK(FOLDER_PROCESS, "root", link_root),
    FOLDER(FOLDER_PROCESS, "fd", FOLDER_FD),
    FOLDER(FOLDER_PROCESS, "task", FOLDER_TASK),
    TEXT(FOLDER_PROCESS, "maps", proc_write_maps),
    TEXT(FOLDER_PROCESS, "status", proc_write_status),
    TEXT(FOLDER_PROCESS, "stat", proc_write_stat),
    TEXT(FOLDER_PROCESS, "statm", proc_write_statm),
    TEXT(FOLDER_PROCESS, "smaps_rollup", proc_write_rollup),
    TEXT(FOLDER_PROCESS, "cmdline", proc_write_command_line),
    TEXT(FOLDER_PROCESS, "environ", proc_write_environment),
    TEXT(FOLDER_PROCESS, "comm", proc_write_comm),
    TEXT(FOLDER_PROCESS, "mounts", proc_write_mounts),
    TEXT(FOLDER_PROCESS, "limits", proc_write_limits),
    LINK(FOLDER_FD, NULL, link_fd),
    FOLDER(FOLDER_TASK, NULL, FOLDER_THREAD),
    TEXT(FOLDER_THREAD, "comm", proc_write_comm),
    TEXT(FOLDER_THREAD, "stat", proc_write_stat),
    TEXT(FOLDER_THREAD, "status", proc_write_status),
    FOLDER(FOLDER_SYS, "kernel", FOLDER_KERNEL),
    FOLDER(FOLDER_SYS, "vm", FOLDER_VM),
    FOLDER(FOLDER_SYS, "net", FOLDER_NET),
    FOLDER(FOLDER_NET, "core", FOLDER_CORE),
    TEXT(FOLDER_CORE, "somaxconn", proc_write_backlog),
    FOLDER(FOLDER_KERNEL, "random", FOLDER_RANDOM),
    TEXT(FOLDER_KERNEL, "ostype", proc_write_system_name),
    TEXT(FOLDER_KERNEL, "osrelease", proc_write_release),
    TEXT(FOLDER_KERNEL, "hostname", proc_write_host_name),
    TEXT(FOLDER_KERNEL, "pid_max", proc_write_pid_max),
    TEXT(FOLDER_RANDOM, "boot_id", proc_write_boot_id),
    TEXT(FOLDER_RANDOM, "uuid", proc_write_uuid),
    TEXT(FOLDER_VM, "overcommit_memory", proc_write_overcommit),
    TEXT(FOLDER_VM, "max_map_count", proc_write_map_max),
};
#define ITEMS (sizeof(items) / sizeof(items[0]))

/* -- texts -- */

static struct mem_pool text_pool =
    MEM_POOL(struct proc_text, MEM_CORE, LIMIT_DESCRIPTORS);

void proc_put(struct proc_text *text, const char *bytes, size_t size)
{
    if (text->at && text->size + size <= text->room)
        memcpy(text->at + text->size, bytes, size);
    text->size += size;
}

static size_t text_pages(const struct proc_text *text)
{
    return text->room / LIMIT_PAGE_SIZE;
}

static struct proc_text *text_of(struct file *file)
{
    return file->private;
}

static long text_data_at(struct file *file, off_t offset, const void **data)
{
    const struct proc_text *text = text_of(file);

    if ((size_t)offset >= text->size)
        return 0;
    *data = text->at + offset;
    return (long)(text->size - (size_t)offset);
}

static int text_fill(struct proc_text *text, const struct item *item,
                     int number);

static long text_readv(struct file *file, const struct iovec *iov, int count,
                       off_t *offset)
{
    struct proc_text *text = text_of(file);
    const void *data;
    size_t size = file_iov_total(iov, count);

    if (*offset == 0) {
        int error =
            text_fill(text, file->node->made_item, file->node->made_number);
        if (error < 0)
            return error;
    }
    long left = text_data_at(file, *offset, &data);
    if (left <= 0)
        return left;
    if (size > (size_t)left)
        size = (size_t)left;
    if (file_copy_out(iov, count, 0, data, size) < 0)
        return -EFAULT;
    *offset += (off_t)size;
    return (long)size;
}

/* The texts that can be written: comm names the thread, and halvm/fault says
 * what is to fail. What is too long is cut. */
static bool is_writable(const struct item *item)
{
    return item->write == proc_write_comm || item->write == proc_write_fault;
}

static long text_writev(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    const struct item *item = file->node->made_item;
    struct thread *thread = thread_find(file->node->made_number);
    size_t size = file_iov_total(iov, count);
    char line[32] = "";
    size_t room =
        item->write == proc_write_comm ? sizeof(thread->name) : sizeof(line);
    size_t part = size < room - 1 ? size : room - 1;

    if (file_copy_in(line, iov, count, 0, part) < 0)
        return -EFAULT;
    if (part > 0 && line[part - 1] == '\n')
        line[part - 1] = '\0';
    if (item->write == proc_write_fault) {
        int error = mem_fault_set(line);
        return error < 0 ? error : (long)size;
    }
    if (!thread)
        return -ESRCH;
    memcpy(thread->name, line, sizeof(thread->name));
    return (long)size;
}

static off_t text_lseek(struct file *file, off_t offset, int whence)
{
    if (whence == SEEK_CUR)
        offset += file->offset;
    else if (whence != SEEK_SET)
        return -EINVAL;
    if (offset < 0)
        return -EINVAL;
    return file->offset = offset;
}

static bool is_watched(const struct item *item)
{
    return item->write == proc_write_shortage;
}

/* As Linux's kernfs does it (memory.events of a control group): always ready,
 * and POLLPRI when there is news since it was read from its beginning. */
static uint32_t text_poll(struct file *file, struct file_poller *poller)
{
    uint32_t events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

    if (!is_watched(file->node->made_item))
        return events;
    file_poll_wait(poller, &mem_shortage_wait);
    if (text_of(file)->seen != mem_shortages)
        events |= POLLPRI | POLLERR;
    return events;
}

static void text_release(struct file *file)
{
    struct proc_text *text = text_of(file);

    if (is_watched(file->node->made_item))
        mem_shortage_ignore();
    if (text->at)
        mem_pages_put(MEM_CORE, text->at, text_pages(text));
    mem_pool_put(&text_pool, text);
}

static const struct file_ops text_ops = {
    .name = "proc",
    .readv = text_readv,
    .writev = text_writev,
    .lseek = text_lseek,
    .poll = text_poll,
    .data_at = text_data_at,
    .release = text_release,
};

/* Writes an item's text, in the pages that there are if it fits: a file that
 * was opened in time can be read when memory is used up. The second time it
 * cannot be longer, as nothing ran between. */
static int text_fill(struct proc_text *text, const struct item *item,
                     int number)
{
    text->size = 0;
    item->write(text, number);
    if (text->size <= text->room)
        return 0;
    size_t pages = (text->size + LIMIT_PAGE_SIZE - 1) / LIMIT_PAGE_SIZE;
    char *larger = mem_pages_get(MEM_CORE, pages);
    if (!larger) {
        text->size = 0; /* there is no room for so much */
        return -ENOMEM;
    }
    if (text->at)
        mem_pages_put(MEM_CORE, text->at, text_pages(text));
    text->at = larger;
    text->room = pages * LIMIT_PAGE_SIZE;
    text->size = 0;
    item->write(text, number);
    if (text->size > text->room)
        text->size = text->room;
    return 0;
}

static struct file *text_open(const struct item *item, int number, int flags,
                              int *error)
{
    struct proc_text *text = mem_pool_get(&text_pool);

    *error = -ENOMEM;
    if (!text)
        return NULL;
    *error = text_fill(text, item, number);
    struct file *file = *error < 0 ? NULL : file_new(&text_ops, flags, text);
    if (!file) {
        if (*error == 0)
            *error = file_new_error();
        if (text->at)
            mem_pages_put(MEM_CORE, text->at, text_pages(text));
        mem_pool_put(&text_pool, text);
        return NULL;
    }
    if (is_watched(item))
        mem_shortage_watch();
    return file;
}

/* -- nodes -- */

static const struct node_ops link_ops, magic_ops, file_ops, folder_ops;

static const struct item *item_of(const struct file_node *node)
{
    return node->made_item;
}

static struct file_node *make(struct file_node *directory,
                              const struct item *item, int number, int *error)
{
    mode_t mode = S_IFREG | 0444;
    const struct node_ops *ops = &file_ops;

    if (item->is != NOT_A_FOLDER) {
        mode = S_IFDIR | 0555;
        ops = &folder_ops;
    } else if (item->readlink) {
        mode = S_IFLNK | 0777;
        ops = item->name ? &link_ops : &magic_ops;
    } else if (is_writable(item)) {
        mode = S_IFREG | 0644;
    }
    struct file_node *node = node_new(mode);
    if (!node) {
        *error = -ENOMEM;
        return NULL;
    }
    node->ops = ops;
    node->links = S_ISDIR(mode) ? 2 : 1;
    node->made_item = item;
    node->made_number = number;
    node->made_parent = node_ref(directory);
    /* The same each time it is looked up. */
    node->ino =
        1ull << 32 | (uint64_t)number << 8 | (uint64_t)(item - items + 1);
    return node;
}

/* A number without leading zeros, or -1. */
static int number_of(const char *name, size_t size)
{
    int number = 0;

    if (size == 0 || size > 9 || (name[0] == '0' && size > 1))
        return -1;
    for (size_t i = 0; i < size; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        number = number * 10 + (name[i] - '0');
    }
    return number;
}

static bool number_exists(enum folder in, int number)
{
    if (number < 0)
        return false;
    return in == FOLDER_FD ? file_slot(number) != NULL
                           : thread_find(number) != NULL;
}

static enum folder folder_of(const struct file_node *directory)
{
    return item_of(directory) ? item_of(directory)->is : FOLDER_ROOT;
}

static struct file_node *folder_lookup(struct file_node *directory,
                                       const char *name, size_t size,
                                       int *error)
{
    enum folder in = folder_of(directory);

    for (size_t i = 0; i < ITEMS; i++) {
        const struct item *item = &items[i];
        if (item->in != in)
            continue;
        int number = directory->made_number;
        if (in == FOLDER_ROOT || in == FOLDER_PROCESS)
            number = THREAD_PID;
        if (!item->name) {
            number = number_of(name, size);
            if (number_exists(in, number))
                return make(directory, item, number, error);
        } else if (strlen(item->name) == size &&
                   memcmp(item->name, name, size) == 0) {
            return make(directory, item, number, error);
        }
    }
    return NULL;
}

/* The index'th number in a folder of numbers; -1 past the last. */
static int number_at(enum folder in, uint64_t index)
{
    if (in == FOLDER_FD) {
        for (uint32_t fd = 0; fd < file_slot_count; fd++) {
            if (file_slots[fd] && index-- == 0)
                return (int)fd;
        }
        return -1;
    }
    list_for_each (item, &thread_list) {
        if (index-- == 0)
            return container_of(item, struct thread, all)->tid;
    }
    return -1;
}

static bool folder_list(struct file_node *directory, uint64_t index, char *name,
                        unsigned char *type)
{
    enum folder in = folder_of(directory);

    for (size_t i = 0; i < ITEMS; i++) {
        const struct item *item = &items[i];
        if (item->in != in)
            continue;
        *type = item->is != NOT_A_FOLDER ? DT_DIR
                : item->readlink         ? DT_LNK
                                         : DT_REG;
        if (!item->name) {
            int number = number_at(in, index);
            core_format(name, LIMIT_NAME_SIZE, "%d", number);
            return number >= 0;
        }
        if (index-- == 0) {
            memcpy(name, item->name, strlen(item->name) + 1);
            return true;
        }
    }
    return false;
}

static size_t made_name(struct file_node *node, char *buffer)
{
    const struct item *item = item_of(node);
    if (!item->name)
        return (size_t)core_format(buffer, LIMIT_NAME_SIZE, "%d",
                                   node->made_number);
    memcpy(buffer, item->name, strlen(item->name));
    return strlen(item->name);
}

static struct file *file_open(struct file_node *node, int flags, int *error)
{
    return text_open(item_of(node), node->made_number, flags, error);
}

static struct file *folder_open(struct file_node *node, int flags, int *error)
{
    *error = file_new_error();
    return file_new(&directory_ops, flags, NULL);
}

static long link_read(struct file_node *node, char *buffer, size_t size)
{
    return item_of(node)->readlink(node->made_number, buffer, size);
}

static struct file *link_magic(struct file_node *node)
{
    return file_slot(node->made_number);
}

static const struct node_ops folder_ops = {
    .fixed = true,
    .lookup = folder_lookup,
    .list = folder_list,
    .open = folder_open,
    .name = made_name,
};
static const struct node_ops file_ops = {.open = file_open, .name = made_name};
static const struct node_ops link_ops = {.readlink = link_read,
                                         .name = made_name};
static const struct node_ops magic_ops = {
    .readlink = link_read, .magic = link_magic, .name = made_name};

int proc_make_nodes(struct file_node *root)
{
    struct file_node *node = node_make_path("proc", 4, 0555);
    if (!node)
        return -ENOMEM;
    node->ops = &folder_ops;
    node_put(node);
    return 0;
}
