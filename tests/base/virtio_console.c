/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio console by the driver's own door: writes 9,000 bytes, then waits
 * for what is typed, in small pieces.
 *
 * device: virtio-serial
 * qemu: -chardev ringbuf,id=c,size=4096 -device virtconsole,chardev=c
 * qemu: -global virtio-mmio.force-legacy=false
 * monitor: ringbuf_write c abcdefghij
 */
#include <string.h>

#include "check.h"
#include "wait.h"
#include "drivers/virtio/virtio.h"

void test_main(void)
{
    static const char wanted[] = "abcdefghij";
    static char text[9000];
    size_t size = 0;

    memset(text, 'x', sizeof(text));
    CHECK(virtio_console_write(text, sizeof(text)));
    CHECK(virtio_console_read(text, 1) == 0);
    say("ready\n");
    while (size < sizeof(wanted) - 1) {
        size_t count = virtio_console_read(text + size, 3);

        if (count == 0)
            wait_for(BASE_READY_CONSOLE);
        size += count;
    }
    CHECK(memcmp(text, wanted, size) == 0);
    CHECK(virtio_console_read(text, 1) == 0);
    pass();
}
