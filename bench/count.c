/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin of QEMU's TCG that counts guest instructions into a file that
 * others map and read while the guest runs (bench/load.c):
 *
 *     -plugin build/bench/count.so,out=FILE[,addresses=on]
 *
 * FILE holds 64-bit counts: [0] is that of all instructions, and with
 * addresses=on [1 + A] that of the instruction at address A, A below 32 MiB,
 * for a profile (bench/profile). The counting is inlined into the translated
 * code: a guest that halts counts nothing, so waiting costs nothing, whatever
 * the host does meanwhile. One virtual CPU.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is used of qemu-plugin.h, version 1 (QEMU 4.2 to 8): Debian ships the
 * interface in its QEMU, but not the header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id,
    void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
                                                int add_u64, void *where,
                                                uint64_t value);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                        char **argv);
int qemu_plugin_version = 1;

enum { ADD_U64 = 0, ADDRESS_MAX = 32 << 20 };

static uint64_t *counts;
static bool addresses;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t at = qemu_plugin_insn_vaddr(insn);

        qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, counts, 1);
        if (addresses && at < ADDRESS_MAX)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64,
                                                       counts + 1 + at, 1);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                        char **argv)
{
    size_t size;
    int fd = -1;

    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            fd = open(argv[i] + 4, O_RDWR | O_CREAT | O_TRUNC, 0666);
        addresses |= !strcmp(argv[i], "addresses=on");
    }
    size = addresses ? (ADDRESS_MAX + 1) * sizeof(*counts) : 4096;
    if (fd < 0 || ftruncate(fd, (off_t)size))
        return -1;
    counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
