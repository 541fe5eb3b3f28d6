/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network devices, whoever they belong to, and what the program is told of
 * interfaces. Of the stack it knows stack.h only.
 */
#include <net/if.h>

#include "core/net/device.h"
#include "core/net/net.h"
#include "core/net/stack.h"
#include "core/time/time.h"

static struct net_device devices[LIMIT_NICS];
static unsigned device_count;

static void ready_again(struct time_timer *timer);
static struct time_timer timer = {.fire = ready_again};

/* -- devices -- */

static void device_add(const struct base_device *found)
{
    struct net_device *device = &devices[device_count];

    *device = (struct net_device){
        .index = device_count,
        .features = found->features,
        .cut_size_max = found->cut_size_max,
        .mtu = (uint16_t)(found->mtu < 1500 ? found->mtu : 1500)};
    memcpy(device->mac, found->mac, sizeof(device->mac));
    device_count++;
}

int net_devices_init(void)
{
    static bool has_timer;
    struct base_device found;
    int result;

    if (!has_timer) {
        result = time_timer_reserve(1);
        if (result != 0)
            return result;
        has_timer = true;
    }
    base_uses_net();
    while (device_count < LIMIT_NICS) {
        enum base_status status =
            core_base->dev_get(BASE_DEVICE_NET, device_count, &found);

        if (status == BASE_NOMEM)
            return -ENOMEM;
        if (status != BASE_OK)
            break;
        device_add(&found);
    }
    return (int)device_count;
}

struct net_device *net_device(unsigned index)
{
    return index < device_count ? &devices[index] : NULL;
}

struct net_device *net_device_of(unsigned interface)
{
    return interface < NET_FIRST_DEVICE
               ? NULL
               : net_device(interface - NET_FIRST_DEVICE);
}

void net_devices_ready(void)
{
    for (unsigned i = 0; i < device_count; i++) {
        if (devices[i].taken)
            devices[i].taken(devices[i].taken_context);
    }
    if (net_stack)
        net_stack->ready();
}

void net_devices_later(uint64_t delay_ns)
{
    time_timer_set(&timer, time_now_ns() + delay_ns);
}

static void ready_again(struct time_timer *fired)
{
    net_devices_ready();
}

int net_device_take(struct net_device *device, void (*ready)(void *context),
                    void *context)
{
    if (device->taken)
        return -EBUSY;
    device->taken = ready;
    device->taken_context = context;
    if (net_stack)
        net_stack->taken(device->index, true);
    return 0;
}

bool net_device_cuts_less(struct net_device *device,
                          const struct base_net_frame *frame)
{
    const uint32_t cuts = BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6;
    uint32_t before = device->features;
    struct base_device now;

    if (!(frame->flags & BASE_NET_CUT) ||
        core_base->dev_get(BASE_DEVICE_NET, device->index, &now) != BASE_OK)
        return false;
    device->features &= now.features | ~cuts;
    return device->features != before;
}

void net_device_give_back(struct net_device *device)
{
    ASSERT(device->taken);
    device->taken = NULL;
    if (net_stack)
        net_stack->taken(device->index, false);
    net_devices_later(0); /* what came meanwhile */
}

/* -- interfaces -- */

bool net_interface_exists(unsigned interface)
{
    if (interface == NET_LOOPBACK)
        return net_started;
    return net_device_of(interface) != NULL;
}

unsigned net_interface_flags(unsigned interface)
{
    const struct net_device *device = net_device_of(interface);

    if (!device)
        return IFF_LOOPBACK | (net_stack ? IFF_UP | IFF_RUNNING : 0);
    return IFF_BROADCAST | IFF_MULTICAST | IFF_UP |
           (net_stack && device->taken ? 0 : IFF_RUNNING);
}

void net_interface_name(unsigned interface, char out[NET_NAME_SIZE])
{
    if (interface == NET_LOOPBACK)
        strcpy(out, "lo");
    else
        core_format(out, NET_NAME_SIZE, "eth%u", interface - NET_FIRST_DEVICE);
}

unsigned net_interface_number(const char *name)
{
    char its[NET_NAME_SIZE];

    for (unsigned i = NET_LOOPBACK; i <= NET_INTERFACE_MAX; i++) {
        net_interface_name(i, its);
        if (net_interface_exists(i) && strcmp(its, name) == 0)
            return i;
    }
    return 0;
}

bool net_interface_address4(unsigned interface, uint32_t *address,
                            uint32_t *mask)
{
    return net_stack && net_stack->address4(interface, address, mask);
}

bool net_interface_address6(unsigned interface, unsigned n, uint8_t address[16])
{
    return net_stack && net_stack->address6(interface, n, address);
}
