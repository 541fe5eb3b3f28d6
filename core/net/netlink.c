/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_NETLINK, as far as getifaddrs(3) and if_nameindex(3) go: dumps of links
 * (RTM_GETLINK) and addresses (RTM_GETADDR) of NETLINK_ROUTE. Any other
 * request is answered with the error EOPNOTSUPP, in netlink's own form.
 *
 * An answer is made when the request is sent, and waits in one buffer.
 */
#include <limits.h>
#include <net/if.h>
#include <net/if_arp.h>

#include "core/net/device.h"
#include "core/net/net.h"
#include "core/net/provider.h"
#include "core/net/socket.h"
#include "core/net/stack.h"

/* linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h: musl has none. */
struct nl_header {
    uint32_t size;
    uint16_t type, flags;
    uint32_t sequence, port;
};
struct nl_link {
    uint8_t family, pad;
    uint16_t type;
    int32_t index;
    uint32_t flags, change;
};
struct nl_address {
    uint8_t family, prefix, flags, scope;
    uint32_t index;
};
struct nl_attribute {
    uint16_t size, type;
};
struct nl_sockaddr {
    uint16_t family, pad;
    uint32_t port, groups;
};

#define NL_ERROR       2
#define NL_DONE        3
#define NL_FLAG_MULTI  2
#define NL_ROUTE       0
#define RT_NEW_LINK    16
#define RT_GET_LINK    18
#define RT_NEW_ADDRESS 20
#define RT_GET_ADDRESS 22
#define LINK_ADDRESS   1
#define LINK_BROADCAST 2
#define LINK_NAME      3
#define LINK_MTU       4
#define IFA_ADDRESS_   1
#define IFA_LOCAL_     2
#define IFA_LABEL_     3
#define IFA_BROADCAST_ 4
#define SCOPE_GLOBAL   0
#define SCOPE_LINK     253
#define SCOPE_HOST     254

#define ANSWER_MAX 8192 /* musl reads with 8192 bytes */

struct netlink {
    struct net_socket socket;
    size_t size; /* of the answer that waits; 0: none */
    uint32_t port;
    uint8_t answer[ANSWER_MAX];
};

static const struct file_ops netlink_ops;

static struct netlink *netlink_of(const struct file *file)
{
    return file->private;
}

/* -- building -- */

static void *append(struct netlink *netlink, size_t size)
{
    size_t padded = (size + 3) & ~(size_t)3;
    void *at = netlink->answer + netlink->size;

    if (netlink->size + padded > ANSWER_MAX)
        return NULL;
    memset(at, 0, padded);
    netlink->size += padded;
    return at;
}

static void attribute(struct netlink *netlink, unsigned type, const void *data,
                      size_t size)
{
    struct nl_attribute header = {(uint16_t)(sizeof(header) + size),
                                  (uint16_t)type};
    uint8_t *at = append(netlink, header.size);

    if (!at)
        return;
    memcpy(at, &header, sizeof(header));
    memcpy(at + sizeof(header), data, size);
}

/* Starts a message with its body; message_end() fills in its size. */
static size_t message_start(struct netlink *netlink,
                            const struct nl_header *request, unsigned type,
                            const void *body, size_t size)
{
    struct nl_header header = {0, (uint16_t)type, NL_FLAG_MULTI,
                               request->sequence, netlink->port};
    size_t start = netlink->size;
    uint8_t *at = append(netlink, sizeof(header) + size);

    if (!at)
        return start;
    memcpy(at, &header, sizeof(header));
    memcpy(at + sizeof(header), body, size);
    return start;
}

static void message_end(struct netlink *netlink, size_t start)
{
    uint32_t size = (uint32_t)(netlink->size - start);

    if (size > 0)
        memcpy(netlink->answer + start, &size, sizeof(size));
}

static void link_message(struct netlink *netlink,
                         const struct nl_header *request, unsigned interface)
{
    const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint8_t none[6] = {0};
    const struct net_device *device = net_device_of(interface);
    uint32_t mtu = device ? device->mtu : 65536;
    struct nl_link body = {.type = device ? ARPHRD_ETHER : ARPHRD_LOOPBACK,
                           .index = (int32_t)interface,
                           .flags = net_interface_flags(interface),
                           .change = ~0u};
    char name[NET_NAME_SIZE] = {0};
    size_t start;

    start = message_start(netlink, request, RT_NEW_LINK, &body, sizeof(body));
    net_interface_name(interface, name);
    attribute(netlink, LINK_NAME, name, strlen(name) + 1);
    attribute(netlink, LINK_MTU, &mtu, sizeof(mtu));
    attribute(netlink, LINK_ADDRESS, device ? device->mac : none, 6);
    attribute(netlink, LINK_BROADCAST, device ? broadcast : none, 6);
    message_end(netlink, start);
}

static void address4_message(struct netlink *netlink,
                             const struct nl_header *request,
                             unsigned interface)
{
    bool lo = interface == NET_LOOPBACK;
    uint32_t address, mask, broadcast;
    struct nl_address body = {.family = AF_INET,
                              .scope = lo ? SCOPE_HOST : SCOPE_GLOBAL,
                              .index = interface};
    char name[NET_NAME_SIZE] = {0};
    size_t start;

    if (!net_interface_address4(interface, &address, &mask))
        return;
    broadcast = address | ~mask;
    body.prefix = (uint8_t)__builtin_popcount(mask);
    start =
        message_start(netlink, request, RT_NEW_ADDRESS, &body, sizeof(body));
    net_interface_name(interface, name);
    attribute(netlink, IFA_ADDRESS_, &address, 4);
    attribute(netlink, IFA_LOCAL_, &address, 4);
    if (!lo)
        attribute(netlink, IFA_BROADCAST_, &broadcast, 4);
    attribute(netlink, IFA_LABEL_, name, strlen(name) + 1);
    message_end(netlink, start);
}

/* RFC 4291, section 2.5.6: fe80::/10 */
static bool is_link_local(const uint8_t address[16])
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

static void address6_messages(struct netlink *netlink,
                              const struct nl_header *request,
                              unsigned interface)
{
    bool lo = interface == NET_LOOPBACK;

    for (unsigned i = 0; i < NET_ADDRESSES6_MAX; i++) {
        struct nl_address body = {
            .family = AF_INET6, .prefix = lo ? 128 : 64, .index = interface};
        uint8_t address[16];
        size_t start;

        if (!net_interface_address6(interface, i, address))
            continue;
        body.scope = lo                       ? SCOPE_HOST
                     : is_link_local(address) ? SCOPE_LINK
                                              : SCOPE_GLOBAL;
        start = message_start(netlink, request, RT_NEW_ADDRESS, &body,
                              sizeof(body));
        attribute(netlink, IFA_ADDRESS_, address, 16);
        message_end(netlink, start);
    }
}

static void answer(struct netlink *netlink, const struct nl_header *request,
                   unsigned family)
{
    int error = -EOPNOTSUPP, zero = 0;
    struct {
        int error;
        struct nl_header request;
    } refusal = {error, *request};

    netlink->size = 0;
    if (request->type != RT_GET_LINK && request->type != RT_GET_ADDRESS) {
        message_end(netlink, message_start(netlink, request, NL_ERROR, &refusal,
                                           sizeof(refusal)));
        return;
    }
    for (unsigned i = NET_LOOPBACK; i <= NET_INTERFACE_MAX; i++) {
        if (!net_interface_exists(i))
            continue;
        if (request->type == RT_GET_LINK) {
            link_message(netlink, request, i);
            continue;
        }
        if (family == AF_UNSPEC || family == AF_INET)
            address4_message(netlink, request, i);
        if (family == AF_UNSPEC || family == AF_INET6)
            address6_messages(netlink, request, i);
    }
    message_end(netlink,
                message_start(netlink, request, NL_DONE, &zero, sizeof(zero)));
}

/* -- the socket -- */

static long netlink_sendmsg(struct file *file, struct msghdr *message,
                            int flags)
{
    struct netlink *netlink = netlink_of(file);
    struct {
        struct nl_header header;
        uint8_t family;
    } request = {0};
    size_t size = 0, part;

    for (int i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    part = size < sizeof(request) ? size : sizeof(request);
    if (size < sizeof(request.header))
        return -EINVAL;
    if (file_iov_copy_in(&request, message->msg_iov, message->msg_iovlen, 0,
                         part) != 0)
        return -EFAULT;
    answer(netlink, &request.header, request.family);
    wait_wake(&netlink->socket.wait, POLLIN | POLLRDNORM, UINT_MAX);
    return (long)size;
}

static long netlink_recvmsg(struct file *file, struct msghdr *message,
                            int flags)
{
    struct nl_sockaddr from = {.family = AF_NETLINK};
    struct netlink *netlink = netlink_of(file);
    uint64_t deadline = net_receive_deadline(file, flags, &netlink->socket);
    size_t room = 0, part;
    long result;

    for (int i = 0; i < message->msg_iovlen; i++)
        room += message->msg_iov[i].iov_len;
    while (netlink->size == 0) {
        result = net_socket_wait(&netlink->socket, deadline);
        if (result != 0)
            return result;
    }
    part = netlink->size < room ? netlink->size : room;
    if (file_iov_copy_out(message->msg_iov, message->msg_iovlen, 0,
                          netlink->answer, part) != 0)
        return -EFAULT;
    message->msg_controllen = 0;
    message->msg_flags = part < netlink->size ? MSG_TRUNC : 0;
    if (message->msg_name) {
        memcpy(message->msg_name, &from, sizeof(from));
        message->msg_namelen = sizeof(from);
    }
    result = flags & MSG_TRUNC ? (long)netlink->size : (long)part;
    if (!(flags & MSG_PEEK))
        netlink->size = 0;
    return result;
}

static long netlink_readv(struct file *file, const struct iovec *iov, int count,
                          off_t *offset)
{
    struct msghdr message = {0};

    message.msg_iov = (struct iovec *)(uintptr_t)iov;
    message.msg_iovlen = count;
    return netlink_recvmsg(file, &message, 0);
}

static long netlink_writev(struct file *file, const struct iovec *iov,
                           int count, off_t *offset)
{
    struct msghdr message = {0};

    message.msg_iov = (struct iovec *)(uintptr_t)iov;
    message.msg_iovlen = count;
    return netlink_sendmsg(file, &message, 0);
}

static int netlink_bind(struct file *file, const void *address, unsigned size)
{
    struct nl_sockaddr in;

    if (size < sizeof(in))
        return -EINVAL;
    memcpy(&in, address, sizeof(in));
    /* Nothing is ever announced to a group. */
    if (in.family != AF_NETLINK || in.groups)
        return in.groups ? -EPERM : -EINVAL;
    if (in.port)
        netlink_of(file)->port = in.port;
    return 0;
}

static int netlink_getsockname(struct file *file, void *address)
{
    struct nl_sockaddr out = {.family = AF_NETLINK,
                              .port = netlink_of(file)->port};

    memcpy(address, &out, sizeof(out));
    return sizeof(out);
}

static int netlink_setsockopt(struct file *file, int level, int name,
                              const void *value, unsigned size)
{
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    return net_option_set(&netlink_of(file)->socket, level, name, value, size);
}

static int netlink_getsockopt(struct file *file, int level, int name,
                              void *value, unsigned *size)
{
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    return net_option_get(&netlink_of(file)->socket, level, name, value, size);
}

static uint32_t netlink_poll(struct file *file, struct file_poller *poller)
{
    struct netlink *netlink = netlink_of(file);

    file_poll_wait(poller, &netlink->socket.wait);
    return POLLOUT | POLLWRNORM | (netlink->size ? POLLIN | POLLRDNORM : 0u);
}

static void netlink_release(struct file *file)
{
    net_free(file->private);
    net_memory_trim();
}

static const struct socket_ops netlink_socket_ops = {
    .bind = netlink_bind,
    .getsockname = netlink_getsockname,
    .setsockopt = netlink_setsockopt,
    .getsockopt = netlink_getsockopt,
    .sendmsg = netlink_sendmsg,
    .recvmsg = netlink_recvmsg,
};

static const struct file_ops netlink_ops = {
    .name = "socket:[netlink]",
    .readv = netlink_readv,
    .writev = netlink_writev,
    .poll = netlink_poll,
    .stat = net_socket_stat,
    .socket = &netlink_socket_ops,
    .release = netlink_release,
};

static bool netlink_has(int domain)
{
    return domain == AF_NETLINK;
}

static int netlink_create(int domain, int type, int protocol, int flags,
                          struct file **out)
{
    struct netlink *netlink;
    int result;

    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (protocol != NL_ROUTE)
        return -EPROTONOSUPPORT;
    result = net_start();
    if (result != 0)
        return result;
    netlink = net_alloc(sizeof(*netlink));
    if (!netlink)
        return -ENOBUFS;
    memset(netlink, 0, sizeof(*netlink));
    netlink->port = 1;
    net_socket_init(&netlink->socket, domain, type, protocol, ANSWER_MAX,
                    ANSWER_MAX);
    *out = file_new(&netlink_ops, O_RDWR | flags, netlink);
    if (!*out) {
        net_free(netlink);
        return file_new_error();
    }
    return 0;
}

struct net_provider net_provider_netlink = {
    .name = "netlink", .has = netlink_has, .create = netlink_create};
