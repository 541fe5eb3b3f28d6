/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TIME_WAIT, where lwIP is stricter or slower than its peers expect.
 *
 * It lasts a second and holds a bounded number of control blocks, since every
 * segment of a new connection walks through all of them. And a SYN that is
 * plainly newer starts a new connection at once, as RFC 6191 and Linux have
 * it; lwIP answers it with a reset or leaves it to its sender's timeout.
 */
#include "core/net/net.h"

#include "arch/hooks.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"

#define TICKS     (1000 / TCP_SLOW_INTERVAL)
#define COUNT_MAX 1024

/* Called before tcp_slowtmr(), which ends those whose time it finds over, all
 * in one walk; tcp_abort() would walk the list for each. The newest are first
 * in the list. */
void net_time_wait_expire(void)
{
    unsigned count = 0;

    for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
        if (++count > COUNT_MAX || tcp_ticks - pcb->tmr > TICKS)
            pcb->tmr = tcp_ticks - 3 * TCP_MSL / TCP_SLOW_INTERVAL;
    }
}

/*
 * In tcp_input(), which has turned the header's fields around, moved p past
 * it, and does nothing more than free p after an answer other than ERR_OK. So
 * for a new connection the old one is dropped, p is put back as it came, and
 * goes through tcp_input() again.
 */
err_t net_time_wait_input(struct tcp_pcb *pcb, struct tcp_hdr *header,
                          u16_t options_size, struct pbuf *p)
{
    if ((TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) !=
            TCP_SYN ||
        !TCP_SEQ_GT(header->seqno, pcb->rcv_nxt))
        return ERR_OK;
    if (pbuf_add_header(p, (size_t)TCP_HLEN + options_size) != 0 ||
        p->payload != header)
        return ERR_OK;
    tcp_abandon(pcb, 0);
    header->src = lwip_htons(header->src);
    header->dest = lwip_htons(header->dest);
    header->seqno = lwip_htonl(header->seqno);
    header->ackno = lwip_htonl(header->ackno);
    header->wnd = lwip_htons(header->wnd);
    pbuf_ref(p);
    tcp_input(p, ip_current_input_netif());
    return ERR_ABRT;
}
