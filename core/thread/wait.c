/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wait queues: see thread.h. Entries are told in the order in which they
 * came. Monitor held.
 */
#include "core/thread/thread.h"

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->entries);
}

void wait_add(struct wait_queue *queue, struct wait_entry *entry)
{
    list_append(&queue->entries, &entry->node);
}

void wait_remove(struct wait_entry *entry)
{
    if (entry->node.next != NULL)
        list_remove(&entry->node);
}

/* An entry's function may take the entry out, and no other. */
void wait_wake(struct wait_queue *queue, uint32_t events, unsigned count)
{
    list_for_each (node, &queue->entries) {
        struct wait_entry *entry = container_of(node, struct wait_entry, node);

        if (entry->exclusive) {
            if (count == 0)
                continue;
            count--;
        }
        if (entry->wake != NULL)
            entry->wake(entry, events);
        else
            thread_wake(entry->thread);
    }
}

int wait_on(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    struct wait_entry entry = {.thread = thread_current};
    int result;

    wait_add(queue, &entry);
    result = thread_block(deadline_ns, interruptible);
    wait_remove(&entry);
    return result;
}
