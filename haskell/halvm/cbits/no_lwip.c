/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For System.HaLVM.WithoutLwip: an object of its own, which is linked if that
 * is used, and with it the definition that keeps lwIP out of a HaLVM
 * image (as halvm-cc's -mhalvm-no-lwip does). Elsewhere it means nothing.
 */
void hs_halvm_without_lwip(void);

extern const void *const __halvm_net_stack;
__attribute__((weak)) const void *const __halvm_net_stack = 0;

void hs_halvm_without_lwip(void)
{
}
