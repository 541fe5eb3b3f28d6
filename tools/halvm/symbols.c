/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names for the addresses of a backtrace: the function from the ELF symbol
 * table, file and line from addr2line where it is installed. Called by run
 * when a console showed a backtrace.
 */
#include <fcntl.h>
#include <gelf.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "halvm.h"

extern char **environ;

struct found {
    const char *name;
    uint64_t start;
};

/* The last symbol at or below each address. */
static void look_in_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                          const uint64_t *addresses, struct found *found,
                          size_t count)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Sym symbol;

    for (size_t i = 0; data && i < header->sh_size / header->sh_entsize; i++) {
        if (!gelf_getsym(data, (int)i, &symbol) ||
            symbol.st_shndx == SHN_UNDEF ||
            GELF_ST_TYPE(symbol.st_info) > STT_FUNC)
            continue;
        for (size_t n = 0; n < count; n++)
            if (symbol.st_value <= addresses[n] &&
                (!found[n].name || symbol.st_value > found[n].start)) {
                const char *name =
                    elf_strptr(elf, header->sh_link, symbol.st_name);

                if (name && name[0])
                    found[n] = (struct found){name, symbol.st_value};
            }
    }
}

/* file:line of each address, one a line; NULL if addr2line does not run. */
static char *lines_of(const char *path, const uint64_t *addresses, size_t count)
{
    posix_spawn_file_actions_t actions;
    struct words command = {0};
    size_t length = 0, room = 128 * count + 4096;
    char *text = words_memory(NULL, room + 1);
    int ends[2], error;
    ssize_t got;
    pid_t child;

    words_add(&command, "addr2line");
    words_add(&command, "-e");
    words_add(&command, path);
    /* An address in a backtrace is where a call returns to. */
    for (size_t i = 0; i < count; i++)
        words_addf(&command, "0x%llx",
                   (unsigned long long)(addresses[i] - (i > 0)));
    if (pipe2(ends, O_CLOEXEC))
        return NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    error = posix_spawnp(&child, "addr2line", &actions, NULL, command.items,
                         environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    while (!error && length < room &&
           (got = read(ends[0], text + length, room - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    if (error)
        return NULL;
    waitpid(child, NULL, 0);
    text[length] = 0;
    return text;
}

static void say(const uint64_t *addresses, const struct found *found,
                size_t count, char *lines)
{
    fprintf(stderr, "halvm: the backtrace with names:\n");
    for (size_t i = 0; i < count; i++) {
        char *line = lines ? strsep(&lines, "\n") : NULL;

        fprintf(stderr, "  #%zu 0x%llx", i, (unsigned long long)addresses[i]);
        if (found[i].name)
            fprintf(stderr, " %s+0x%llx", found[i].name,
                    (unsigned long long)(addresses[i] - found[i].start));
        if (line && line[0] && line[0] != '?' && !strstr(line, ":?"))
            fprintf(stderr, " at %s", line);
        putc('\n', stderr);
    }
}

void symbols_say(const char *path, const uint64_t *addresses, size_t count)
{
    struct found *found = calloc(count + 1, sizeof(*found));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    Elf *elf;

    elf_version(EV_CURRENT);
    elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    while (elf && found && (section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
            look_in_table(elf, section, &header, addresses, found, count);
    if (found)
        say(addresses, found, count, lines_of(path, addresses, count));
    elf_end(elf);
    if (fd >= 0)
        close(fd);
    free(found);
}
