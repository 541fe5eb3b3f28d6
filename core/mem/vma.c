/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store of mappings: a balanced (AVL) tree by address in which each node
 * knows the largest gap of its subtree, and a list in the same order.
 *
 * Used by the other files of core/mem. Every operation is O(log n); the
 * recursion is at most about 24 deep at LIMIT_VMAS mappings.
 */
#include "core/file/file.h"
#include "core/mem/vma.h"

uint64_t vma_low, vma_high, vma_base;
uint64_t vma_pages;
unsigned vma_count;

static struct vma *vma_root;
static struct list vma_list = LIST_INIT(vma_list);

/* Nodes. A small program has few mappings: the first nodes are static, so
 * that it does not pay a page for them. Others are from a pool. Free nodes are
 * kept, linked by left, so that an operation finds VMA_PER_STEP of them;
 * those of the pool only while too few static ones are free. */
#define VMA_STATIC 25
static struct vma vma_static[VMA_STATIC];
static struct mem_pool vma_pool =
    MEM_POOL(struct vma, MEM_CORE, LIMIT_VMAS + VMA_PER_STEP + VMA_RESERVED);
static struct vma *static_free, *pool_free;
static unsigned static_count, pool_count;
static unsigned static_fresh; /* static nodes from here on were never used */

static void push(struct vma **list, unsigned *count, struct vma *vma)
{
    vma->left = *list;
    *list = vma;
    (*count)++;
}

static struct vma *pop(struct vma **list, unsigned *count)
{
    struct vma *vma = *list;
    *list = vma->left;
    (*count)--;
    return vma;
}

static void node_free(struct vma *vma)
{
    if (vma >= vma_static && vma < vma_static + VMA_STATIC)
        push(&static_free, &static_count, vma);
    else
        push(&pool_free, &pool_count, vma);
    while (pool_count > 0 &&
           static_count + pool_count > VMA_PER_STEP + VMA_RESERVED)
        mem_pool_put(&vma_pool, pop(&pool_free, &pool_count));
}

static struct vma *node_get(void)
{
    ASSERT(static_count + pool_count > 0); /* vma_prepare was not called */
    struct vma *vma;
    if (static_free == NULL && static_fresh < VMA_STATIC) {
        static_count--;
        vma = &vma_static[static_fresh++];
    } else {
        vma = static_count > 0 ? pop(&static_free, &static_count)
                               : pop(&pool_free, &pool_count);
    }
    memset(vma, 0, sizeof(*vma));
    return vma;
}

void vma_init(uint64_t low, uint64_t high)
{
    vma_low = low;
    vma_high = high;
    vma_base = low;
    vma_root = NULL;
    vma_pages = 0;
    vma_count = 0;
    vma_pool.count = 0;
    vma_pool.pages.next = NULL;
    list_init(&vma_list);
    static_free = pool_free = NULL;
    static_count = VMA_STATIC;
    pool_count = static_fresh = 0;
}

static bool prepare(unsigned nodes)
{
    while (static_count + pool_count < nodes) {
        struct vma *vma = mem_pool_get(&vma_pool);
        if (vma == NULL)
            return false;
        push(&pool_free, &pool_count, vma);
    }
    return true;
}

int vma_prepare(unsigned nodes)
{
    ASSERT(nodes <= VMA_PER_STEP);
    if (vma_count + nodes > LIMIT_VMAS || !prepare(nodes + VMA_RESERVED))
        return -ENOMEM;
    return 0;
}

int vma_prepare_release(unsigned nodes)
{
    ASSERT(nodes <= VMA_RESERVED);
    if (vma_count + nodes > LIMIT_VMAS)
        return -ENOMEM;
    if (!prepare(nodes + VMA_RESERVED) && static_count + pool_count < nodes)
        return -ENOMEM;
    return 0;
}

/* -- the tree --
 * The recursive functions are kept out of line: the compiler would unfold
 * each of them several levels deep. */
#define OUT_OF_LINE __attribute__((noinline))

static int height(const struct vma *vma)
{
    return vma != NULL ? vma->height : 0;
}

static uint64_t gap_max(const struct vma *vma)
{
    return vma != NULL ? vma->gap_max : 0;
}

static uint64_t gap_start(const struct vma *vma)
{
    if (vma->list.prev == &vma_list)
        return vma_low;
    return container_of(vma->list.prev, struct vma, list)->end;
}

static OUT_OF_LINE void update(struct vma *vma)
{
    int left = height(vma->left), right = height(vma->right);
    uint64_t gap = vma->start - gap_start(vma);
    if (gap_max(vma->left) > gap)
        gap = gap_max(vma->left);
    if (gap_max(vma->right) > gap)
        gap = gap_max(vma->right);
    vma->height = (uint8_t)((left > right ? left : right) + 1);
    vma->gap_max = gap;
}

static OUT_OF_LINE struct vma *rotate_right(struct vma *vma)
{
    struct vma *top = vma->left;
    vma->left = top->right;
    top->right = vma;
    update(vma);
    update(top);
    return top;
}

static OUT_OF_LINE struct vma *rotate_left(struct vma *vma)
{
    struct vma *top = vma->right;
    vma->right = top->left;
    top->left = vma;
    update(vma);
    update(top);
    return top;
}

static OUT_OF_LINE struct vma *balance(struct vma *vma)
{
    int lean = height(vma->left) - height(vma->right);
    if (lean > 1) {
        if (height(vma->left->left) < height(vma->left->right))
            vma->left = rotate_left(vma->left);
        return rotate_right(vma);
    }
    if (lean < -1) {
        if (height(vma->right->right) < height(vma->right->left))
            vma->right = rotate_right(vma->right);
        return rotate_left(vma);
    }
    update(vma);
    return vma;
}

static OUT_OF_LINE struct vma *tree_insert(struct vma *top, struct vma *vma)
{
    if (top == NULL) {
        update(vma);
        return vma;
    }
    if (vma->start < top->start)
        top->left = tree_insert(top->left, vma);
    else
        top->right = tree_insert(top->right, vma);
    return balance(top);
}

/* Takes the lowest node out of a subtree that has one. */
static OUT_OF_LINE struct vma *tree_take_first(struct vma *top,
                                               struct vma **first)
{
    if (top->left == NULL) {
        *first = top;
        return top->right;
    }
    top->left = tree_take_first(top->left, first);
    return balance(top);
}

static OUT_OF_LINE struct vma *tree_remove(struct vma *top, struct vma *vma)
{
    ASSERT(top != NULL);
    if (vma->start < top->start) {
        top->left = tree_remove(top->left, vma);
    } else if (vma->start > top->start) {
        top->right = tree_remove(top->right, vma);
    } else {
        ASSERT(top == vma);
        if (top->right == NULL)
            return top->left;
        struct vma *first, *right = tree_take_first(top->right, &first);
        first->left = top->left;
        first->right = right;
        top = first;
    }
    return balance(top);
}

/* The gap below vma has changed: mends the path from the root to it. */
static OUT_OF_LINE void tree_refresh(struct vma *top, const struct vma *vma)
{
    if (vma->start < top->start)
        tree_refresh(top->left, vma);
    else if (vma->start > top->start)
        tree_refresh(top->right, vma);
    update(top);
}

/* -- operations -- */

struct vma *vma_find(uint64_t address)
{
    struct vma *found = NULL;
    for (struct vma *at = vma_root; at != NULL;) {
        if (at->end > address) {
            found = at;
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return found;
}

struct vma *vma_next(const struct vma *vma)
{
    if (vma->list.next == &vma_list)
        return NULL;
    return container_of(vma->list.next, struct vma, list);
}

static void add(struct vma *vma)
{
    struct vma *next = vma_find(vma->start);
    ASSERT(next == NULL || next->start >= vma->end);
    list_insert_before(next != NULL ? &next->list : &vma_list, &vma->list);
    vma_root = tree_insert(vma_root, vma);
    if (next != NULL)
        tree_refresh(vma_root, next);
    vma_count++;
}

static void take(struct vma *vma)
{
    struct vma *next = vma_next(vma);
    list_remove(&vma->list);
    vma_root = tree_remove(vma_root, vma);
    if (next != NULL)
        tree_refresh(vma_root, next);
    vma_count--;
}

struct vma *vma_insert(uint64_t start, uint64_t end, uint32_t prot,
                       uint32_t flags)
{
    ASSERT(start >= vma_low && start < end && end <= vma_high);
    struct vma *vma = node_get();
    vma->start = start;
    vma->end = end;
    vma->prot = (uint8_t)prot;
    vma->flags = (uint8_t)flags;
    add(vma);
    vma_pages += (end - start) / LIMIT_PAGE_SIZE;
    return vma;
}

void vma_remove(struct vma *vma)
{
    take(vma);
    vma_pages -= (vma->end - vma->start) / LIMIT_PAGE_SIZE;
    if (vma->file != NULL)
        file_put(vma->file);
    node_free(vma);
}

static bool cuts(uint64_t address)
{
    const struct vma *vma = vma_find(address);
    return vma != NULL && vma->start < address;
}

unsigned vma_cuts(uint64_t start, uint64_t end)
{
    return (unsigned)cuts(start) + (unsigned)cuts(end);
}

void vma_split(uint64_t address)
{
    struct vma *vma = vma_find(address);
    if (vma == NULL || vma->start >= address)
        return;
    struct vma *upper = node_get();
    upper->start = address;
    upper->end = vma->end;
    upper->prot = vma->prot;
    upper->flags = vma->flags;
    if (vma->file != NULL) {
        upper->file = file_ref(vma->file);
        upper->offset = vma->offset + (int64_t)(address - vma->start);
    }
    vma->end = address;
    add(upper);
}

void vma_set_end(struct vma *vma, uint64_t end)
{
    struct vma *next = vma_next(vma);
    ASSERT(end > vma->start && (next == NULL || end <= next->start));
    vma_pages -= (vma->end - vma->start) / LIMIT_PAGE_SIZE;
    vma_pages += (end - vma->start) / LIMIT_PAGE_SIZE;
    vma->end = end;
    if (next != NULL)
        tree_refresh(vma_root, next);
}

static bool alike(const struct vma *lower, const struct vma *upper)
{
    if (lower->end != upper->start || lower->prot != upper->prot ||
        lower->flags != upper->flags || (lower->flags & VMA_BUSY) ||
        lower->file != upper->file)
        return false;
    return lower->file == NULL ||
           lower->offset + (int64_t)(lower->end - lower->start) ==
               upper->offset;
}

void vma_merge(uint64_t start, uint64_t end)
{
    /* The mapping that ends at start is the first candidate. */
    struct vma *vma = vma_find(start > 0 ? start - 1 : 0);
    while (vma != NULL && vma->start <= end) {
        struct vma *next = vma_next(vma);
        if (next == NULL || next->start > end)
            return;
        if (alike(vma, next)) {
            uint64_t joined = next->end;
            vma_remove(next);
            vma_set_end(vma, joined);
        } else {
            vma = next;
        }
    }
}

/* The lowest fitting gap among those below the mappings of a subtree. */
static OUT_OF_LINE uint64_t gap_search(const struct vma *top, uint64_t size,
                                       uint64_t align, uint64_t low,
                                       uint64_t high)
{
    while (top != NULL && top->gap_max >= size) {
        if (top->start > low) {
            uint64_t found = gap_search(top->left, size, align, low, high);
            if (found != 0)
                return found;
            uint64_t from = gap_start(top);
            from = ((from > low ? from : low) + align - 1) & ~(align - 1);
            uint64_t to = top->start < high ? top->start : high;
            if (from < to && to - from >= size)
                return from;
        }
        if (top->end >= high)
            return 0;
        top = top->right;
    }
    return 0;
}

uint64_t vma_gap(uint64_t size, uint64_t align, uint64_t low, uint64_t high)
{
    uint64_t found = gap_search(vma_root, size, align, low, high);
    if (found != 0)
        return found;
    /* Above the last mapping. */
    uint64_t from = low;
    if (!list_empty(&vma_list)) {
        uint64_t end = container_of(vma_list.prev, struct vma, list)->end;
        from = end > low ? end : low;
    }
    from = (from + align - 1) & ~(align - 1);
    return from < high && high - from >= size ? from : 0;
}
