/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether KVM really works here. A device file is no proof: machines without
 * nested virtualisation have one, too. Called by qemu.c and doctor.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "halvm.h"

/* The processor offers VMX or SVM. */
static bool processor_can(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    size_t room = 0;
    char *line = NULL;
    bool can = false;

    while (file && !can && getline(&line, &room, file) > 0)
        can = words_begins(line, "flags") &&
              (strstr(line, " vmx") || strstr(line, " svm"));
    if (file)
        fclose(file);
    free(line);
    return can;
}

static const char *try_machine(int kvm)
{
    const char *why = NULL;
    int machine, cpu;

    if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return "/dev/kvm speaks another version";
    machine = ioctl(kvm, KVM_CREATE_VM, 0);
    if (machine < 0)
        return words_format("KVM makes no machine: %s", strerror(errno));
    cpu = ioctl(machine, KVM_CREATE_VCPU, 0);
    if (cpu < 0)
        why = words_format("KVM makes no processor: %s", strerror(errno));
    else
        close(cpu);
    close(machine);
    return why;
}

const char *kvm_why_not(void)
{
    const char *why;
    int kvm;

    if (!processor_can())
        return "the processor offers no vmx or svm";
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0 && errno == EACCES)
        return "no permission for /dev/kvm: sudo usermod -aG kvm $USER";
    if (kvm < 0)
        return words_format("/dev/kvm: %s", strerror(errno));
    why = try_machine(kvm);
    close(kvm);
    return why;
}
