/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * musl's resolver sends its questions and waits for the answers. In the one
 * thread of a runtime that serves the network itself (reroute/net.c) none can
 * come while that waits; so there the questions stay unanswered at once, which
 * the caller is told as EAI_AGAIN. musl's own functions are __musl_res_msend
 * and __musl_res_msend_rc by then (see the Makefile).
 */
#include <resolv.h>
#include <string.h>

#include "network/lookup.h"

/* Whether the calling thread would wait for itself; NULL: nobody could. */
int (*__halvm_serves_itself)(void);

hidden int __musl_res_msend_rc(int, const unsigned char *const *, const int *,
                               unsigned char *const *, int *, int,
                               const struct resolvconf *);

int __res_msend_rc(int count, const unsigned char *const *queries,
                   const int *query_sizes, unsigned char *const *answers,
                   int *answer_sizes, int room, const struct resolvconf *conf)
{
    if (__halvm_serves_itself && __halvm_serves_itself()) {
        memset(answer_sizes, 0, (size_t)count * sizeof *answer_sizes);
        return 0;
    }
    return __musl_res_msend_rc(count, queries, query_sizes, answers,
                               answer_sizes, room, conf);
}

int __res_msend(int count, const unsigned char *const *queries,
                const int *query_sizes, unsigned char *const *answers,
                int *answer_sizes, int room)
{
    struct resolvconf conf;

    if (__get_resolv_conf(&conf, 0, 0) < 0)
        return -1;
    return __res_msend_rc(count, queries, query_sizes, answers, answer_sizes,
                          room, &conf);
}
