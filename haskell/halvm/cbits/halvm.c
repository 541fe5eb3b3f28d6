/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the Haskell package calls: HaLVM's libraries, if the program is linked
 * with them (by halvm-ghc); else -ENOSYS, so that a package which imports it
 * builds and loads with any GHC.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __has_include
#if __has_include(<halvm/service.h>)
#define WITH_HALVM 1
#endif
#endif

#ifdef WITH_HALVM
#include <halvm/file.h>
#include <halvm/net.h>
#include <halvm/reroute.h>
#include <halvm/service.h>
#define HERE(call, otherwise) return call
#else
struct halvm_service;
struct halvm_event;
struct halvm_tree;
#define HERE(call, otherwise) return otherwise
#endif

int hs_halvm_linked(void)
{
#ifdef WITH_HALVM
    return 1;
#else
    return 0;
#endif
}

/* -- services -- */

struct halvm_service *hs_halvm_service_new(const char *name)
{
    HERE(halvm_service_new(name), NULL);
}

int hs_halvm_service_fd(struct halvm_service *service)
{
    HERE(halvm_service_fd(service), -1);
}

/* Of the runtime that has one thread, this is the one. */
void hs_halvm_service_own(struct halvm_service *service)
{
#ifdef WITH_HALVM
    halvm_service_owner(service, gettid());
#endif
}

void hs_halvm_service_patience(struct halvm_service *service, unsigned ms)
{
#ifdef WITH_HALVM
    halvm_service_patience(service, ms);
#endif
}

struct halvm_event *hs_halvm_service_take(struct halvm_service *service)
{
    HERE(halvm_service_take(service), NULL);
}

int hs_halvm_service_is_ended(struct halvm_service *service)
{
    HERE(halvm_service_ended(service) != NULL, 1);
}

void hs_halvm_service_end(struct halvm_service *service)
{
#ifdef WITH_HALVM
    halvm_service_end(service);
#endif
}

void hs_halvm_event_free(struct halvm_event *event)
{
#ifdef WITH_HALVM
    halvm_event_free(event);
#endif
}

/* kind, fd, id, size, seven numbers: eleven words. Returns the data. */
const unsigned char *hs_halvm_event_get(struct halvm_event *event,
                                        int64_t words[11])
{
#ifdef WITH_HALVM
    words[0] = event->kind;
    words[1] = event->fd;
    words[2] = (int64_t)event->id;
    words[3] = event->size;
    memcpy(words + 4, event->number, sizeof event->number);
    return event->data;
#else
    return NULL;
#endif
}

/* -- calls -- */

long hs_halvm_service_reroute(struct halvm_service *service, long number)
{
    HERE(halvm_service_reroute(service, number), -ENOSYS);
}

int hs_halvm_reroute_leave(long id)
{
    HERE(halvm_reroute_leave(id), -ENOSYS);
}

int hs_halvm_call_answer(struct halvm_service *service, uint64_t id,
                         long result)
{
    HERE(halvm_call_answer(service, id, result), -ENOSYS);
}

int hs_halvm_call_pass(struct halvm_service *service, uint64_t id)
{
    HERE(halvm_call_pass(service, id), -ENOSYS);
}

const char *hs_halvm_call_name(long number)
{
    HERE(halvm_call_name(number), NULL);
}

const char *hs_halvm_call_runtime(long number)
{
    HERE(halvm_call_runtime(number), NULL);
}

/* What an argument points to; -EFAULT if that is nothing. */
long hs_halvm_copy_in(void *to, const void *user, size_t size)
{
    HERE(halvm_copy_in(to, user, size), -ENOSYS);
}

long hs_halvm_copy_out(void *user, const void *from, size_t size)
{
    HERE(halvm_copy_out(user, from, size), -ENOSYS);
}

long hs_halvm_copy_string(char *to, const char *user, size_t room)
{
    HERE(halvm_copy_string(to, user, room), -ENOSYS);
}

/* -- sockets -- */

int hs_halvm_net_install(struct halvm_service *service, const int *domains,
                         int count)
{
    HERE(halvm_net_install(service, domains, count), -ENOSYS);
}

int hs_halvm_net_addresses(struct halvm_service *service, const void *addresses,
                           size_t size)
{
    HERE(halvm_net_addresses(service, addresses, size), -ENOSYS);
}

int hs_halvm_net_connected(struct halvm_service *service, uint64_t id)
{
    HERE(halvm_net_connected(service, id), -ENOSYS);
}

int hs_halvm_net_failed(struct halvm_service *service, uint64_t id, int error)
{
    HERE(halvm_net_failed(service, id, error), -ENOSYS);
}

int hs_halvm_net_broken(struct halvm_service *service, uint64_t id, int error)
{
    HERE(halvm_net_broken(service, id, error), -ENOSYS);
}

int hs_halvm_net_close(struct halvm_service *service, uint64_t id)
{
    HERE(halvm_net_close(service, id), -ENOSYS);
}

int hs_halvm_net_incoming(struct halvm_service *service, uint64_t listener,
                          const void *remote, size_t remote_size,
                          const void *local, size_t local_size, uint64_t *id)
{
    HERE(halvm_net_incoming(service, listener, remote, remote_size, local,
                            local_size, id),
         -ENOSYS);
}

/* The provider's end of a socket; results as the kernel's. */
long hs_halvm_send(int fd, const void *data, size_t size)
{
    ssize_t result = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    return result < 0 ? -errno : result;
}

long hs_halvm_receive(int fd, void *data, size_t size)
{
    ssize_t result = recv(fd, data, size, MSG_DONTWAIT);

    return result < 0 ? -errno : result;
}

int hs_halvm_finish(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

/* -- files -- */

struct halvm_tree *hs_halvm_tree_new(struct halvm_service *service, int flags)
{
    HERE(halvm_tree_new(service, flags), NULL);
}

long hs_halvm_tree_mount(struct halvm_tree *tree, const char *path)
{
    HERE(halvm_tree_mount(tree, path), -ENOSYS);
}

int hs_halvm_file_unmount(long id)
{
    HERE(halvm_file_unmount(id), -ENOSYS);
}

int hs_halvm_tree_put(struct halvm_tree *tree, const char *path,
                      const void *data, size_t size, unsigned mode)
{
    HERE(halvm_tree_put(tree, path, data, size, mode), -ENOSYS);
}

int hs_halvm_tree_directory(struct halvm_tree *tree, const char *path,
                            unsigned mode)
{
    HERE(halvm_tree_directory(tree, path, mode), -ENOSYS);
}

int hs_halvm_tree_serve(struct halvm_tree *tree, const char *path,
                        unsigned mode)
{
    HERE(halvm_tree_serve(tree, path, mode), -ENOSYS);
}

int hs_halvm_tree_remove(struct halvm_tree *tree, const char *path)
{
    HERE(halvm_tree_remove(tree, path), -ENOSYS);
}

long hs_halvm_tree_get(struct halvm_tree *tree, const char *path, void *buffer,
                       size_t size, int64_t offset)
{
    HERE(halvm_tree_get(tree, path, buffer, size, offset), -ENOSYS);
}

int hs_halvm_file_answer(struct halvm_service *service, uint64_t id,
                         const void *data, size_t size, int last)
{
    HERE(halvm_file_answer(service, id, data, size, last), -ENOSYS);
}

int hs_halvm_file_fail(struct halvm_service *service, uint64_t id, int error)
{
    HERE(halvm_file_fail(service, id, error), -ENOSYS);
}

/* -- the console: a descriptor takes another's place -- */

int hs_halvm_replace(int fd, int place)
{
    int kept = fcntl(place, F_DUPFD_CLOEXEC, 3);

    if (kept < 0 || dup2(fd, place) < 0)
        return -errno;
    return kept;
}
