/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts of XenStore: see text.h. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "drivers/xen/text.h"

#include <xen/io/xs_wire.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

bool xen_text_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    unsigned base = 10;

    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    if (*text == 0)
        return false;
    for (; *text != 0; text++) {
        unsigned next = (unsigned)digit(*text);

        if (next >= base || value > (UINT64_MAX - next) / base)
            return false;
        value = value * base + next;
    }
    *out = value;
    return true;
}

void xen_text_of_number(uint64_t number, char out[XEN_NUMBER_SIZE])
{
    char digits[XEN_NUMBER_SIZE];
    unsigned count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0)
        *out++ = digits[--count];
    *out = 0;
}

int xen_text_error(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (strcmp(xsd_errors[i].errstring, name) == 0)
            return xsd_errors[i].errnum;
    return EIO;
}

bool xen_text_mac(const char *text, uint8_t mac[6])
{
    for (unsigned i = 0; i < 6; i++) {
        int high = digit(text[0]), low = high < 16 ? digit(text[1]) : 16;

        if (low >= 16 || text[2] != (i < 5 ? ':' : 0))
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
        text += 3;
    }
    return true;
}

bool xen_text_join(char *out, size_t size, const char *first, ...)
{
    size_t used = 0;
    bool fits = true;
    va_list pieces;

    va_start(pieces, first);
    for (const char *piece = first; piece != NULL && fits;
         piece = va_arg(pieces, const char *)) {
        size_t length = strlen(piece);

        fits = length < size - used;
        if (fits) {
            memcpy(out + used, piece, length);
            used += length;
        }
    }
    va_end(pieces);
    out[fits ? used : 0] = 0;
    return fits;
}
