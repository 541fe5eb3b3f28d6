/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this image makes code while it runs.
 *
 * Memory that can be written and executed at once is refused, unless the
 * image says that it needs it: by libffi's closures being linked in, or by
 * halvm-cc -mhalvm-codegen, which defines halvm_image_codegen. Writing first
 * and executing afterwards (mmap, then mprotect) is always allowed; that is
 * how GHC makes the functions of foreign import "wrapper".
 *
 * Both symbols are weak: asking for them must not link them.
 */
#include "core/mem/mem.h"

extern const char halvm_image_codegen[] __attribute__((weak));
extern const char ffi_closure_alloc[] __attribute__((weak));

bool mem_code_writable(void)
{
    return halvm_image_codegen != NULL || ffi_closure_alloc != NULL;
}
