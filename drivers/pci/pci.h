/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI by the configuration ports 0xcf8 and 0xcfc: finding devices, their
 * registers and their interrupts. Bus numbers and BARs are as the firmware set
 * them. Callers: drivers, with the monitor held (the ports are a pair).
 *
 * A `place` is bus << 8 | device << 3 | function.
 */
#ifndef HALVM_PCI_H
#define HALVM_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"

#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX   0x11
#define PCI_SUBSYSTEM         0x2c /* vendor, then id */

/* Configuration space; offset is a multiple of 4, or of size. */
uint32_t pci_read32(uint16_t place, uint8_t offset);
uint16_t pci_read16(uint16_t place, uint8_t offset);
uint8_t pci_read8(uint16_t place, uint8_t offset);
void pci_write32(uint16_t place, uint8_t offset, uint32_t value);
void pci_write16(uint16_t place, uint8_t offset, uint16_t value);

/* Calls found(place, device << 16 | vendor) for every function there is, in
 * the order of buses behind bridges; nothing where there is no PCI. */
void pci_scan(void (*found)(uint16_t place, uint32_t id));

/* The offset of the next capability with an id after `previous` (0: the
 * first), or 0. */
uint8_t pci_capability(uint16_t place, uint8_t id, uint8_t previous);

/* Lets the device answer at its BARs and do DMA. */
void pci_enable(uint16_t place);

/* Maps [offset, offset + size) of a memory BAR; NULL if it has no such part. */
volatile void *pci_bar_map(uint16_t place, unsigned bar, uint32_t offset,
                           uint32_t size);

/* Message interrupts: entry 0 of the MSI-X table calls handler(argument), and
 * MSI-X is switched on, all other entries masked. BASE_NODEV: the device has
 * none. */
enum base_status pci_msix(uint16_t place, void (*handler)(void *),
                          void *argument);
/* The line that the firmware gave, level-triggered: handler(argument) has to
 * find out whether its device has called. */
enum base_status pci_line(uint16_t place, void (*handler)(void *),
                          void *argument);

#endif
