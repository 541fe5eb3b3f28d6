/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 16550 serial port, polled for output and with an interrupt for input.
 */
#ifndef HALVM_SERIAL_H
#define HALVM_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_COM1     0x3f8
#define SERIAL_COM1_GSI 4

/* Finds and sets up the port; false if there is none. */
bool serial_init(uint16_t port);
/* Writes all bytes, waiting for room. */
void serial_write(uint16_t port, const void *data, size_t size);
/* Takes at most size bytes that have come in. */
size_t serial_read(uint16_t port, void *data, size_t size);
/* Whether a byte waits. */
bool serial_pending(uint16_t port);
/* Asks for an interrupt whenever a byte waits, or no longer. */
void serial_interrupt(uint16_t port, bool enable);

#endif
