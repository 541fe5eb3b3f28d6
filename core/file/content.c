/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What regular files hold: a tree of pages over bytes that are read in place
 * (core/file/node.h says what is where). Files, memfd and the initrd's
 * contents are all this. Monitor held; nothing here blocks.
 */
#include "core/file/node.h"
#include "core/file/table.h"
#include "core/mem/mem.h"

#define PAGE  ((uint64_t)LIMIT_PAGE_SIZE)
#define SHIFT 9
#define SLOTS (1u << SHIFT)

/* Never written. Not const, which would put it into the image's file. */
char content_zeros[LIMIT_PAGE_SIZE];

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many pages a tree of that height reaches. */
static uint64_t reach(uint32_t height)
{
    return height * SHIFT >= 52 ? UINT64_MAX : 1ull << (height * SHIFT);
}

/* The page of that index, or NULL. */
static char *page_find(const struct content *content, uint64_t index)
{
    void *at = content->root;

    if (index >= reach(content->height))
        return NULL;
    for (uint32_t level = content->height; level > 0 && at; level--) {
        void **table = at;
        at = table[index >> ((level - 1) * SHIFT) & (SLOTS - 1)];
    }
    return at;
}

/* The first index >= index whose page is there, below a table or page that
 * stands for those from start on; UINT64_MAX if there is none. */
static uint64_t next_below(void *at, uint32_t level, uint64_t start,
                           uint64_t index)
{
    void **table = at;

    if (level == 0)
        return start >= index ? start : UINT64_MAX;
    uint64_t step = reach(level - 1);
    unsigned i = index > start ? (unsigned)((index - start) / step) : 0;
    for (; i < SLOTS; i++) {
        if (!table[i])
            continue;
        uint64_t found =
            next_below(table[i], level - 1, start + i * step, index);
        if (found != UINT64_MAX)
            return found;
    }
    return UINT64_MAX;
}

static uint64_t page_next(const struct content *content, uint64_t index)
{
    if (!content->root || index >= reach(content->height))
        return UINT64_MAX;
    return next_below(content->root, content->height, 0, index);
}

/* The bytes of page index as far as the base has them. */
static uint64_t base_in_page(const struct content *content, uint64_t index)
{
    uint64_t start = index * PAGE;
    if (start >= content->base_size)
        return 0;
    return smaller(content->base_size - start, PAGE);
}

/* The page of that index to write to: got, and filled from the base, if it is
 * not there. NULL: no memory (tables got meanwhile stay). */
static char *page_make(struct content *content, uint64_t index)
{
    while (index >= reach(content->height)) {
        if (content->root) {
            void **table = mem_pages_get(MEM_CACHE, 1);
            if (!table)
                return NULL;
            table[0] = content->root;
            content->root = table;
        }
        content->height++;
    }
    void **slot = &content->root;
    for (uint32_t level = content->height; level > 0; level--) {
        if (!*slot)
            *slot = mem_pages_get(MEM_CACHE, 1);
        if (!*slot)
            return NULL;
        void **table = *slot;
        slot = &table[index >> ((level - 1) * SHIFT) & (SLOTS - 1)];
    }
    if (!*slot) {
        *slot = mem_pages_get(MEM_CACHE, 1);
        if (!*slot)
            return NULL;
        uint64_t there = base_in_page(content, index);
        if (there)
            memcpy(*slot, content->base + index * PAGE, there);
        content->pages++;
    }
    return *slot;
}

/* Frees the pages of indices [first, last) below a table or page that stands
 * for those from start on; returns whether nothing is left of it. */
static bool free_below(struct content *content, void *at, uint32_t level,
                       uint64_t start, uint64_t first, uint64_t last)
{
    void **table = at;
    bool empty = true;

    if (level == 0) {
        if (start < first || start >= last)
            return false;
        content->pages--;
        mem_pages_put(MEM_CACHE, at, 1);
        return true;
    }
    uint64_t step = reach(level - 1);
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t child = start + i * step;
        if (!table[i])
            continue;
        if (child < last && child + step > first &&
            free_below(content, table[i], level - 1, child, first, last))
            table[i] = NULL;
        else
            empty = false;
    }
    if (empty)
        mem_pages_put(MEM_CACHE, table, 1);
    return empty;
}

static void free_range(struct content *content, uint64_t first, uint64_t last)
{
    if (first >= last || !content->root)
        return;
    if (free_below(content, content->root, content->height, 0, first, last)) {
        content->root = NULL;
        content->height = 0;
    }
}

void content_free(struct content *content)
{
    free_range(content, 0, UINT64_MAX);
    ASSERT(content->pages == 0);
    content->size = content->base_size = 0;
}

/* Zeros from offset to the end of its page, if the page is there. */
static void clear_tail(struct content *content, uint64_t offset)
{
    char *page = page_find(content, offset / PAGE);
    if (page && offset % PAGE)
        memset(page + offset % PAGE, 0, PAGE - offset % PAGE);
}

int content_resize(struct content *content, uint64_t size)
{
    if (size > CONTENT_SIZE_MAX)
        return -EFBIG;
    if (size < content->size) {
        free_range(content, (size + PAGE - 1) / PAGE, UINT64_MAX);
        clear_tail(content, size);
        content->base_size = smaller(content->base_size, size);
    }
    content->size = size;
    return 0;
}

size_t content_at(const struct content *content, uint64_t offset,
                  const void **data)
{
    uint64_t index = offset / PAGE, in_page = offset % PAGE;

    if (offset >= content->size)
        return 0;
    uint64_t part = smaller(PAGE - in_page, content->size - offset);
    const char *page = page_find(content, index);
    if (page) {
        *data = page + in_page;
    } else if (in_page < base_in_page(content, index)) {
        *data = content->base + offset;
        part = smaller(part, base_in_page(content, index) - in_page);
    } else {
        *data = content_zeros + in_page;
    }
    return part;
}

long content_read(const struct content *content, uint64_t offset,
                  const struct iovec *iov, int count)
{
    size_t size = file_iov_total(iov, count), done = 0;
    const void *data;

    while (done < size) {
        size_t part = content_at(content, offset + done, &data);
        if (part == 0)
            break;
        if (part > size - done)
            part = size - done;
        if (file_copy_out(iov, count, done, data, part) < 0)
            return done ? (long)done : -EFAULT;
        done += part;
    }
    return (long)done;
}

long content_write(struct content *content, uint64_t offset,
                   const struct iovec *iov, int count)
{
    size_t size = file_iov_total(iov, count), done = 0;
    long error = 0;

    if (offset >= CONTENT_SIZE_MAX)
        return size ? -EFBIG : 0;
    if (size > CONTENT_SIZE_MAX - offset)
        size = (size_t)(CONTENT_SIZE_MAX - offset);
    while (done < size) {
        uint64_t at = offset + done;
        size_t part = (size_t)smaller(PAGE - at % PAGE, size - done);
        char *page = page_make(content, at / PAGE);
        error = -ENOSPC;
        if (!page)
            break;
        error = file_copy_in(page + at % PAGE, iov, count, done, part);
        if (error < 0)
            break;
        done += part;
    }
    if (done && offset + done > content->size)
        content->size = offset + done;
    /* A copy that failed may have left bytes behind the end. */
    if (error == -EFAULT) {
        free_range(content, (content->size + PAGE - 1) / PAGE, UINT64_MAX);
        clear_tail(content, content->size);
    }
    return done ? (long)done : error;
}

int content_punch(struct content *content, uint64_t offset, uint64_t size)
{
    uint64_t end = smaller(offset + size, content->size);
    uint64_t first, last;

    if (offset >= end)
        return 0;
    first = (offset + PAGE - 1) / PAGE;
    last = end == content->size ? (end + PAGE - 1) / PAGE : end / PAGE;
    /* Pages over the base must be there to hide it. All are made before
     * anything is changed. */
    uint64_t base_end = smaller(end, content->base_size);
    for (uint64_t i = offset / PAGE; i * PAGE < base_end; i++) {
        if (!page_make(content, i))
            return -ENOSPC;
    }
    for (uint64_t i = page_next(content, offset / PAGE);
         i < (end + PAGE - 1) / PAGE; i = page_next(content, i + 1)) {
        uint64_t from = i * PAGE < offset ? offset - i * PAGE : 0;
        uint64_t to = smaller(end - i * PAGE, PAGE);
        memset(page_find(content, i) + from, 0, to - from);
    }
    uint64_t base_pages = (content->base_size + PAGE - 1) / PAGE;
    if (first < base_pages)
        first = base_pages;
    free_range(content, first, last);
    return 0;
}

int content_reserve(struct content *content, uint64_t offset, uint64_t size)
{
    if (offset + size > CONTENT_SIZE_MAX)
        return -EFBIG;
    /* What cannot succeed is refused before it eats all there is. */
    if (size / PAGE > mem_free_bytes() / PAGE + content->pages)
        return -ENOSPC;
    for (uint64_t i = offset / PAGE; i * PAGE < offset + size; i++) {
        if (!page_make(content, i))
            return -ENOSPC;
    }
    return 0;
}

off_t content_seek(const struct content *content, uint64_t offset, bool data)
{
    if (offset >= content->size)
        return -ENXIO;
    if (data) {
        if (base_in_page(content, offset / PAGE))
            return (off_t)offset;
        uint64_t next = page_next(content, offset / PAGE);
        if (next >= (content->size + PAGE - 1) / PAGE)
            return -ENXIO;
        return (off_t)(next * PAGE > offset ? next * PAGE : offset);
    }
    while (offset < content->size && (page_find(content, offset / PAGE) ||
                                      base_in_page(content, offset / PAGE)))
        offset = (offset / PAGE + 1) * PAGE;
    return (off_t)smaller(offset, content->size);
}
