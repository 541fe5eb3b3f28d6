/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dev_get, net_send and net_recv of base.h against QEMU's user network: asks
 * by ARP for the gateway and gets its address, then asks for it many times
 * with as many questions in flight as there is room for, which stalls at once
 * when a notification is lost either way.
 *
 * skip: xen tests/xen/t-base runs it, over netfront
 * device: virtio-net,netdev=n
 * qemu: -netdev user,id=n -global virtio-mmio.force-legacy=false
 */
#include <string.h>

#include "check.h"
#include "wait.h"

#define QUESTIONS 5000
#define BATCH     48

struct arp {
    uint8_t to[6], from[6];
    uint8_t type[2]; /* 0806 */
    uint8_t hardware[2], protocol[2], sizes[2], operation[2];
    uint8_t sender_mac[6], sender_ip[4];
    uint8_t target_mac[6], target_ip[4];
    uint8_t padding[18]; /* to the least frame of Ethernet */
};
_Static_assert(sizeof(struct arp) == 60, "the least frame of Ethernet");

static const uint8_t gateway[4] = {10, 0, 2, 2};
static struct base_device device;
static unsigned asked, answered;

static void make(struct arp *arp)
{
    memset(arp, 0, sizeof(*arp));
    memset(arp->to, 0xff, 6);
    memcpy(arp->from, device.mac, 6);
    memcpy(arp->type, "\x08\x06", 2);
    memcpy(arp->hardware, "\x00\x01\x08\x00\x06\x04\x00\x01", 8);
    memcpy(arp->sender_mac, device.mac, 6);
    memcpy(arp->sender_ip, "\x0a\x00\x02\x0f", 4);
    memcpy(arp->target_ip, gateway, 4);
}

static void ask(unsigned count)
{
    static struct arp question;
    struct base_net_frame frames[BATCH];

    make(&question);
    for (unsigned i = 0; i < count; i++)
        frames[i] = (struct base_net_frame){.data = &question,
                                            .size = sizeof(question)};
    asked += base->net_send(0, frames, count);
}

static bool is_answer(const struct base_net_frame *frame)
{
    const struct arp *arp = frame->data;

    return frame->size >= 42 && memcmp(arp->type, "\x08\x06", 2) == 0 &&
           memcmp(arp->operation, "\x00\x02", 2) == 0 &&
           memcmp(arp->sender_ip, gateway, 4) == 0 &&
           memcmp(arp->to, device.mac, 6) == 0;
}

static void listen(void)
{
    static uint8_t room[BATCH][1536];
    struct base_net_frame frames[BATCH];
    unsigned count;

    do {
        for (unsigned i = 0; i < BATCH; i++)
            frames[i] = (struct base_net_frame){.data = room[i],
                                                .size = sizeof(room[i])};
        count = base->net_recv(0, frames, BATCH);
        for (unsigned i = 0; i < count; i++)
            answered += is_answer(&frames[i]);
    } while (count == BATCH);
}

void test_main(void)
{
    struct base_memory before, after;
    struct base_device other;

    base_uses_net();
    CHECK(base->dev_get(BASE_DEVICE_NET, 99, &other) == BASE_NODEV);
    CHECK(base->dev_get(BASE_DEVICE_NET, 0, &device) == BASE_OK);
    CHECK((device.mac[0] & 1) == 0 && device.mtu >= 68 && device.mtu <= 1500);
    base->mem_stats(&before);
    ask(1);
    while (answered < 1) {
        wait_for(BASE_READY_NET);
        listen();
    }
    say("one answer\n");
    while (answered < QUESTIONS) {
        if (asked < QUESTIONS)
            ask(QUESTIONS - asked < BATCH ? QUESTIONS - asked : BATCH);
        wait_for(BASE_READY_NET);
        listen();
    }
    CHECK(asked == QUESTIONS && answered == QUESTIONS);
    base->mem_stats(&after);
    CHECK(memcmp(&before, &after, sizeof(before)) == 0);
    say("features ");
    say_number(device.features);
    say("\n");
    pass();
}
