/* SPDX-License-Identifier: BSD-3-Clause */
/* Pages and pools: what was got can be put back in any order, is zeroed, is
 * accounted, and running out changes nothing. */
#include "mem_mock.h"

struct file *file_get(int fd)
{
    return NULL;
}
struct file *file_ref(struct file *f)
{
    return f;
}
void file_put(struct file *f)
{
}

static uint32_t random_state = 7;
static uint32_t random_next(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

static uint64_t account(enum mem_account which)
{
    struct mem_accounts accounts;
    mem_accounts_get(&accounts);
    return accounts.pages[which];
}

static void test_pages(void)
{
    struct {
        uint8_t *pages;
        size_t count;
    } held[64] = {0};
    mock_start();
    uint64_t sum = 0;
    for (unsigned i = 0; i < 5000; i++) {
        unsigned slot = random_next(64);
        size_t count = 1 + random_next(i % 7 == 0 ? 100 : 6);
        if (held[slot].pages != NULL) {
            mem_pages_put(MEM_NET, held[slot].pages, held[slot].count);
            sum -= held[slot].count;
            held[slot].pages = NULL;
        } else {
            mock_fail_in = random_next(10) == 0;
            uint8_t *pages = mem_pages_get(MEM_NET, count);
            mock_fail_in = 0;
            held[slot].pages = pages;
            held[slot].count = count;
            if (pages == NULL)
                continue;
            sum += count;
            for (size_t j = 0; j < count * MOCK_PAGE; j += 512)
                CHECK(pages[j] == 0);
            memset(pages, 0x55, count * MOCK_PAGE);
        }
        CHECK(account(MEM_NET) == sum);
        mem_check();
    }
    for (unsigned i = 0; i < 64; i++)
        if (held[i].pages != NULL)
            mem_pages_put(MEM_NET, held[i].pages, held[i].count);
    CHECK(account(MEM_NET) == 0);
    CHECK(mem_pages_get(MEM_NET, 1u << 30) == NULL);
    mem_check();
}

struct object {
    uint64_t words[9];
};
struct large {
    uint8_t bytes[5000];
};
struct aligned {
    uint8_t bytes[100] __attribute__((aligned(64)));
};

static void test_pool(void)
{
    static struct mem_pool pool = MEM_POOL(struct object, MEM_CORE, 1000);
    static struct object *held[1000];
    mock_start();
    uint64_t before = account(MEM_CORE);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            if (held[i] == NULL && random_next(3) != 0) {
                held[i] = mem_pool_get(&pool);
                CHECK(held[i] != NULL);
                for (unsigned j = 0; j < 9; j++)
                    CHECK(held[i]->words[j] == 0);
                memset(held[i], (int)i + 1, sizeof(*held[i]));
            } else if (held[i] != NULL && random_next(2)) {
                CHECK((uint8_t)held[i]->words[8] == (uint8_t)(i + 1));
                mem_pool_put(&pool, held[i]);
                held[i] = NULL;
            }
        }
        mem_check();
    }
    for (unsigned i = 0; i < 1000; i++)
        if (held[i] == NULL)
            CHECK((held[i] = mem_pool_get(&pool)) != NULL);
    CHECK(mem_pool_get(&pool) == NULL); /* the bound */
    for (unsigned i = 0; i < 1000; i++)
        mem_pool_put(&pool, held[i]);
    CHECK(pool.count == 0 && account(MEM_CORE) == before);

    static struct mem_pool large = MEM_POOL(struct large, MEM_CACHE, 10);
    struct large *one = mem_pool_get(&large);
    CHECK(one != NULL && account(MEM_CACHE) == 2);
    mem_pool_put(&large, one);
    CHECK(account(MEM_CACHE) == 0);
    static struct mem_pool aligned = MEM_POOL(struct aligned, MEM_CORE, 100);
    for (unsigned i = 0; i < 100; i++)
        CHECK((uintptr_t)mem_pool_get(&aligned) % 64 == 0);
    mem_check();
}

int main(void)
{
    test_pages();
    mock_total = 300; /* runs out */
    test_pages();
    mock_total = 4096;
    test_pool();
    return 0;
}
