/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is in an ELF file: where it can start (notes), how big it is, and what
 * its symbols tell. Read with libelf. Called by run, inspect and config.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include "halvm.h"

#define NOTE_XEN_ENTRY    1  /* XEN_ELFNOTE_ENTRY */
#define NOTE_XEN_BASE     3  /* XEN_ELFNOTE_VIRT_BASE */
#define NOTE_XEN_PHYS32   18 /* XEN_ELFNOTE_PHYS32_ENTRY: PVH */
#define MULTIBOOT2_MAGIC  0xe85250d6u
#define MULTIBOOT2_SEARCH 32768 /* bytes: the header must begin in these */

static void read_notes(struct image *image, Elf *elf, const GElf_Phdr *header)
{
    Elf_Data *data =
        elf_getdata_rawchunk(elf, (int64_t)header->p_offset, header->p_filesz,
                             header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    size_t offset = 0, name, desc, next;
    GElf_Nhdr note;

    while (data && (next = gelf_getnote(data, offset, &note, &name, &desc))) {
        const char *bytes = data->d_buf;

        if (note.n_namesz == 4 && memcmp(bytes + name, "Xen", 4) == 0) {
            if (note.n_type == NOTE_XEN_PHYS32) {
                image->pvh = true;
                memcpy(&image->pvh_entry, bytes + desc,
                       note.n_descsz < 8 ? note.n_descsz : 8);
            }
            if (note.n_type == NOTE_XEN_BASE)
                memcpy(&image->xen_virt_base, bytes + desc,
                       note.n_descsz < 8 ? note.n_descsz : 8);
            image->xen_pv = image->xen_pv || note.n_type == NOTE_XEN_ENTRY;
        }
        offset = next;
    }
}

static void read_segments(struct image *image, Elf *elf)
{
    size_t count = 0;
    GElf_Phdr header;

    image->start = UINT64_MAX;
    elf_getphdrnum(elf, &count);
    for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &header); i++) {
        if (header.p_type == PT_INTERP)
            image->is_static = false;
        if (header.p_type == PT_NOTE)
            read_notes(image, elf, &header);
        if (header.p_type != PT_LOAD)
            continue;
        if (header.p_flags & PF_W)
            image->data += header.p_filesz;
        else
            image->text += header.p_filesz;
        image->bss += header.p_memsz - header.p_filesz;
        if (header.p_vaddr < image->start)
            image->start = header.p_vaddr;
        if (header.p_vaddr + header.p_memsz > image->end)
            image->end = header.p_vaddr + header.p_memsz;
    }
}

static void read_symbol(struct image *image, const char *name)
{
    static const struct {
        const char *name;
        size_t field;
    } known[] = {
        {"hs_main", offsetof(struct image, haskell)},
        {"initThreadLabelTable", offsetof(struct image, haskell)},
        {"ioManagerStartCap", offsetof(struct image, threaded)},
        {"workerStart", offsetof(struct image, threaded)},
        {"tcp_input", offsetof(struct image, lwip)},
        {"net_start", offsetof(struct image, network)},
        {"halvm_image_codegen", offsetof(struct image, codegen)},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(name, known[i].name) == 0)
            *(bool *)((char *)image + known[i].field) = true;
}

/* What the image declares of its first stack (core/main.c); 0 if nothing. */
static uint64_t read_number(Elf *elf, const GElf_Sym *symbol)
{
    Elf_Scn *section = elf_getscn(elf, symbol->st_shndx);
    Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
    GElf_Shdr header;
    uint64_t number = 0;

    if (data && data->d_buf && gelf_getshdr(section, &header) &&
        symbol->st_value >= header.sh_addr && data->d_size >= sizeof(number) &&
        symbol->st_value - header.sh_addr <= data->d_size - sizeof(number))
        memcpy(&number,
               (const char *)data->d_buf + (symbol->st_value - header.sh_addr),
               sizeof(number));
    return number;
}

static void read_symbols(struct image *image, Elf *elf)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    GElf_Sym symbol;

    while ((section = elf_nextscn(elf, section))) {
        Elf_Data *data;

        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
            continue;
        image->symbols = true;
        data = elf_getdata(section, NULL);
        for (size_t i = 0; data && i < header.sh_size / header.sh_entsize;
             i++) {
            const char *name;

            if (!gelf_getsym(data, (int)i, &symbol) ||
                symbol.st_shndx == SHN_UNDEF)
                continue;
            name = elf_strptr(elf, header.sh_link, symbol.st_name);
            if (name)
                read_symbol(image, name);
            if (name && strcmp(name, "halvm_image_stack_size") == 0)
                image->stack_max = read_number(elf, &symbol);
        }
    }
}

static void find_multiboot2(struct image *image, int fd)
{
    static uint32_t head[MULTIBOOT2_SEARCH / 4];
    ssize_t size = pread(fd, head, sizeof(head), 0);

    /* magic, architecture 0 (i386), length, and a checksum that makes 0 */
    for (ssize_t i = 0; i + 4 <= size / 4; i += 2)
        if (head[i] == MULTIBOOT2_MAGIC && head[i + 1] == 0 &&
            head[i] + head[i + 1] + head[i + 2] + head[i + 3] == 0)
            image->multiboot2 = true;
}

static int open_image(struct image *image, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        tool_error(words_format("cannot read %s", path), strerror(errno),
                   errno == ENOENT ? "build it first: halvm-cc or halvm-ghc"
                                   : "name a file that you may read");
        return -1;
    }
    if (fstat(fd, &status) || S_ISDIR(status.st_mode)) {
        tool_error(words_format("cannot read %s", path), "it is a folder",
                   "name the program in it");
        close(fd);
        return -1;
    }
    image->file_size = (uint64_t)status.st_size;
    return fd;
}

int image_read(struct image *image, const char *path)
{
    GElf_Ehdr header;
    Elf *elf;
    int fd;

    *image = (struct image){.path = path, .is_static = true};
    errno = 0;
    fd = open_image(image, path);
    if (fd < 0)
        return errno == ENOENT ? STATUS_NO_FILE : STATUS_NOT_OURS;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    image->is_elf = elf && elf_kind(elf) == ELF_K_ELF &&
                    gelf_getehdr(elf, &header) && header.e_machine == EM_X86_64;
    if (image->is_elf) {
        image->entry = header.e_entry;
        image->is_executable = header.e_type == ET_EXEC;
        image->linux_runs = header.e_type == ET_EXEC || header.e_type == ET_DYN;
        read_segments(image, elf);
        read_symbols(image, elf);
        find_multiboot2(image, fd);
    }
    elf_end(elf);
    close(fd);
    if (image->is_elf)
        return 0;
    tool_error(words_format("%s is no program for x86-64", path),
               "it is not an ELF file of that machine",
               "build it with halvm-cc or halvm-ghc");
    return STATUS_NOT_OURS;
}

char *path_absolute(const char *path)
{
    char *real = realpath(path, NULL), *here;

    if (real || path[0] == '/')
        return real ? real : words_copy(path, strlen(path));
    here = getcwd(NULL, 0);
    return words_format("%s/%s", here ? here : "", path);
}
