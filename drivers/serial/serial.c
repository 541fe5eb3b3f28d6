/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 16550 serial port. Called by the console of a base.
 *
 * Output is polled: the FIFO takes 16 bytes at a time once it is empty.
 * Registers: National Semiconductor PC16550D data sheet, section 8.
 */
#include "serial.h"

#include "base/hw/hw.h"

enum {
    UART_DATA = 0,
    UART_IER = 1, /* interrupt enable */
    UART_FCR = 2, /* FIFO control, write */
    UART_LCR = 3, /* line control */
    UART_MCR = 4, /* modem control */
    UART_LSR = 5, /* line status */
    UART_SCRATCH = 7,
};

#define IER_RECEIVED     0x01
#define FCR_ENABLE_CLEAR 0x07
#define LCR_8N1          0x03
#define LCR_DIVISOR      0x80
#define MCR_DTR_RTS_OUT2 0x0b
#define LSR_RECEIVED     0x01
#define LSR_EMPTY        0x20
#define UART_FIFO_SIZE   16
#define UART_POLLS_MAX   200000 /* then the line is taken for dead */

/* What had come in before serial_init, for the first serial_read. */
static uint8_t early;
static bool have_early;

bool serial_init(uint16_t port)
{
    hw_out8(port + UART_SCRATCH, 0x5a);
    if (hw_in8(port + UART_SCRATCH) != 0x5a)
        return false;
    hw_out8(port + UART_IER, 0);
    hw_out8(port + UART_LCR, LCR_DIVISOR | LCR_8N1);
    hw_out8(port + UART_DATA, 1); /* 115200 baud */
    hw_out8(port + UART_IER, 0);
    hw_out8(port + UART_LCR, LCR_8N1);
    /* Enabling the FIFO drops the one byte that a port without it keeps. */
    if (hw_in8(port + UART_LSR) & LSR_RECEIVED) {
        early = hw_in8(port + UART_DATA);
        have_early = true;
    }
    hw_out8(port + UART_FCR, FCR_ENABLE_CLEAR);
    hw_out8(port + UART_MCR, MCR_DTR_RTS_OUT2);
    return true;
}

void serial_write(uint16_t port, const void *data, size_t size)
{
    const uint8_t *next = data;

    while (size > 0) {
        size_t count = size < UART_FIFO_SIZE ? size : UART_FIFO_SIZE;
        unsigned polls = 0;

        while (!(hw_in8(port + UART_LSR) & LSR_EMPTY))
            if (++polls == UART_POLLS_MAX)
                return;
        size -= count;
        __asm__ volatile("rep outsb"
                         : "+S"(next), "+c"(count)
                         : "d"(port)
                         : "memory");
    }
}

size_t serial_read(uint16_t port, void *data, size_t size)
{
    uint8_t *out = data;
    size_t count = 0;

    if (have_early && size > 0) {
        out[count++] = early;
        have_early = false;
    }
    while (count < size && (hw_in8(port + UART_LSR) & LSR_RECEIVED))
        out[count++] = hw_in8(port + UART_DATA);
    return count;
}

bool serial_pending(uint16_t port)
{
    return have_early || (hw_in8(port + UART_LSR) & LSR_RECEIVED) != 0;
}

void serial_interrupt(uint16_t port, bool enable)
{
    hw_out8(port + UART_IER, enable ? IER_RECEIVED : 0);
}
