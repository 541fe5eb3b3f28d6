/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm inspect: what is in a program, for people or as one line of JSON.
 */
#include "halvm.h"

const struct option_row inspect_options[] = {
    {"json", 0, VALUE_NONE, NULL, "everything as one line of JSON", NULL,
     false},
    {"memory", 0, VALUE_NONE, NULL, "the sum behind the least memory", NULL,
     false},
    {"libs", 0, VALUE_NONE, NULL, "what is linked in", NULL, false},
    {"boot", 0, VALUE_NONE, NULL, "where it can be started", NULL, false},
    {"help", 'h', VALUE_NONE, NULL, "this text", NULL, false},
    {0},
};

struct asked {
    bool json, memory, libs, boot, help;
};

static bool take_option(void *context, const struct option_row *row,
                        const char *value)
{
    struct asked *asked = context;
    bool *const flags[] = {&asked->json, &asked->memory, &asked->libs,
                           &asked->boot, &asked->help};

    *flags[row - inspect_options] = true;
    return true;
}

static const char *yes(bool answer)
{
    return answer ? "yes" : "no";
}

static const char *runtime(const struct image *image)
{
    if (!image->symbols)
        return "unknown (no symbols)";
    if (!image->haskell)
        return "C";
    return image->threaded ? "Haskell, threaded" : "Haskell, not threaded";
}

static void print_boot(const struct image *image)
{
    printf("linux process      %s\n", yes(image->linux_runs));
    printf("QEMU, Firecracker, Xen PVH   %s", yes(image->pvh));
    if (image->pvh)
        printf(" (entry 0x%llx)", (unsigned long long)image->pvh_entry);
    printf("\nGRUB (multiboot2)  %s\n", yes(image->multiboot2));
    printf("Xen PV             %s", yes(image->xen_pv));
    if (image->xen_pv)
        printf(" (VIRT_BASE 0x%llx)", (unsigned long long)image->xen_virt_base);
    putchar('\n');
}

static const char *network(const struct image *image)
{
    if (!image->network)
        return "no";
    return image->lwip ? "lwIP" : "the program's own";
}

static void print_libs(const struct image *image)
{
    printf("run time           %s\n", runtime(image));
    if (image->symbols)
        printf("network            %s\n", network(image));
    printf("makes code         %s\n", yes(image->codegen));
    printf("shared libraries   %s\n",
           image->is_static ? "none" : "yes: this is no unikernel");
}

static void print_part(const char *name, uint64_t size)
{
    if (size)
        printf("%-18s %9llu KiB\n", name, (unsigned long long)(size / 1024));
}

static void print_memory(const struct image *image)
{
    struct memory_sum sum;

    memory_sum(image, &sum);
    printf("code and constants %9llu bytes\n", (unsigned long long)image->text);
    printf("data               %9llu bytes\n", (unsigned long long)image->data);
    printf("zeroed data        %9llu bytes\n", (unsigned long long)image->bss);
    printf("loaded at          %9llu (ends at %llu)\n",
           (unsigned long long)image->start, (unsigned long long)image->end);
    print_part("the image", sum.image);
    print_part("core, page tables", sum.core);
    print_part("first stack", sum.stack);
    print_part("network", sum.network);
    print_part("Haskell's heap", sum.heap);
    print_part("its threads", sum.threads);
    print_part("a PC's hole", sum.hole);
    print_part("least", sum.least);
    printf("recommended        %9llu MiB\n",
           (unsigned long long)(sum.advised / MIB));
}

static void print_json(const struct image *image)
{
    struct memory_sum sum;

    memory_sum(image, &sum);
    printf(
        "{\"path\":%s,\"file\":%llu,\"text\":%llu,\"data\":%llu,"
        "\"bss\":%llu,\"start\":%llu,\"end\":%llu,\"memory_min\":%llu,"
        "\"memory_advised\":%llu,\"linux\":%s,\"pvh\":%s,"
        "\"multiboot2\":%s,\"xen_pv\":%s,\"xen_virt_base\":%llu,"
        "\"static\":%s,\"symbols\":%s,"
        "\"haskell\":%s,\"threaded\":%s,\"network\":%s,\"lwip\":%s,"
        "\"codegen\":%s}\n",
        parse_json_quote(image->path), (unsigned long long)image->file_size,
        (unsigned long long)image->text, (unsigned long long)image->data,
        (unsigned long long)image->bss, (unsigned long long)image->start,
        (unsigned long long)image->end, (unsigned long long)sum.least,
        (unsigned long long)sum.advised, image->linux_runs ? "true" : "false",
        image->pvh ? "true" : "false", image->multiboot2 ? "true" : "false",
        image->xen_pv ? "true" : "false",
        (unsigned long long)image->xen_virt_base,
        image->is_static ? "true" : "false", image->symbols ? "true" : "false",
        image->haskell ? "true" : "false", image->threaded ? "true" : "false",
        image->network ? "true" : "false", image->lwip ? "true" : "false",
        image->codegen ? "true" : "false");
}

int inspect_verb(int argc, char **argv)
{
    struct asked asked = {0};
    struct image image;
    int status, at;
    bool all;

    at = options_parse(inspect_options, argc, argv, take_option, &asked);
    if (at < 0)
        return STATUS_HALVM;
    if (asked.help) {
        for (const struct verb *verb = verbs; verb->name; verb++)
            if (verb->run == inspect_verb)
                verb_help(verb, stdout);
        return 0;
    }
    if (at == argc) {
        tool_error("no program named", "inspect looks into an ELF file",
                   "halvm inspect ./program");
        return STATUS_HALVM;
    }
    status = image_read(&image, argv[at]);
    if (status)
        return status;
    if (asked.json) {
        print_json(&image);
        return 0;
    }
    all = !asked.memory && !asked.libs && !asked.boot;
    if (all)
        printf("%s: %llu bytes\n", image.path,
               (unsigned long long)image.file_size);
    if (all || asked.boot)
        print_boot(&image);
    if (all || asked.libs)
        print_libs(&image);
    if (all || asked.memory)
        print_memory(&image);
    return 0;
}
