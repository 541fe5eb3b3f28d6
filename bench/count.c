/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin of QEMU's TCG that counts guest instructions into a file that
 * others map and read while the guest runs (bench/load.c, bench/run):
 *
 *     -plugin build/bench/count.so,out=FILE[,image=LOW-HIGH][,mark=A]...
 *             [,addresses=on]
 *
 * FILE holds 64-bit counts:
 *
 *     [0]          the image's: instructions at virtual addresses from LOW up
 *                  to HIGH (hexadecimal, HIGH not included); all, if not told
 *     [1]          Xen's, which are at 0xffff82d0........
 *     [2]          all of the machine
 *     [8 + 4n ...] these three as they were when the instruction at A of the
 *                  n-th mark was executed for the first time, and then 1
 *     [512 + A]    with addresses=on those at address A, A below 32 MiB, for a
 *                  profile (bench/profile)
 *
 * An address says nothing of the address space it is in: what else runs in
 * the machine must not be where the image is. Images begin at 1 MiB. The
 * programs of the tests' dom0 begin at 4 MiB (busybox), or high up, as
 * kernels do.
 *
 * The counting is inlined into the translated code: a guest that halts counts
 * nothing, so waiting costs nothing, whatever the host does meanwhile. One
 * virtual CPU.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*call)(unsigned, void *),
                                            int flags, void *data);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                        char **argv);
int qemu_plugin_version = 1;

enum {
    ADD_U64 = 0,
    NO_REGISTERS = 0,
    IMAGE = 0,
    XEN = 1,
    ALL = 2,
    MARKED = 8,
    MARKS_MAX = 4,
    ADDRESSES = 512,
    ADDRESS_MAX = 32 << 20
};
#define XEN_TEXT 0xffff82d0u /* the upper half of an address */

static uint64_t *counts;
static uint64_t low, high = UINT64_MAX;
static uint64_t marks[MARKS_MAX];
static size_t mark_count;
static bool addresses;

/* data: the place in the file. */
static void reached(unsigned cpu, void *data)
{
    uint64_t *mark = data;

    if (mark[3])
        return;
    memcpy(mark, counts, 3 * sizeof(*mark));
    mark[3] = 1;
}

static void add(struct qemu_plugin_insn *insn, uint64_t index)
{
    qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, counts + index,
                                               1);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t at = qemu_plugin_insn_vaddr(insn);

        for (size_t n = 0; n < mark_count; n++)
            if (at == marks[n])
                qemu_plugin_register_vcpu_insn_exec_cb(
                    insn, reached, NO_REGISTERS, counts + MARKED + 4 * n);
        add(insn, ALL);
        if (at >= low && at < high)
            add(insn, IMAGE);
        if (at >> 32 == XEN_TEXT)
            add(insn, XEN);
        if (addresses && at < ADDRESS_MAX)
            add(insn, ADDRESSES + at);
    }
}

/* False: it is not LOW-HIGH. */
static bool image_read(const char *text)
{
    char *end;

    low = strtoull(text, &end, 16);
    if (*end != '-')
        return false;
    high = strtoull(end + 1, &end, 16);
    return *end == 0 && low < high;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                        char **argv)
{
    size_t size;
    int fd = -1;

    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            fd = open(argv[i] + 4, O_RDWR | O_CREAT | O_TRUNC, 0666);
        else if (!strncmp(argv[i], "image=", 6) && !image_read(argv[i] + 6))
            return -1;
        else if (!strncmp(argv[i], "mark=", 5) && mark_count < MARKS_MAX)
            marks[mark_count++] = strtoull(argv[i] + 5, NULL, 16);
        addresses |= !strcmp(argv[i], "addresses=on");
    }
    size = (ADDRESSES + (addresses ? ADDRESS_MAX : 0)) * sizeof(*counts);
    if (fd < 0 || ftruncate(fd, (off_t)size))
        return -1;
    counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
