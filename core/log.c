/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words of core to the console: a small formatter, core_log over it, and the
 * lines about calls that are not done and assertions that failed.
 *
 * Any context: nothing here blocks or allocates.
 */
#include <stdarg.h>

#include "core/core.h"

#define LOG_LINE_SIZE 512

/* Where formatted characters go; what does not fit is counted, not stored. */
struct sink {
    char *out;
    size_t size;
    size_t length;
};

static void put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size)
        sink->out[sink->length] = c;
    sink->length++;
}

struct spec {
    bool left, zero;
    int width;
    bool is_long;
};

static void put_padded(struct sink *sink, const struct spec *spec,
                       const char *text, size_t length, char fill)
{
    size_t pad =
        (size_t)spec->width > length ? (size_t)spec->width - length : 0;

    if (!spec->left)
        for (size_t i = 0; i < pad; i++)
            put(sink, fill);
    for (size_t i = 0; i < length; i++)
        put(sink, text[i]);
    if (spec->left)
        for (size_t i = 0; i < pad; i++)
            put(sink, ' ');
}

static void put_number(struct sink *sink, const struct spec *spec,
                       unsigned long value, unsigned radix, bool negative)
{
    char text[24];
    size_t at = sizeof text;

    do {
        text[--at] = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value != 0);
    if (negative && spec->zero && !spec->left) {
        struct spec rest = *spec;
        put(sink, '-');
        rest.width -= rest.width > 0;
        put_padded(sink, &rest, text + at, sizeof text - at, '0');
        return;
    }
    if (negative)
        text[--at] = '-';
    put_padded(sink, spec, text + at, sizeof text - at,
               spec->zero && !spec->left ? '0' : ' ');
}

static const char *parse_spec(const char *at, struct spec *spec)
{
    *spec = (struct spec){0};
    for (;; at++) {
        if (*at == '-')
            spec->left = true;
        else if (*at == '0')
            spec->zero = true;
        else
            break;
    }
    while (*at >= '0' && *at <= '9')
        spec->width = spec->width * 10 + (*at++ - '0');
    while (*at == 'l' || *at == 'z') {
        spec->is_long = true;
        at++;
    }
    return at;
}

/* One conversion; the va_list is behind a pointer so that what it takes from
 * it is gone for the caller. */
struct arguments {
    va_list list;
};

static void put_conversion(struct sink *sink, char conversion,
                           const struct spec *spec, struct arguments *args)
{
    unsigned long value;
    const char *text;
    char c;

    switch (conversion) {
    case 'd':
    case 'i': {
        long number =
            spec->is_long ? va_arg(args->list, long) : va_arg(args->list, int);
        value = number < 0 ? 0 - (unsigned long)number : (unsigned long)number;
        put_number(sink, spec, value, 10, number < 0);
        return;
    }
    case 'u':
    case 'x':
    case 'o':
        value = spec->is_long ? va_arg(args->list, unsigned long)
                              : va_arg(args->list, unsigned);
        put_number(sink, spec, value,
                   conversion == 'u'   ? 10
                   : conversion == 'x' ? 16
                                       : 8,
                   false);
        return;
    case 'p':
        put(sink, '0');
        put(sink, 'x');
        put_number(sink, spec, (unsigned long)va_arg(args->list, void *), 16,
                   false);
        return;
    case 'c':
        c = (char)va_arg(args->list, int);
        put_padded(sink, spec, &c, 1, ' ');
        return;
    case 's':
        text = va_arg(args->list, const char *);
        if (text == NULL)
            text = "(null)";
        put_padded(sink, spec, text, strlen(text), ' ');
        return;
    }
    put(sink, '%');
    if (conversion != '%')
        put(sink, conversion);
}

static int format_list(char *out, size_t size, const char *format,
                       struct arguments *args)
{
    struct sink sink = {.out = out, .size = size};
    struct spec spec;

    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(&sink, *format);
            continue;
        }
        format = parse_spec(format + 1, &spec);
        if (*format == '\0')
            break;
        put_conversion(&sink, *format, &spec, args);
    }
    if (size > 0)
        out[sink.length < size ? sink.length : size - 1] = '\0';
    /* Unlike snprintf: what was stored, so that callers may add it up. */
    return (int)(sink.length < size ? sink.length : size > 0 ? size - 1 : 0);
}

int core_format(char *out, size_t size, const char *format, ...)
{
    struct arguments args;
    int length;

    va_start(args.list, format);
    length = format_list(out, size, format, &args);
    va_end(args.list);
    return length;
}

void core_log(const char *format, ...)
{
    char line[LOG_LINE_SIZE];
    struct arguments args;
    int length;

    va_start(args.list, format);
    length = format_list(line, sizeof line, format, &args);
    va_end(args.list);
    core_base->console_write(line, (size_t)length);
}

void core_assert_failed(const char *file, int line, const char *condition)
{
    char why[256];

    core_format(why, sizeof why, "%s:%d: assertion failed %s", file, line,
                condition);
    core_base->abort(why);
}

long core_unimplemented(long number, const char *name, const void *caller)
{
    static uint64_t said[8];
    uint64_t bit = 1ull << (number & 63);

    if (number >= 0 && number < 512 && !(said[number / 64] & bit)) {
        said[number / 64] |= bit;
        core_log("halvm: system call %s (%ld) is not done here: ENOSYS, "
                 "called from %p\n",
                 name, number, caller);
    }
    return -ENOSYS;
}
