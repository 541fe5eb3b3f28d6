/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of TCP sockets: IPPROTO_TCP, and the SOL_SOCKET ones that depend on
 * the connection. Times are seconds unless the option says milliseconds.
 */
#include <netinet/tcp.h>

#include "core/net/stream.h"

/* Linux's bounds: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT. */
#define KEEP_SECONDS_MAX 32767
#define KEEP_COUNT_MAX   127
#define SEGMENT_MIN      88
#define SEGMENT_DEFAULT  536 /* before the peer has said more */

static int in_range(int number, int low, int high)
{
    return number < low || number > high ? -EINVAL : 0;
}

static void cork_set(struct stream *stream, bool on)
{
    stream->cork = on;
    if (!on && stream->pcb && stream->state == STREAM_CONNECTED) {
        net_enter();
        tcp_output(stream->pcb);
        net_leave();
    }
}

static int keep_set(struct stream *stream, int name, int number)
{
    switch (name) {
    case TCP_KEEPIDLE:
        if (in_range(number, 1, KEEP_SECONDS_MAX))
            return -EINVAL;
        stream->keep_idle_ms = (uint32_t)number * 1000;
        return 0;
    case TCP_KEEPINTVL:
        if (in_range(number, 1, KEEP_SECONDS_MAX))
            return -EINVAL;
        stream->keep_interval_ms = (uint32_t)number * 1000;
        return 0;
    default:
        if (in_range(number, 1, KEEP_COUNT_MAX))
            return -EINVAL;
        stream->keep_count = (uint32_t)number;
        return 0;
    }
}

static int tcp_set(struct stream *stream, int name, int number)
{
    switch (name) {
    case TCP_NODELAY:
        stream->no_delay = number != 0;
        return 0;
    case TCP_CORK:
        cork_set(stream, number != 0);
        return 0;
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
    case TCP_KEEPCNT:
        return keep_set(stream, name, number);
    case TCP_MAXSEG:
        if (number != 0 && in_range(number, SEGMENT_MIN, 32767))
            return -EINVAL;
        stream->segment_max = (uint16_t)number;
        return 0;
    case TCP_USER_TIMEOUT:
        if (number < 0)
            return -EINVAL;
        stream->user_timeout_ms = (uint32_t)number;
        return 0;
    case TCP_DEFER_ACCEPT:
        stream->defer_accept = number < 0 ? 0 : (uint32_t)number;
        return 0;
    case TCP_QUICKACK:
        stream->quick_ack = number != 0;
        return 0;
    case TCP_NOTSENT_LOWAT:
        stream->not_sent_low = (uint32_t)number;
        return 0;
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_CONNECT:
        return -EOPNOTSUPP;
    default:
        return -ENOPROTOOPT;
    }
}

int stream_setsockopt(struct file *file, int level, int name, const void *value,
                      unsigned size)
{
    struct stream *stream = stream_of(file);
    int number, result;

    if (level != IPPROTO_TCP) {
        if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY &&
            stream->state != STREAM_NEW)
            return -EINVAL;
        return net_option_set(&stream->socket, level, name, value, size);
    }
    /* Linux knows one congestion control by this name as well. */
    if (name == TCP_CONGESTION)
        return size == 4 && memcmp(value, "reno", 4) == 0 ? 0 : -ENOENT;
    result = net_option_int(value, size, &number);
    if (result == 0)
        result = tcp_set(stream, name, number);
    if (result == 0)
        stream_apply(&stream->socket);
    return result;
}

/* lwIP's states in the order of Linux's TCP_ESTABLISHED ... */
static uint8_t linux_state(const struct stream *stream)
{
    static const uint8_t state_of[] = {[CLOSED] = TCP_CLOSE,
                                       [LISTEN] = TCP_LISTEN,
                                       [SYN_SENT] = TCP_SYN_SENT,
                                       [SYN_RCVD] = TCP_SYN_RECV,
                                       [ESTABLISHED] = TCP_ESTABLISHED,
                                       [FIN_WAIT_1] = TCP_FIN_WAIT1,
                                       [FIN_WAIT_2] = TCP_FIN_WAIT2,
                                       [CLOSE_WAIT] = TCP_CLOSE_WAIT,
                                       [CLOSING] = TCP_CLOSING,
                                       [LAST_ACK] = TCP_LAST_ACK,
                                       [TIME_WAIT] = TCP_TIME_WAIT};

    return stream->pcb ? state_of[stream->pcb->state] : TCP_CLOSE;
}

static int info_get(const struct stream *stream, void *value, unsigned *size)
{
    const struct tcp_pcb *pcb = stream->pcb;
    struct tcp_info info = {0};

    info.tcpi_state = linux_state(stream);
    if (pcb && stream->state == STREAM_CONNECTED) {
        info.tcpi_retransmits = pcb->nrtx;
        info.tcpi_options =
            (uint8_t)((pcb->flags & TF_TIMESTAMP ? TCPI_OPT_TIMESTAMPS : 0) |
                      (pcb->flags & TF_SACK ? TCPI_OPT_SACK : 0) |
                      (pcb->flags & TF_WND_SCALE ? TCPI_OPT_WSCALE : 0));
        info.tcpi_snd_wscale = pcb->snd_scale & 15;
        info.tcpi_rcv_wscale = pcb->rcv_scale & 15;
        info.tcpi_rto = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
        info.tcpi_snd_mss = pcb->mss;
        info.tcpi_rcv_mss = TCP_MSS;
        info.tcpi_rtt = (uint32_t)(pcb->sa >> 3) * TCP_SLOW_INTERVAL * 1000;
        info.tcpi_snd_ssthresh = pcb->ssthresh / pcb->mss;
        info.tcpi_snd_cwnd = pcb->cwnd / pcb->mss;
        info.tcpi_rcv_space = pcb->rcv_wnd;
        info.tcpi_unacked = pcb->snd_queuelen;
    } else if (stream->state == STREAM_LISTENING) {
        info.tcpi_unacked = stream->queue_count;
        info.tcpi_sacked = stream->backlog;
    }
    if (*size > sizeof(info))
        *size = sizeof(info);
    memcpy(value, &info, *size);
    return 0;
}

static int tcp_get(const struct stream *stream, int name, int *number)
{
    const struct tcp_pcb *pcb =
        stream->state == STREAM_CONNECTED ? stream->pcb : NULL;

    switch (name) {
    case TCP_NODELAY:
        *number = stream->no_delay;
        return 0;
    case TCP_CORK:
        *number = stream->cork;
        return 0;
    case TCP_KEEPIDLE:
        *number = (int)(stream->keep_idle_ms / 1000);
        return 0;
    case TCP_KEEPINTVL:
        *number = (int)(stream->keep_interval_ms / 1000);
        return 0;
    case TCP_KEEPCNT:
        *number = (int)stream->keep_count;
        return 0;
    case TCP_MAXSEG:
        *number = pcb ? pcb->mss : SEGMENT_DEFAULT;
        return 0;
    case TCP_USER_TIMEOUT:
        *number = (int)stream->user_timeout_ms;
        return 0;
    case TCP_DEFER_ACCEPT:
        *number = (int)stream->defer_accept;
        return 0;
    case TCP_QUICKACK:
        *number = stream->quick_ack;
        return 0;
    case TCP_NOTSENT_LOWAT:
        *number = (int)stream->not_sent_low;
        return 0;
    case TCP_FASTOPEN:
        *number = 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int stream_getsockopt(struct file *file, int level, int name, void *value,
                      unsigned *size)
{
    struct stream *stream = stream_of(file);
    int number, result;

    if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
        return net_option_put(value, size, stream->state == STREAM_LISTENING);
    if (level != IPPROTO_TCP)
        return net_option_get(&stream->socket, level, name, value, size);
    if (name == TCP_INFO)
        return info_get(stream, value, size);
    if (name == TCP_CONGESTION) {
        if (*size > 16)
            *size = 16;
        memset(value, 0, *size);
        memcpy(value, "reno", *size < 4 ? *size : 4);
        return 0;
    }
    result = tcp_get(stream, name, &number);
    return result == 0 ? net_option_put(value, size, number) : result;
}
