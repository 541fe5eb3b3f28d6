/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio console by the driver's own door. Its other end is a UDP socket
 * that sends to itself, so what is written comes back to be read: in small
 * pieces, many times.
 *
 * skip: xen a virtio device that Xen does not have; its console is in console
 * device: virtio-serial
 * qemu: -chardev udp,id=c,host=127.0.0.1,port=17953,localport=17953
 * qemu: -device virtconsole,chardev=c
 * qemu: -global virtio-mmio.force-legacy=false
 */
#include <string.h>

#include "check.h"
#include "wait.h"
#include "drivers/virtio/virtio.h"

#define ROUNDS 200

void test_main(void)
{
    static char out[900], in[900];

    CHECK(virtio_console_read(in, 1) == 0);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        size_t size = round * 37 % sizeof(out) + 1, count = 0;

        for (size_t i = 0; i < size; i++)
            out[i] = (char)(round + i);
        CHECK(virtio_console_write(out, size));
        while (count < size) {
            size_t piece = virtio_console_read(in + count, 100);

            CHECK(count + piece <= size);
            count += piece;
            if (piece == 0)
                wait_for(BASE_READY_CONSOLE);
        }
        CHECK(memcmp(in, out, size) == 0);
    }
    CHECK(virtio_console_read(in, 1) == 0);
    pass();
}
