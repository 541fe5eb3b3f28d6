/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Not part of halvm-cc: the object that -mhalvm-codegen links into a program,
 * with which the image declares that it makes code at run time, so that core
 * (mem_code_writable) allows mappings to be written and executed.
 */
extern const char halvm_image_codegen;
const char halvm_image_codegen = 1;
