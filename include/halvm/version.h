/* SPDX-License-Identifier: BSD-3-Clause */
/* The version of HaLVM that a program was built with. */
#ifndef HALVM_VERSION_H
#define HALVM_VERSION_H

#define HALVM_VERSION "3.0.0"

#endif
