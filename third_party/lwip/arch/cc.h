/* SPDX-License-Identifier: BSD-3-Clause */
/* What lwIP asks of compiler and platform. Included by lwip/arch.h. */
#ifndef HALVM_LWIP_CC_H
#define HALVM_LWIP_CC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H  1

#define lwip_htons(x) ((u16_t)__builtin_bswap16(x))
#define lwip_htonl(x) ((u32_t)__builtin_bswap32(x))

uint32_t net_random32(void);
#define LWIP_RAND() net_random32()

void net_lwip_failed(const char *what) __attribute__((noreturn));
#define LWIP_PLATFORM_DIAG(x)   ((void)0)
#define LWIP_PLATFORM_ASSERT(x) net_lwip_failed(x)
/* The unit tests and fuzzers turn lwIP's own assertions on; it has them for
 * every call, and in an image their text alone is larger than a hello. */
#ifndef HALVM_LWIP_ASSERT
#define LWIP_NOASSERT 1
#endif

#endif
