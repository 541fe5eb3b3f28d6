/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console of base hw: Xen's in its guests, else the first serial port, else
 * virtio's.
 *
 * Written by core and by crash reports, in any context. Serial input comes by
 * interrupt where there is an I/O APIC; core also looks when it is told to.
 */
#include <stdarg.h>

#include "drivers/serial/serial.h"
#include "drivers/xen/xen.h"
#include "drivers/virtio/virtio.h"
#include "parts.h"

static bool present;       /* the serial port */
static bool devices_known; /* from when on a virtio device can be used */

void hw_console_init(void)
{
    if (!xen_pv)
        present = serial_init(SERIAL_COM1);
}

static void input_interrupt(void *argument)
{
    /* The line stays up until the bytes are read, which core does. */
    serial_interrupt(SERIAL_COM1, false);
    hw_ready(BASE_READY_CONSOLE);
}

void hw_console_devices(void)
{
    devices_known = true;
}

void hw_console_input_init(void)
{
    if (xen_present)
        xen_console_input_init();
    else if (present && hw_irq_line(SERIAL_COM1_GSI, false, false,
                                    input_interrupt, NULL) == BASE_OK)
        serial_interrupt(SERIAL_COM1, true);
}

void hw_console_write(const void *data, size_t size)
{
    if (xen_present)
        xen_console_write(data, size);
    else if (present)
        serial_write(SERIAL_COM1, data, size);
    else if (devices_known)
        virtio_console_write(data, size);
}

size_t hw_console_read(void *data, size_t size)
{
    size_t count = 0;

    if (xen_present)
        return xen_console_read(data, size);
    if (!present)
        return virtio_console_read(data, size);
    count = serial_read(SERIAL_COM1, data, size);
    /* A byte that comes between reading and this raises the line at once. */
    serial_interrupt(SERIAL_COM1, true);
    return count;
}

static void print_number(uint64_t value, unsigned base, unsigned width)
{
    char text[20];
    unsigned at = sizeof(text);

    do {
        text[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || sizeof(text) - at < width);
    hw_console_write(text + at, sizeof(text) - at);
}

void hw_print(const char *format, ...)
{
    const char *start = format;
    va_list args;

    va_start(args, format);
    for (;; format++) {
        if (*format != '%' && *format != 0)
            continue;
        hw_console_write(start, format - start);
        if (*format == 0)
            break;
        format++;
        if (*format == 's') {
            const char *text = va_arg(args, const char *);
            size_t size = 0;
            while (text[size] != 0)
                size++;
            hw_console_write(text, size);
        } else if (*format == 'x') {
            print_number(va_arg(args, uint64_t), 16, 16);
        } else {
            print_number(va_arg(args, uint64_t), 10, 1);
        }
        start = format + 1;
    }
    va_end(args);
}
