/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tree: nodes, the names that lead to them, and paths.
 *
 * A node is what stat describes. Its names are entries, each in one
 * directory; a directory has one name, any other node as many as it has hard
 * links. A node lives while something refers to it: one reference for having
 * names, one for each open file, working directory or call at work.
 *
 * A node with node_ops makes its content, or its children, on demand (/proc,
 * disks under /dev); any other is held in memory.
 *
 * Everything is made at the first look-up of a path, by node_root().
 * Monitor held in every function here; none blocks.
 */
#ifndef HALVM_FILE_NODE_H
#define HALVM_FILE_NODE_H

#include "core/file/file.h"

struct pipe;
struct file_node;

/* -- what a regular file holds: core/file/content.c -- */

/*
 * Pages in a tree of fixed fan-out, as high as the size needs; a page that is
 * not there reads as the base (bytes elsewhere that are read in place, for a
 * file of the initrd) as far as that reaches, and as zeros beyond.
 */
struct content {
    uint64_t size;
    void *root;      /* height 0: the first page; else a table */
    uint32_t height; /* tables between root and pages */
    uint32_t pages;  /* data pages here, for st_blocks */
    const char *base;
    uint64_t base_size;
};

#define CONTENT_SIZE_MAX ((uint64_t)INT64_MAX & ~4095ull)

/* A page of zeros. */
extern char content_zeros[LIMIT_PAGE_SIZE];

void content_free(struct content *content);
/* Shorter or longer; 0 or -ENOSPC (a page must be copied to be cut). */
int content_resize(struct content *content, uint64_t size);
/* Moves bytes between vectors and offset; does not change the size when it
 * reads, extends it when it writes. Bytes, or -EFAULT, -ENOSPC, -EFBIG. */
long content_read(const struct content *content, uint64_t offset,
                  const struct iovec *iov, int count);
long content_write(struct content *content, uint64_t offset,
                   const struct iovec *iov, int count);
/* The bytes at offset that lie in one piece: 0 at the end. */
size_t content_at(const struct content *content, uint64_t offset,
                  const void **data);
/* Makes zeros of a range; gives its pages back. 0 or -ENOSPC. */
int content_punch(struct content *content, uint64_t offset, uint64_t size);
/* Gets the pages of a range; the size stays. 0 or -ENOSPC. */
int content_reserve(struct content *content, uint64_t offset, uint64_t size);
/* The first offset >= offset that is data (or a hole, the end included);
 * -ENXIO. */
off_t content_seek(const struct content *content, uint64_t offset, bool data);

/* -- nodes: core/file/node.c -- */

struct node_ops {
    /* A directory in which nothing is made or removed (/proc). */
    bool fixed;
    /* A child that is in no entry, with a reference; or NULL, with *error
     * changed to -ENOMEM if there is one. */
    struct file_node *(*lookup)(struct file_node *directory, const char *name,
                                size_t size, int *error);
    /* The index'th child that is in no entry: writes a name of at most
     * LIMIT_NAME_SIZE bytes and its DT_ type; false past the last. */
    bool (*list)(struct file_node *directory, uint64_t index, char *name,
                 unsigned char *type);
    /* A new open file; NULL with *error. */
    struct file *(*open)(struct file_node *node, int flags, int *error);
    /* Bytes of a symbolic link's target, not terminated; or -errno. */
    long (*readlink)(struct file_node *node, char *buffer, size_t size);
    /* The open file that a link stands for (/proc/self/fd/N), without a
     * reference; or NULL. */
    struct file *(*magic)(struct file_node *node);
    /* A made node's name, not terminated; its size. */
    size_t (*name)(struct file_node *node, char *buffer);
    /* Frees what the node has beyond itself. */
    void (*release)(struct file_node *node);
};

/* A name in a directory. */
struct node_entry {
    struct list siblings; /* in the directory's children, by cookie */
    struct list names;    /* in the node's names */
    struct list hash;
    struct file_node *directory, *node;
    uint64_t cookie; /* grows; what getdents64 calls d_off */
    uint32_t hash_value;
    uint16_t name_size;
    bool name_owned;  /* a long name in a pool of its own */
    const char *name; /* not terminated if it lies in the initrd */
    char name_inline[32];
};

struct file_node {
    const struct node_ops *ops; /* NULL: in memory */
    uint32_t references;
    uint32_t links;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    bool archived; /* came from the initrd and was not changed since */
    bool target_owned;
    uint8_t seals; /* F_SEAL_* of memfd_create; SEALS_NONE: any other file */
    dev_t rdev;
    uint64_t ino;
    uint64_t atime_ns, mtime_ns, ctime_ns;
    struct list names;
    union {
        struct content content;
        struct {
            struct list children;
            uint64_t cookie_next;
            unsigned count; /* of children */
            bool gone;      /* removed: nothing more is made in it */
        } directory;
        struct {
            const char *target;
            uint64_t size;
        } link;
        struct pipe *pipe;
        const struct file_ops *device;
    };
    /* Of a made node: whose child it is (with a reference), and what. */
    struct file_node *made_parent;
    const void *made_item;
    int made_number;
};

#define SEALS_NONE 0xff

/* A node with one reference, times set to now, no name; NULL: no memory. */
struct file_node *node_new(mode_t mode);
struct file_node *node_ref(struct file_node *node);
void node_put(struct file_node *node);

/* The root, with all of the tree made; NULL if there was no memory. */
struct file_node *node_root(void);

/* The child of that name, with a reference; or NULL, with *error 0 if there is
 * none, or -ENOMEM. */
struct file_node *node_lookup(struct file_node *directory, const char *name,
                              size_t size, int *error);
/* The entry of that name, or NULL. */
struct node_entry *node_entry(struct file_node *directory, const char *name,
                              size_t size);
/* Gives a node one more name. in_place: name stays valid for ever. 0,
 * -ENOSPC, -ENAMETOOLONG, -EMLINK. */
int node_link(struct file_node *directory, const char *name, size_t size,
              struct file_node *node, bool in_place);
/* Takes a name away. */
void node_unlink(struct node_entry *entry);
/* The directory that holds this one; itself for the root. No reference. */
struct file_node *node_parent(struct file_node *directory);
/* Sets a symbolic link's target (a copy unless in_place); 0 or -ENOSPC,
 * -ENAMETOOLONG. */
int node_target(struct file_node *node, const char *target, size_t size,
                bool in_place);
/* The path of a node, terminated, written to the end of buffer; where it
 * starts, or NULL with -ENOENT (it has no name) or -ENAMETOOLONG in *error. */
char *node_path(struct file_node *node, char *buffer, size_t size, int *error);

void node_stat(const struct file_node *node, struct stat *out);
/* The same of an open file, for file_ops.stat: core/mem asks there what it is
 * to map. */
int node_file_stat(struct file *file, struct stat *out);
/* The content or the children changed. */
void node_touch(struct file_node *node);
/* Something else about the node changed. */
void node_touch_status(struct file_node *node);

static inline bool node_is_fixed(const struct file_node *node)
{
    return node->ops && node->ops->fixed;
}

static inline bool node_is_directory(const struct file_node *node)
{
    return S_ISDIR(node->mode);
}

/* Opens a node, whatever it is; flags as open(2)'s. NULL with *error.
 * core/file/open.c. */
struct file *node_open(struct file_node *node, int flags, int *error);

/* Operations of open files: core/file/regular.c, core/file/directory.c. */
extern const struct file_ops regular_ops, directory_ops;

/* Fills the tree: core/file/ustar.c, device.c, proc.c, etc.c. 0 or -ENOMEM;
 * a bad archive is a line on the console and what came before it. */
int ustar_unpack(const void *archive, size_t size);
int device_make_nodes(struct file_node *root);
int proc_make_nodes(struct file_node *root);
int etc_make_nodes(struct file_node *root);
/* What a device number of the archive or of /dev stands for; or NULL. */
const struct file_ops *device_find(dev_t device, mode_t *mode);
/* The disk of that index as a node with a reference; or NULL. */
struct file_node *block_node(unsigned index, int *error);

/* Makes what is missing of a path of directories, relative to the root;
 * returns the last with a reference, or NULL (no memory, or something else is
 * in the way). */
struct file_node *node_make_path(const char *path, size_t size, mode_t mode);

/* -- paths: core/file/path.c -- */

#define PATH_FOLLOW    1u  /* a symbolic link at the end is followed */
#define PATH_EMPTY     2u  /* AT_EMPTY_PATH: "" is the descriptor itself */
#define PATH_PARENT    4u  /* the last name need not exist */
#define PATH_SECOND    8u  /* use the second buffer: rename, link */
#define PATH_DIRECTORY 16u /* what is found must be a directory */
#define PATH_CREATE    32u /* O_CREAT: no slash may follow the last name */

/* A path that was looked up. Names lie in a buffer of path.c's until the next
 * look-up with the same buffer. */
struct path {
    struct file_node *parent; /* NULL if the path named no name: "/", "" */
    struct file_node *node;   /* NULL if it does not exist */
    const char *name;
    size_t name_size;
    bool slash;        /* it ended in '/' */
    bool dots;         /* its last name is "." or ".." */
    struct file *file; /* PATH_EMPTY, or a magic link: the open file, with a
                          reference; node may then be NULL */
};

/* 0, or -errno with nothing to put. */
int path_find(int directory_fd, const char *user_path, unsigned flags,
              struct path *out);
/* The same for a path of core's own, from the root. */
int path_find_core(const char *path, unsigned flags, struct path *out);
void path_put(struct path *path);

/* The working directory, and the umask of new nodes. No reference. */
struct file_node *path_working_directory(void);
void path_set_working_directory(struct file_node *directory);
mode_t path_umask(void);
/* A page of path.c's: scratch until the next look-up with PATH_SECOND. */
char *path_scratch(void);

#endif
