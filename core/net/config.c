/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration of the interfaces, and /etc/resolv.conf.
 *
 *   halvm.ip=A.B.C.D/M   a fixed address; else DHCP
 *   halvm.gw=A.B.C.D     its default gateway
 *   halvm.ip6=ADDRESS    a fixed IPv6 address, beside router advertisements
 *   halvm.dns=A[,B[,C]]  name servers; else those of DHCP and of routers
 *   halvm.hostname=NAME  told to the DHCP server
 *
 * The options are for the first interface; others use DHCP. lwIP reports name
 * servers to dns_setserver() here in place of its own resolver: names are
 * resolved by the C library, which reads /etc/resolv.conf.
 */
#include "core/file/file.h"
#include "core/net/net.h"
#include "core/time/time.h"

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/ethip6.h"

/* How long a first connection waits for an address. DHCP asks again after
 * two, four, ... seconds; a router answers a solicitation within one, after
 * the second that duplicate address detection takes. */
#define WAIT_IP4_NS (10 * TIME_SECOND)
#define WAIT_IP6_NS (4 * TIME_SECOND)

#define SERVERS_MAX DNS_MAX_SERVERS
static ip_addr_t servers[2][SERVERS_MAX]; /* of DHCP; of routers */
static bool servers_fixed;

static struct wait_queue changed = WAIT_QUEUE_INIT(changed);
static uint64_t started_ns;

/* -- name servers -- */

static void resolv_write(void)
{
    char text[6 * 64];
    size_t size = 0;

    for (unsigned i = 0; i < 2 * SERVERS_MAX; i++) {
        const ip_addr_t *server = &servers[i / SERVERS_MAX][i % SERVERS_MAX];
        char name[IPADDR_STRLEN_MAX];

        if (ip_addr_isany(server) || !ipaddr_ntoa_r(server, name, sizeof(name)))
            continue;
        size += (size_t)core_format(text + size, sizeof(text) - size,
                                    "nameserver %s\n", name);
    }
    if (size > 0)
        file_provide("/etc/resolv.conf", text, size);
    wait_wake(&changed, 0, 0);
}

/* lwIP's dns.h, in place of its dns.c. */
void dns_init(void)
{
}

void dns_setserver(u8_t number, const ip_addr_t *server)
{
    static const ip_addr_t none = IPADDR4_INIT(IPADDR_ANY);
    unsigned family = server && IP_IS_V6(server);

    if (servers_fixed || number >= SERVERS_MAX)
        return;
    /* lwIP numbers DHCP's and the routers' servers alike, and takes the
     * routers' back with NULL. */
    if (!server)
        family = 1;
    servers[family][number] = server ? *server : none;
    resolv_write();
}

static void servers_from_option(void)
{
    const char *option = core_option("dns");
    char name[IPADDR_STRLEN_MAX];
    unsigned count = 0;

    while (option && *option && count < SERVERS_MAX) {
        size_t size = strcspn(option, ",");

        if (size < sizeof(name)) {
            memcpy(name, option, size);
            name[size] = '\0';
            if (ipaddr_aton(name, &servers[0][count]))
                count++;
        }
        option += size + (option[size] == ',');
    }
    if (count > 0) {
        servers_fixed = true;
        resolv_write();
    } else if (option) {
        core_log("halvm: net: halvm.dns: not an address: %s\n",
                 core_option("dns"));
    }
}

/* lwIP compares a router's servers with what it has. */
const ip_addr_t *dns_getserver(u8_t number)
{
    return number < SERVERS_MAX ? &servers[1][number] : IP4_ADDR_ANY;
}

/* -- addresses -- */

/* A.B.C.D or A.B.C.D/M. */
static bool parse_ip4(const char *text, ip4_addr_t *ip, ip4_addr_t *mask)
{
    char address[IP4ADDR_STRLEN_MAX];
    size_t size = strcspn(text, "/");
    unsigned bits = 24;

    if (size >= sizeof(address))
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (text[size] == '/') {
        bits = 0;
        for (const char *p = text + size + 1; *p; p++) {
            if (*p < '0' || *p > '9' || bits > 32)
                return false;
            bits = bits * 10 + (unsigned)(*p - '0');
        }
        if (bits > 32)
            return false;
    }
    ip4_addr_set_u32(mask, bits ? lwip_htonl(~0u << (32 - bits)) : 0);
    return ip4addr_aton(address, ip);
}

static bool fixed_ip4(struct netif *netif)
{
    const char *option = core_option("ip");
    const char *gateway = core_option("gw");
    ip4_addr_t ip, mask, gw;

    if (!option)
        return false;
    if (!parse_ip4(option, &ip, &mask)) {
        core_log("halvm: net: halvm.ip: not A.B.C.D/M: %s\n", option);
        return false;
    }
    ip4_addr_set_zero(&gw);
    if (gateway && !ip4addr_aton(gateway, &gw))
        core_log("halvm: net: halvm.gw: not A.B.C.D: %s\n", gateway);
    netif_set_addr(netif, &ip, &mask, &gw);
    return true;
}

static void fixed_ip6(struct netif *netif)
{
    const char *option = core_option("ip6");
    char address[IP6ADDR_STRLEN_MAX];
    ip6_addr_t ip;
    size_t size;
    s8_t slot;

    if (!option)
        return;
    /* A prefix length is read over: lwIP knows /64 only. */
    size = strcspn(option, "/");
    if (size < sizeof(address)) {
        memcpy(address, option, size);
        address[size] = '\0';
        if (ip6addr_aton(address, &ip) &&
            netif_add_ip6_address(netif, &ip, &slot) == ERR_OK) {
            netif_ip6_addr_set_state(netif, slot, IP6_ADDR_PREFERRED);
            return;
        }
    }
    core_log("halvm: net: halvm.ip6: not an address: %s\n", option);
}

static void status_changed(struct netif *netif)
{
    wait_wake(&changed, 0, 0);
}

void net_config_start(struct netif *netif)
{
    bool first = netif_get_index(netif) == 2;
    const char *hostname = core_option("hostname");

    if (first) {
        started_ns = time_now_ns();
        servers_from_option();
    }
    netif_set_hostname(netif, hostname && *hostname ? hostname : "halvm");
    netif_set_status_callback(netif, status_changed);
    netif_set_up(netif);
    netif_create_ip6_linklocal_address(netif, 1);
    netif_set_ip6_autoconfig_enabled(netif, 1);
    if (first)
        fixed_ip6(netif);
    if (!(first && fixed_ip4(netif)) && dhcp_start(netif) != ERR_OK)
        core_log("halvm: net: no memory for DHCP\n");
}

/* -- waiting for it -- */

static bool has_ip4(void)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (netif_get_index(netif) > 1 && netif_is_up(netif) &&
            !ip4_addr_isany(netif_ip4_addr(netif)))
            return true;
    }
    return false;
}

static bool has_ip6(void)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (netif_get_index(netif) == 1)
            continue;
        for (s8_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
            if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
                return true;
        }
    }
    return false;
}

static int wait_until(bool (*done)(void), uint64_t wait_ns)
{
    while (!done() && net_interface_by_index(2)) {
        int result = wait_on(&changed, started_ns + wait_ns, true);

        if (result == -ETIMEDOUT)
            return 0;
        if (result < 0)
            return -CORE_RESTART;
    }
    return 0;
}

int net_wait_address(const ip_addr_t *dest)
{
    if (ip_addr_isloopback(dest) || ip_addr_isany(dest))
        return 0;
    if (!IP_IS_V6(dest))
        return wait_until(has_ip4, WAIT_IP4_NS);
    if (ip6_addr_islinklocal(ip_2_ip6(dest)))
        return 0;
    return wait_until(has_ip6, WAIT_IP6_NS);
}

void net_wait_configured(void)
{
    if (net_start() == 0)
        wait_until(has_ip4, WAIT_IP4_NS);
}
