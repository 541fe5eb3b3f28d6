/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The small grammars of the command line: sizes, ports, volumes, durations.
 * Pure functions of their text, so that a fuzzer can call them.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

#include "halvm.h"

/* Digits only; at most max. */
static bool parse_number(const char *text, size_t length, uint64_t max,
                         uint64_t *number)
{
    uint64_t value = 0;

    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        if (value > (max - (uint64_t)(text[i] - '0')) / 10)
            return false;
        value = 10 * value + (uint64_t)(text[i] - '0');
    }
    *number = value;
    return true;
}

bool parse_size(const char *text, uint64_t *size)
{
    static const char units[] = "kmgt";
    size_t digits = strspn(text, "0123456789");
    const char *tail = text + digits;
    uint64_t number, unit = MIB;

    if (!parse_number(text, digits, UINT64_MAX, &number))
        return false;
    if (*tail == 'b' || *tail == 'B') {
        unit = 1;
        tail++;
    } else if (*tail) {
        const char *found = strchr(units, tolower((unsigned char)*tail));

        if (!found)
            return false;
        unit = 1ull << (10 * (found - units + 1));
        tail++;
        if (*tail == 'i')
            tail++;
        if (*tail == 'b' || *tail == 'B')
            tail++;
    }
    if (*tail || number == 0 || number > (1ull << 46) / unit)
        return false;
    *size = number * unit;
    return true;
}

/* [address:]host[:guest] with the address in *address, or it is left. Returns
 * where the ports begin. NULL: malformed. */
static const char *parse_address(const char *text, char *address, size_t size)
{
    struct in6_addr ip;
    const char *end, *ports;
    size_t length;

    if (*text == '[') {
        text++;
        end = strchr(text, ']');
        if (!end || end[1] != ':')
            return NULL;
        ports = end + 2;
    } else {
        end = strchr(text, ':');
        /* An address if there are two colons; else host:guest. */
        if (!end || !strchr(end + 1, ':'))
            return text;
        ports = end + 1;
    }
    length = (size_t)(end - text);
    if (length == 0 || length >= size)
        return length == 0 ? ports : NULL;
    memcpy(address, text, length);
    address[length] = 0;
    if (strcmp(address, "localhost") == 0)
        snprintf(address, size, "127.0.0.1");
    if (inet_pton(AF_INET, address, &ip) != 1 &&
        inet_pton(AF_INET6, address, &ip) != 1)
        return NULL;
    return ports;
}

bool parse_port(const char *text, struct port *port)
{
    size_t length = strlen(text);
    const char *ports, *colon, *guest;
    uint64_t number;

    *port = (struct port){.address = "127.0.0.1"};
    if (length > 4 && strcmp(text + length - 4, "/udp") == 0) {
        port->udp = true;
        length -= 4;
    } else if (length > 4 && strcmp(text + length - 4, "/tcp") == 0) {
        length -= 4;
    }
    ports = parse_address(text, port->address, sizeof(port->address));
    if (!ports || ports > text + length)
        return false;
    colon = strchr(ports, ':');
    guest = colon ? colon + 1 : ports;
    if (!parse_number(guest, (size_t)(text + length - guest), 65535, &number) ||
        number == 0)
        return false;
    port->guest = (unsigned)number;
    if (!colon || colon == ports)
        return true;
    if (!parse_number(ports, (size_t)(colon - ports), 65535, &number))
        return false;
    port->host = (unsigned)number;
    return true;
}

/* Takes ":ro" or ":rw" off the end. */
static bool take_mode(const char *text, size_t *length)
{
    bool read_only = *length > 3 && strcmp(text + *length - 3, ":ro") == 0;

    if (read_only || (*length > 3 && strcmp(text + *length - 3, ":rw") == 0))
        *length -= 3;
    return read_only;
}

bool parse_volume(const char *text, struct volume *volume)
{
    size_t length = strlen(text);
    const char *colon;

    volume->read_only = take_mode(text, &length);
    colon = memchr(text, ':', length);
    if (!colon || colon == text || colon[1] != '/')
        return false;
    volume->from = words_copy(text, (size_t)(colon - text));
    volume->to = words_copy(colon + 1, length - (size_t)(colon + 1 - text));
    if (!strstr(volume->to, "/../") && !words_ends(volume->to, "/.."))
        return true;
    free(volume->from);
    free(volume->to);
    return false;
}

bool parse_disk(const char *text, struct disk *disk)
{
    size_t length = strlen(text);

    disk->read_only = take_mode(text, &length);
    if (length == 0)
        return false;
    disk->path = words_copy(text, length);
    return true;
}

/* As a shell's; no dot, by which the guest knows options from variables. */
bool parse_is_variable(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    while (isalnum((unsigned char)*text) || *text == '_')
        text++;
    return *text == '=' || *text == 0;
}

bool parse_is_interface(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length >= 16 || strcmp(text, ".") == 0 ||
        strcmp(text, "..") == 0)
        return false;
    while (isalnum((unsigned char)*text) || (*text && strchr("_.-", *text)))
        text++;
    return *text == 0;
}

bool parse_is_name(const char *text)
{
    size_t length = strlen(text);

    if (!isalnum((unsigned char)*text) || length > 64 ||
        strspn(text, "0123456789") == length)
        return false;
    while (isalnum((unsigned char)*text) || (*text && strchr("_.+-", *text)))
        text++;
    return *text == 0;
}

bool parse_duration(const char *text, uint64_t *ms)
{
    size_t digits = strspn(text, "0123456789"), fraction = 0;
    const char *tail = text + digits;
    uint64_t number, part = 0, unit = 1000;

    if (!parse_number(text, digits, 1000000000, &number))
        return false;
    if (*tail == '.') {
        fraction = strspn(tail + 1, "0123456789");
        if (fraction == 0 || fraction > 3 ||
            !parse_number(tail + 1, fraction, 999, &part))
            return false;
        tail += 1 + fraction;
    }
    for (; fraction < 3; fraction++)
        part *= 10;
    if (*tail == 'm')
        unit = 60 * 1000;
    else if (*tail == 'h')
        unit = 3600 * 1000;
    if (*tail == 's' || unit != 1000)
        tail++;
    if (*tail)
        return false;
    *ms = number * unit + part * unit / 1000;
    return *ms > 0;
}

char *parse_shell_quote(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "_-+=./:,@%^";
    char *quoted, *to;

    if (*text && strspn(text, plain) == strlen(text))
        return words_copy(text, strlen(text));
    to = quoted = words_memory(NULL, 4 * strlen(text) + 3);
    *to++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            to = stpcpy(to, "'\\''");
        else
            *to++ = *text;
    }
    *to++ = '\'';
    *to = 0;
    return quoted;
}

char *parse_json_quote(const char *text)
{
    char *quoted = words_memory(NULL, 6 * strlen(text) + 3), *to = quoted;

    *to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
            *to++ = *text;
        } else if ((unsigned char)*text < 0x20) {
            to += sprintf(to, "\\u%04x", (unsigned)*text);
        } else {
            *to++ = *text;
        }
    }
    *to++ = '"';
    *to = 0;
    return quoted;
}

char *parse_xl_quote(const char *text)
{
    char *quoted = words_memory(NULL, 2 * strlen(text) + 3), *to = quoted;

    *to++ = '"';
    for (; *text; text++) {
        char escape = *text == '\n' ? 'n' : *text == '\r' ? 'r' : *text;

        if (escape != *text || *text == '"' || *text == '\\')
            *to++ = '\\';
        *to++ = escape;
    }
    *to++ = '"';
    *to = 0;
    return quoted;
}

char *parse_xml_quote(const char *text)
{
    char *quoted = words_memory(NULL, 6 * strlen(text) + 1), *to = quoted;

    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') {
            free(quoted);
            return NULL;
        }
        if (byte < 0x20 || strchr("&<>'\"", byte))
            to += sprintf(to, "&#%u;", byte);
        else
            *to++ = *text;
    }
    *to = 0;
    return quoted;
}

char *parse_size_text(uint64_t size)
{
    if (size % MIB == 0 || size >= 100 * MIB)
        return words_format("%llu MiB",
                            (unsigned long long)((size + MIB - 1) / MIB));
    if (size % 1024 == 0)
        return words_format("%llu KiB", (unsigned long long)(size / 1024));
    return words_format("%llu bytes", (unsigned long long)size);
}
