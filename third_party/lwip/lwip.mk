# SPDX-License-Identifier: BSD-3-Clause
# lwIP 2.1.3: which of its files are built, below build/third_party/lwip.
#
# init.c, mem.c, memp.c, timeouts.c and dns.c are left out on purpose: net.c,
# lwip_memory.c, timers.c and config.c of core/net stand in their place.

LWIP_FILES := $(addprefix src/, \
	core/def.c core/inet_chksum.c core/ip.c core/netif.c \
	core/pbuf.c core/raw.c core/tcp.c core/tcp_in.c core/tcp_out.c \
	core/udp.c \
	core/ipv4/dhcp.c core/ipv4/etharp.c core/ipv4/icmp.c \
	core/ipv4/igmp.c core/ipv4/ip4.c core/ipv4/ip4_addr.c \
	core/ipv4/ip4_frag.c \
	core/ipv6/ethip6.c core/ipv6/icmp6.c core/ipv6/inet6.c \
	core/ipv6/ip6.c core/ipv6/ip6_addr.c core/ipv6/ip6_frag.c \
	core/ipv6/mld6.c core/ipv6/nd6.c netif/ethernet.c)

# lwIP's headers do not stand our warnings.
$(B)/obj/core/net/%.o: CFLAGS_HERE += -isystem $(B)/third_party/lwip/src/include
