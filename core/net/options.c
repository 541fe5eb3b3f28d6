/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Socket options that all kinds of sockets share: SOL_SOCKET, and what
 * IPPROTO_IP and IPPROTO_IPV6 have for streams and datagrams alike. Each is
 * listed in docs/sockets.md with what it does here.
 */
#include <sys/time.h>

#include "core/net/device.h"
#include "core/net/socket.h"
#include "core/time/time.h"

/* Linux's net.core.rmem_max, and its least sizes. */
#define BUFFER_MAX 212992
#define BUFFER_MIN 1152

int net_option_int(const void *value, unsigned size, int *out)
{
    if (size < sizeof(*out))
        return -EINVAL;
    memcpy(out, value, sizeof(*out));
    return 0;
}

/* IP_* options may be given as one byte (Linux: do_ip_setsockopt). */
static int int_or_byte(const void *value, unsigned size, int *out)
{
    if (size >= sizeof(*out))
        return net_option_int(value, size, out);
    if (size < 1)
        return -EINVAL;
    *out = *(const unsigned char *)value;
    return 0;
}

int net_option_put(void *value, unsigned *size, int number)
{
    if (*size > sizeof(number))
        *size = sizeof(number);
    memcpy(value, &number, *size);
    return 0;
}

/* -- SOL_SOCKET -- */

static void buffer_set(int wanted, uint32_t *limit, uint32_t *reported)
{
    uint32_t size = wanted < BUFFER_MIN   ? BUFFER_MIN
                    : wanted > BUFFER_MAX ? BUFFER_MAX
                                          : (uint32_t)wanted;

    /* Linux doubles what it is given, for its bookkeeping, and says so. */
    *limit = size;
    *reported = 2 * size;
}

static int timeout_set(const void *value, unsigned size, uint64_t *out)
{
    struct timeval tv;

    if (size < sizeof(tv))
        return -EINVAL;
    memcpy(&tv, value, sizeof(tv));
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    if (tv.tv_sec < 0)
        *out = 1; /* Linux: expires at once */
    else if (tv.tv_sec == 0 && tv.tv_usec == 0)
        *out = TIME_NEVER;
    else if ((uint64_t)tv.tv_sec > TIME_NEVER / TIME_SECOND / 2)
        *out = TIME_NEVER;
    else
        *out = (uint64_t)tv.tv_sec * TIME_SECOND + (uint64_t)tv.tv_usec * 1000;
    return 0;
}

static int timeout_get(uint64_t timeout, void *value, unsigned *size)
{
    struct timeval tv = {0};

    if (timeout != TIME_NEVER) {
        tv.tv_sec = (time_t)(timeout / TIME_SECOND);
        tv.tv_usec = (suseconds_t)(timeout % TIME_SECOND / 1000);
    }
    if (*size > sizeof(tv))
        *size = sizeof(tv);
    memcpy(value, &tv, *size);
    return 0;
}

static int device_set(struct net_socket *socket, const void *value,
                      unsigned size)
{
    char name[NET_NAME_SIZE] = {0};
    unsigned number = 0;

    memcpy(name, value, size < NET_NAME_SIZE ? size : NET_NAME_SIZE - 1);
    if (name[0]) {
        number = net_interface_number(name);
        if (number == 0)
            return -ENODEV;
    }
    socket->device = number;
    return 0;
}

/* The options whose value is not an int. */
static int socket_set_wide(struct net_socket *socket, int name,
                           const void *value, unsigned size)
{
    switch (name) {
    case SO_LINGER:
        if (size < sizeof(socket->linger))
            return -EINVAL;
        memcpy(&socket->linger, value, sizeof(socket->linger));
        return 0;
    case SO_RCVTIMEO:
        return timeout_set(value, size, &socket->receive_timeout_ns);
    case SO_SNDTIMEO:
        return timeout_set(value, size, &socket->send_timeout_ns);
    case SO_BINDTODEVICE:
        return device_set(socket, value, size);
    default:
        return -ENOPROTOOPT;
    }
}

static int socket_set(struct net_socket *socket, int name, const void *value,
                      unsigned size)
{
    int number, result;

    result = socket_set_wide(socket, name, value, size);
    if (result != -ENOPROTOOPT)
        return result;
    result = net_option_int(value, size, &number);
    if (result != 0)
        return result;
    switch (name) {
    case SO_REUSEADDR:
        socket->reuse_address = number != 0;
        return 0;
    case SO_REUSEPORT:
        socket->reuse_port = number != 0;
        return 0;
    case SO_KEEPALIVE:
        socket->keepalive = number != 0;
        return 0;
    case SO_BROADCAST:
        socket->broadcast = number != 0;
        return 0;
    case SO_OOBINLINE:
        socket->oob_inline = number != 0;
        return 0;
    case SO_DONTROUTE:
        socket->dont_route = number != 0;
        return 0;
    case SO_TIMESTAMP:
        socket->timestamp = number != 0;
        return 0;
    case SO_PRIORITY:
        socket->priority = number;
        return 0;
    case SO_MARK:
        socket->mark = number;
        return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        buffer_set(number, &socket->receive_limit, &socket->receive_reported);
        return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        buffer_set(number, &socket->send_limit, &socket->send_reported);
        return 0;
    case SO_RCVLOWAT:
        socket->receive_low = number < 1 ? 1 : (uint32_t)number;
        return 0;
    case SO_SNDLOWAT: /* as Linux */
    default:
        return -ENOPROTOOPT;
    }
}

static int credentials_get(void *value, unsigned *size)
{
    struct {
        int pid, uid, gid;
    } none = {0, -1, -1};

    if (*size > sizeof(none))
        *size = sizeof(none);
    memcpy(value, &none, *size);
    return 0;
}

static int socket_get_wide(struct net_socket *socket, int name, void *value,
                           unsigned *size)
{
    switch (name) {
    case SO_LINGER:
        if (*size > sizeof(socket->linger))
            *size = sizeof(socket->linger);
        memcpy(value, &socket->linger, *size);
        return 0;
    case SO_RCVTIMEO:
        return timeout_get(socket->receive_timeout_ns, value, size);
    case SO_SNDTIMEO:
        return timeout_get(socket->send_timeout_ns, value, size);
    case SO_PEERCRED:
        return credentials_get(value, size);
    case SO_BINDTODEVICE:
        if (!net_interface_exists(socket->device)) {
            *size = 0;
            return 0;
        }
        if (*size < NET_NAME_SIZE)
            return -EINVAL;
        net_interface_name(socket->device, value);
        *size = (unsigned)strlen(value) + 1;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int socket_get(struct net_socket *socket, int name, void *value,
                      unsigned *size)
{
    int result = socket_get_wide(socket, name, value, size);

    if (result != -ENOPROTOOPT)
        return result;
    switch (name) {
    case SO_ERROR:
        return net_option_put(value, size, -net_socket_error(socket));
    case SO_TYPE:
        return net_option_put(value, size, socket->type);
    case SO_DOMAIN:
        return net_option_put(value, size, socket->domain);
    case SO_PROTOCOL:
        return net_option_put(value, size, socket->protocol);
    case SO_REUSEADDR:
        return net_option_put(value, size, socket->reuse_address);
    case SO_REUSEPORT:
        return net_option_put(value, size, socket->reuse_port);
    case SO_KEEPALIVE:
        return net_option_put(value, size, socket->keepalive);
    case SO_BROADCAST:
        return net_option_put(value, size, socket->broadcast);
    case SO_OOBINLINE:
        return net_option_put(value, size, socket->oob_inline);
    case SO_DONTROUTE:
        return net_option_put(value, size, socket->dont_route);
    case SO_TIMESTAMP:
        return net_option_put(value, size, socket->timestamp);
    case SO_PRIORITY:
        return net_option_put(value, size, socket->priority);
    case SO_MARK:
        return net_option_put(value, size, socket->mark);
    case SO_RCVBUF:
        return net_option_put(value, size, (int)socket->receive_reported);
    case SO_SNDBUF:
        return net_option_put(value, size, (int)socket->send_reported);
    case SO_RCVLOWAT:
        return net_option_put(value, size, (int)socket->receive_low);
    case SO_SNDLOWAT:
        return net_option_put(value, size, 1);
    case SO_ACCEPTCONN: /* of streams: stream_options.c */
        return net_option_put(value, size, 0);
    default:
        return -ENOPROTOOPT;
    }
}

/* -- IPPROTO_IP -- */

static int ip_set(struct net_socket *socket, int name, const void *value,
                  unsigned size)
{
    int number, result = int_or_byte(value, size, &number);

    if (result != 0)
        return result;
    switch (name) {
    case IP_TOS:
        socket->tos = (uint8_t)number;
        return 0;
    case IP_TTL:
        if (number != -1 && (number < 1 || number > 255))
            return -EINVAL;
        socket->ttl = (int16_t)number;
        return 0;
    case IP_RECVERR:
        socket->receive_errors = number != 0;
        return 0;
    case IP_MTU_DISCOVER:
        if (number < 0 || number > IP_PMTUDISC_OMIT)
            return -EINVAL;
        socket->mtu_discover = (uint8_t)number;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int ip_get(struct net_socket *socket, int name, void *value,
                  unsigned *size)
{
    switch (name) {
    case IP_TOS:
        return net_option_put(value, size, socket->tos);
    case IP_TTL:
        return net_option_put(value, size, socket->ttl < 0 ? 64 : socket->ttl);
    case IP_RECVERR:
        return net_option_put(value, size, socket->receive_errors);
    case IP_MTU_DISCOVER:
        return net_option_put(value, size, socket->mtu_discover);
    case IP_MTU:
        return net_option_put(value, size, 1500);
    default:
        return -ENOPROTOOPT;
    }
}

/* -- IPPROTO_IPV6 -- */

static int ip6_set(struct net_socket *socket, int name, const void *value,
                   unsigned size)
{
    int number, result;

    if (socket->domain != AF_INET6)
        return -ENOPROTOOPT;
    result = net_option_int(value, size, &number);
    if (result != 0)
        return result;
    switch (name) {
    case IPV6_V6ONLY:
        socket->v6only = number != 0;
        return 0;
    case IPV6_UNICAST_HOPS:
        if (number < -1 || number > 255)
            return -EINVAL;
        socket->hop_limit = (int16_t)number;
        return 0;
    case IPV6_TCLASS:
        if (number < -1 || number > 255)
            return -EINVAL;
        socket->traffic_class = number < 0 ? 0 : (uint8_t)number;
        return 0;
    case IPV6_RECVERR:
        socket->receive_errors = number != 0;
        return 0;
    case IPV6_MTU_DISCOVER:
        if (number < 0 || number > IPV6_PMTUDISC_OMIT)
            return -EINVAL;
        socket->mtu_discover = (uint8_t)number;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int ip6_get(struct net_socket *socket, int name, void *value,
                   unsigned *size)
{
    if (socket->domain != AF_INET6)
        return -ENOPROTOOPT;
    switch (name) {
    case IPV6_V6ONLY:
        return net_option_put(value, size, socket->v6only);
    case IPV6_UNICAST_HOPS:
        return net_option_put(value, size,
                              socket->hop_limit < 0 ? 64 : socket->hop_limit);
    case IPV6_TCLASS:
        return net_option_put(value, size, socket->traffic_class);
    case IPV6_RECVERR:
        return net_option_put(value, size, socket->receive_errors);
    case IPV6_MTU_DISCOVER:
        return net_option_put(value, size, socket->mtu_discover);
    case IPV6_MTU:
        return net_option_put(value, size, 1500);
    default:
        return -ENOPROTOOPT;
    }
}

/* -- */

int net_option_set(struct net_socket *socket, int level, int name,
                   const void *value, unsigned size)
{
    int result = -ENOPROTOOPT;

    if (level == SOL_SOCKET)
        result = socket_set(socket, name, value, size);
    else if (level == IPPROTO_IP)
        result = ip_set(socket, name, value, size);
    else if (level == IPPROTO_IPV6)
        result = ip6_set(socket, name, value, size);
    if (result == 0 && socket->apply)
        socket->apply(socket);
    return result;
}

int net_option_get(struct net_socket *socket, int level, int name, void *value,
                   unsigned *size)
{
    if (level == SOL_SOCKET)
        return socket_get(socket, name, value, size);
    if (level == IPPROTO_IP)
        return ip_get(socket, name, value, size);
    if (level == IPPROTO_IPV6)
        return ip6_get(socket, name, value, size);
    return -ENOPROTOOPT;
}
