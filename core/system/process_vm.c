/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_vm_readv and process_vm_writev: copies between two lists of buffers.
 * There is one process, so both lists are its own. What the calls are good for
 * here is that an address at which nothing is ends in an error: reroute/ looks
 * through them at what an application's pointers point to. Monitor held.
 */
#include "core/calls.h"
#include "core/file/file.h"

/* A place in a list of buffers. */
struct place {
    const struct file_iov *list;
    int index;
    size_t skip; /* bytes of the buffer at index that are done */
};

/* The rest of the buffer that a place is in, an empty one passed over; 0: the
 * list has ended. */
static size_t rest_of(struct place *place)
{
    while (place->index < place->list->count) {
        size_t rest = place->list->iov[place->index].iov_len - place->skip;
        if (rest > 0)
            return rest;
        place->index++;
        place->skip = 0;
    }
    return 0;
}

static char *address_of(const struct place *place)
{
    return (char *)place->list->iov[place->index].iov_base + place->skip;
}

/* Copies until a list ends or an address is bad, piece by piece: so what is
 * bad later does not take back what was done. Bytes or -EFAULT. */
static long copy(const struct file_iov *to, const struct file_iov *from)
{
    struct place target = {to, 0, 0}, source = {from, 0, 0};
    long done = 0;

    for (;;) {
        size_t room = rest_of(&target), size = rest_of(&source);

        if (size > room)
            size = room;
        if (size == 0)
            return done;
        if (arch_copy(address_of(&target), address_of(&source), size) != 0)
            return done > 0 ? done : -EFAULT;
        target.skip += size;
        source.skip += size;
        done += (long)size;
    }
}

static long transfer(const long args[6], bool write)
{
    struct file_iov local, remote;
    long result;

    if (args[5] != 0 || (unsigned long)args[2] > LIMIT_IOV ||
        (unsigned long)args[4] > LIMIT_IOV)
        return -EINVAL;
    result = file_iov_get(&local, (const struct iovec *)args[1], (int)args[2]);
    if (result < 0)
        return result;
    result = file_iov_get(&remote, (const struct iovec *)args[3], (int)args[4]);
    if (result < 0)
        goto out;
    result = 0;
    if (local.total > 0 && remote.total > 0) {
        if ((int)args[0] != core_getpid())
            result = -ESRCH;
        else
            result = write ? copy(&remote, &local) : copy(&local, &remote);
    }
    file_iov_put(&remote);
out:
    file_iov_put(&local);
    return result;
}

long core_process_vm_readv(long pid, long local, long local_count, long remote,
                           long remote_count, long flags)
{
    const long args[6] = {pid, local, local_count, remote, remote_count, flags};

    return transfer(args, false);
}

long core_process_vm_writev(long pid, long local, long local_count, long remote,
                            long remote_count, long flags)
{
    const long args[6] = {pid, local, local_count, remote, remote_count, flags};

    return transfer(args, true);
}
