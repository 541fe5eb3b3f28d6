/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control data of messages (cmsg(3)) in core's buffers. The application's
 * msg_control was copied by core/file; what is written here is copied back.
 */
#ifndef HALVM_NET_CONTROL_H
#define HALVM_NET_CONTROL_H

#include <sys/socket.h>

#include "core/core.h"

/* Filling: start with room = msg_controllen and msg_controllen = 0. */
struct control_out {
    struct msghdr *message;
    size_t room;
};

static inline void control_start(struct control_out *out,
                                 struct msghdr *message)
{
    out->message = message;
    out->room = message->msg_control ? message->msg_controllen : 0;
    message->msg_controllen = 0;
}

/* Appends one; if there is no room, says MSG_CTRUNC and returns NULL, else
 * where its size bytes of data go. */
static inline void *control_add(struct control_out *out, int level, int type,
                                size_t size)
{
    struct msghdr *message = out->message;
    size_t used = CMSG_ALIGN(message->msg_controllen);
    struct cmsghdr header = {0};
    char *at;

    if (used + CMSG_LEN(size) > out->room) {
        message->msg_flags |= MSG_CTRUNC;
        return NULL;
    }
    header.cmsg_len = (socklen_t)CMSG_LEN(size);
    header.cmsg_level = level;
    header.cmsg_type = type;
    at = (char *)message->msg_control + used;
    memcpy(at, &header, sizeof(header));
    used += CMSG_SPACE(size);
    message->msg_controllen = (socklen_t)(used < out->room ? used : out->room);
    return at + CMSG_LEN(0);
}

static inline void control_put(struct control_out *out, int level, int type,
                               const void *data, size_t size)
{
    void *at = control_add(out, level, type, size);

    if (at)
        memcpy(at, data, size);
}

/* Walking: *offset starts at 0. Returns whether there is one more, its
 * header and data; a malformed one ends the walk with *bad. */
static inline bool control_next(const struct msghdr *message, size_t *offset,
                                struct cmsghdr *header, const void **data,
                                bool *bad)
{
    size_t size = message->msg_control ? message->msg_controllen : 0;

    if (*offset + sizeof(*header) > size)
        return false;
    memcpy(header, (const char *)message->msg_control + *offset,
           sizeof(*header));
    if (header->cmsg_len < CMSG_LEN(0) || header->cmsg_len > size - *offset) {
        *bad = true;
        return false;
    }
    *data = (const char *)message->msg_control + *offset + CMSG_LEN(0);
    *offset += CMSG_ALIGN((size_t)header->cmsg_len);
    return true;
}

#endif
