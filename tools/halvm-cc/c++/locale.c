/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locales for the host's libstdc++, which was compiled for glibc: it reads the
 * character tables straight out of glibc's struct behind a locale_t. Here a
 * locale_t points to a struct that begins as musl's and has the tables where
 * glibc has them, so both libraries find what they look for. The build takes
 * the host's libstdc++.a, makes it call these functions in place of newlocale
 * and its like, and adds this file's object.
 */
#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* musl, src/internal/locale_impl.h: struct __locale_struct is six pointers. */
#define MUSL_LOCALE_SIZE (6 * sizeof(void *))

struct glibc_locale {
    void *categories[13]; /* musl's six are at the beginning */
    const unsigned short *ctype_b;
    const int *ctype_tolower;
    const int *ctype_toupper;
    const char *names[13];
};
_Static_assert(offsetof(struct glibc_locale, ctype_b) == 104 &&
                   sizeof(struct glibc_locale) == 232,
               "glibc bits/types/__locale_t.h");

/* musl has them for programs that were compiled for glibc. */
const unsigned short **__ctype_b_loc(void);
const int **__ctype_tolower_loc(void);
const int **__ctype_toupper_loc(void);

locale_t halvm_cxx_newlocale(int mask, const char *name, locale_t base);
locale_t halvm_cxx_duplocale(locale_t from);
void halvm_cxx_freelocale(locale_t locale);

/* A copy of musl's in glibc's shape; musl's own is given up. */
static locale_t widen(locale_t narrow)
{
    struct glibc_locale *wide;

    if (narrow == NULL)
        return NULL;
    wide = calloc(1, sizeof *wide);
    if (wide != NULL) {
        memcpy(wide, narrow, MUSL_LOCALE_SIZE);
        wide->ctype_b = *__ctype_b_loc();
        wide->ctype_tolower = *__ctype_tolower_loc();
        wide->ctype_toupper = *__ctype_toupper_loc();
        for (int i = 0; i < 13; i++)
            wide->names[i] = "C";
    }
    freelocale(narrow);
    return (locale_t)wide;
}

locale_t halvm_cxx_newlocale(int mask, const char *name, locale_t base)
{
    /* musl reads its six pointers of base, and frees nothing of it. */
    return widen(newlocale(mask, name, base));
}

locale_t halvm_cxx_duplocale(locale_t from)
{
    return widen(duplocale(from));
}

void halvm_cxx_freelocale(locale_t locale)
{
    free(locale);
}
