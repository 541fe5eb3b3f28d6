/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What regular files hold, against an array that does the same: random
 * writes, reads, cuts, holes and reservations, over bytes read in place as the
 * initrd's are; far offsets; and each page that is not to be had, in turn.
 */
#include "file_mock.h"

#include <unistd.h>

#include "core/file/node.h"

#define SIZE 60000u

static uint32_t random_state = 42;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

static char base[20001], base_copy[20001];
static char model[SIZE], out[SIZE], in[SIZE];
static uint64_t model_size;

static void check_same(const struct content *content)
{
    const struct iovec one = {out, SIZE};
    CHECK(content->size == model_size);
    CHECK(content_read(content, 0, &one, 1) == (long)model_size);
    CHECK(memcmp(out, model, model_size) == 0);
    for (uint64_t at = 0; at < model_size;) {
        const void *data;
        size_t part = content_at(content, at, &data);
        CHECK(part > 0 && memcmp(data, model + at, part) == 0);
        at += part;
    }
    CHECK(memcmp(base, base_copy, sizeof(base)) == 0);
}

static void resize(struct content *content, uint64_t size)
{
    CHECK(content_resize(content, size) == 0);
    if (size > model_size)
        memset(model + model_size, 0, size - model_size);
    model_size = size;
}

static void write_at(struct content *content, uint32_t at, uint32_t size)
{
    /* In two vectors, as an application may. */
    const struct iovec two[] = {{in, size / 3},
                                {in + size / 3, size - size / 3}};
    for (uint32_t i = 0; i < size; i++)
        in[i] = (char)random_below(256);
    CHECK(content_write(content, at, two, 2) == (long)size);
    if (size == 0)
        return;
    if (at > model_size)
        memset(model + model_size, 0, at - model_size);
    memcpy(model + at, in, size);
    if (at + size > model_size)
        model_size = at + size;
}

static void step(struct content *content)
{
    uint32_t at = random_below(SIZE), size = random_below(SIZE - at);

    switch (random_below(8)) {
    case 0:
        resize(content, at);
        return;
    case 1:
        CHECK(content_punch(content, at, size) == 0);
        for (uint64_t i = at; i < at + size && i < model_size; i++)
            model[i] = 0;
        return;
    case 2:
        CHECK(content_reserve(content, at, size) == 0);
        return;
    case 3: {
        off_t data = content_seek(content, at, true);
        if (data < 0) {
            CHECK(data == -ENXIO);
            data = (off_t)model_size;
        }
        for (off_t i = at; i < data; i++)
            CHECK(model[i] == 0);
        return;
    }
    default:
        write_at(content, at, random_below(2) ? size : size % 100);
    }
}

static void test_random(bool with_base)
{
    struct content content = {.size = 0};
    int pages = mock_pages;

    model_size = 0;
    if (with_base) {
        content.base = base;
        content.base_size = content.size = model_size = sizeof(base);
        memcpy(model, base, sizeof(base));
        check_same(&content);
    }
    for (int i = 0; i < 3000; i++) {
        step(&content);
        check_same(&content);
    }
    content_free(&content);
    CHECK(mock_pages == pages);
}

static void test_far(void)
{
    struct content content = {.size = 0};
    const struct iovec one = {in, 5};
    int pages = mock_pages;
    const uint64_t far = CONTENT_SIZE_MAX - 3;

    CHECK(content_write(&content, far, &one, 1) == 3);
    CHECK(content.pages == 1 && content.size == CONTENT_SIZE_MAX);
    CHECK(content_write(&content, far + 3, &one, 1) == -EFBIG);
    CHECK(content_seek(&content, 1, true) == (off_t)(far & ~4095ull));
    CHECK(content_seek(&content, 1, false) == 1);
    CHECK(content_punch(&content, 5, far) == 0);
    CHECK(content_resize(&content, CONTENT_SIZE_MAX + 1) == -EFBIG);
    content_free(&content);
    CHECK(mock_pages == pages);
}

/* A copy that faults half-way leaves nothing behind the end of the file. */
static void test_fault(void)
{
    struct content content = {.size = 0};
    const struct iovec bad[] = {{in, 100}, {NULL, 10}};
    int pages = mock_pages;

    memset(in, 'x', 100);
    CHECK(content_write(&content, 10, bad, 2) == -EFAULT);
    CHECK(content.size == 0);
    CHECK(content_write(&content, 9000, bad + 1, 1) == -EFAULT);
    model_size = 0;
    resize(&content, 10000);
    memset(model, 0, 10000);
    check_same(&content);
    content_free(&content);
    CHECK(mock_pages == pages);
}

static void test_no_memory(void)
{
    struct content content = {
        .base = base, .base_size = sizeof(base), .size = sizeof(base)};
    const struct iovec one = {in, 3};
    int pages = mock_pages;

    mock_no_memory = true;
    CHECK(content_write(&content, 0, &one, 1) == -ENOSPC);
    CHECK(content_write(&content, 1 << 30, &one, 1) == -ENOSPC);
    CHECK(content_punch(&content, 0, 10) == -ENOSPC);
    CHECK(content_reserve(&content, 0, 10) == -ENOSPC);
    memcpy(model, base, sizeof(base));
    model_size = sizeof(base);
    check_same(&content);
    mock_no_memory = false;
    content_free(&content);
    CHECK(mock_pages == pages);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(base); i++)
        base[i] = base_copy[i] = (char)random_below(256);
    test_random(false);
    test_random(true);
    test_far();
    test_fault();
    test_no_memory();
    return 0;
}
