/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP "destination unreachable", told to the socket whose packet it quotes:
 * ECONNREFUSED for a connected datagram socket and its like. lwIP itself
 * drops these, so two raw pcbs look at every ICMP packet before lwIP does.
 */
#include "core/net/icmp.h"
#include "core/net/socket.h"

#include "lwip/icmp.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip6.h"
#include "lwip/raw.h"

/* What is looked at: both IP headers, without extensions, and the ports. */
#define QUOTED_PORTS 4

/* Linux's icmp_err_convert[]; 0: not an error for sockets. */
static int error_of_code4(unsigned code)
{
    switch (code) {
    case 0:
    case 6:
    case 9:
    case 11:
        return ENETUNREACH;
    case 2:
        return ENOPROTOOPT;
    case 3:
        return ECONNREFUSED;
    case 4:
        return 0;
    default:
        return EHOSTUNREACH;
    }
}

/* Linux's tab_unreach[]. */
static int error_of_code6(unsigned code)
{
    switch (code) {
    case 0:
        return ENETUNREACH;
    case 1:
    case 5:
    case 6:
        return EACCES;
    case 4:
        return ECONNREFUSED;
    default:
        return EHOSTUNREACH;
    }
}

/* ports: of the quoted packet, which we sent. */
static void tell(unsigned protocol, const ip_addr_t *local,
                 const ip_addr_t *remote, const uint8_t *ports, int error)
{
    uint16_t local_port = (uint16_t)(ports[0] << 8 | ports[1]);
    uint16_t remote_port = (uint16_t)(ports[2] << 8 | ports[3]);

    if (error == 0)
        return;
    if (protocol == IP_PROTO_UDP)
        net_datagram_unreachable(local, local_port, remote, remote_port, error);
    else if (protocol == IP_PROTO_TCP)
        net_stream_unreachable(local, local_port, remote, remote_port, error);
}

/* p starts at the IP header. 0: lwIP looks at it as well. */
static u8_t received4(void *arg, struct raw_pcb *pcb, struct pbuf *p,
                      const ip_addr_t *from)
{
    uint8_t data[8 + 60 + QUOTED_PORTS];
    u16_t header = ip_current_header_tot_len();
    u16_t size = pbuf_copy_partial(p, data, sizeof(data), header);
    const uint8_t *quoted = data + 8;
    ip_addr_t local, remote;
    unsigned quoted_header;
    uint32_t address;

    if (size < 8 + 20 + QUOTED_PORTS || data[0] != ICMP_DUR)
        return 0;
    quoted_header = (quoted[0] & 15u) * 4;
    if (quoted[0] >> 4 != 4 || quoted_header < 20 ||
        8 + quoted_header + QUOTED_PORTS > size)
        return 0;
    memcpy(&address, quoted + 12, 4);
    ip_addr_set_ip4_u32_val(local, address);
    memcpy(&address, quoted + 16, 4);
    ip_addr_set_ip4_u32_val(remote, address);
    tell(quoted[9], &local, &remote, quoted + quoted_header,
         error_of_code4(data[1]));
    return 0;
}

static void address6(ip_addr_t *out, const uint8_t *from)
{
    IP_SET_TYPE_VAL(*out, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(out)->addr, from, 16);
    ip6_addr_clear_zone(ip_2_ip6(out));
    ip6_addr_assign_zone(ip_2_ip6(out), IP6_UNKNOWN, ip_current_input_netif());
}

static u8_t received6(void *arg, struct raw_pcb *pcb, struct pbuf *p,
                      const ip_addr_t *from)
{
    uint8_t data[8 + 40 + QUOTED_PORTS];
    u16_t header = ip_current_header_tot_len();
    u16_t size = pbuf_copy_partial(p, data, sizeof(data), header);
    const uint8_t *quoted = data + 8;
    ip_addr_t local, remote;

    if (size < sizeof(data) || data[0] != ICMP6_TYPE_DUR)
        return 0;
    address6(&local, quoted + 8);
    address6(&remote, quoted + 24);
    tell(quoted[6], &local, &remote, quoted + 40, error_of_code6(data[1]));
    return 0;
}

int net_icmp_start(void)
{
    struct raw_pcb *pcb4 = raw_new(IP_PROTO_ICMP);
    struct raw_pcb *pcb6 = raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6);

    if (!pcb4 || !pcb6) {
        if (pcb4)
            raw_remove(pcb4);
        if (pcb6)
            raw_remove(pcb6);
        return -ENOMEM;
    }
    raw_recv(pcb4, received4, NULL);
    raw_recv(pcb6, received6, NULL);
    return 0;
}
