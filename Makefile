# SPDX-License-Identifier: BSD-3-Clause
#
# HaLVM. The targets a person uses:
#
#   make demo       build, serve a page as a Linux process and under QEMU
#   make check      build, run all tests; the last line counts them
#   make check-xen-full  all of Xen's, which takes long
#   make check-memory     Haskell programs at the end of memory, for hours
#   make check-fault-full  memory that fails, at every n
#   make            the tools and libraries, in build/
#   make install    likewise, under PREFIX (default /usr/local)
#   make bench      the figures of docs/figures.md
#   make clean      forget what was built; distclean: what was fetched, too
#
# Everything that is made goes to build/. Where things are: HACKING.md.

.DELETE_ON_ERROR:
.SUFFIXES:

PREFIX ?= /usr/local
B := build
TOP := $(CURDIR)
VERSION := $(shell sed -n 's/^.define HALVM_VERSION "\(.*\)"/\1/p' \
	include/halvm/version.h)

CC := gcc
# make V=1 shows the commands.
Q := $(if $(V),,@)
WARN := -Wall -Wextra -Wshadow -Wundef -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wmissing-prototypes -Wstrict-prototypes \
	-Wno-unused-parameter -Werror
# Paths in debug information and assertions are relative to the tree.
MAP := -ffile-prefix-map=$(TOP)/=

.PHONY: all
all: sysroot tools

# -- what is fetched: musl and lwIP, from Debian's source packages -----------

MUSL := $(B)/third_party/musl
LWIP := $(B)/third_party/lwip
FETCHED := $(MUSL)/VERSION $(LWIP)/FILES

.PHONY: setup
setup:
	./setup

$(FETCHED) &:
	./setup

# -- libc: musl, unmodified, behind our headers -------------------------------

MUSL_CC := $(CC) -I$(TOP)/libc/include -I$(TOP)/include $(MAP)
# musl's own choice of -Os and -O3 stands (its configure, --enable-optimize).
MUSL_CFLAGS := -g -fno-pie -fno-stack-protector
# Objects of musl whose place ours take (libc/).
MUSL_LEFT_OUT := src/thread/x86_64/clone.o src/process/x86_64/vfork.o \
	src/thread/x86_64/__set_thread_area.o \
	src/thread/x86_64/__unmapself.o src/thread/__syscall_cp.o \
	src/malloc/free.o src/malloc/calloc.o \
	src/string/x86_64/memcpy.o src/string/x86_64/memmove.o \
	src/string/x86_64/memset.o src/env/__libc_start_main.o \
	src/env/__init_tls.o src/network/resolvconf.o src/network/res_msend.o \
	src/internal/vdso.o
LIBC_SRC := $(wildcard libc/*.c libc/*.S)
LIBC_OBJ := $(LIBC_SRC:%=$(B)/obj/%.o) $(B)/obj/libc/libc_start_main.o \
	$(B)/obj/libc/init_tls.o $(B)/obj/libc/musl_resolvconf.o \
	$(B)/obj/libc/musl_res_msend.o $(B)/obj/libc/musl_vdso.o
MUSL_INCLUDES = -I$(TOP)/libc/include -Iinclude -I. -I$(MUSL)/arch/x86_64 \
	-I$(MUSL)/arch/generic -I$(B)/musl/obj/src/internal \
	-I$(MUSL)/src/include -I$(MUSL)/src/internal \
	-I$(B)/musl/obj/include -I$(MUSL)/include -I$(MUSL)/src

# The folding headers use numbers and names of the calls only; a change of
# what core does with one is no reason to build libc again.
$(B)/generate/calls: include/syscalls.def
	@mkdir -p $(@D)
	@sed -n 's/^SYSCALL(\([0-9]*, [a-z0-9_]*\),.*/\1/p' $< >$@.new
	@cmp -s $@.new $@ || cp $@.new $@

$(B)/musl/built: $(MUSL)/VERSION $(wildcard libc/include/*) \
		$(B)/generate/calls
	@echo "building musl (about a minute)"
	+@CC="$(MUSL_CC)" CFLAGS="$(MUSL_CFLAGS)" \
		third_party/build-musl $(MUSL) $(B)/musl

$(B)/obj/libc/%.o: libc/% $(B)/musl/built
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) -std=c99 -nostdinc -ffreestanding -fno-pie -O2 -g $(MAP) \
		-ffunction-sections -fdata-sections -fno-strict-aliasing \
		-fno-stack-protector -fno-asynchronous-unwind-tables \
		-D_XOPEN_SOURCE=700 $(MUSL_INCLUDES) -MMD -MP -c -o $@ $<

# Its open and poll are for set-user-ID programs: see gate/stubs.S.
$(B)/obj/libc/libc_start_main.o: $(B)/musl/built
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym __halvm_sys_open=__halvm_sys_open_at_start \
		--redefine-sym __halvm_sys_poll=__halvm_sys_poll_at_start \
		$(B)/musl/obj/src/env/__libc_start_main.o $@

# Called by libc/vdso.c.
$(B)/obj/libc/musl_vdso.o: $(B)/musl/built
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym __vdsosym=__musl_vdsosym \
		$(B)/musl/obj/src/internal/vdso.o $@

# Its mmap may find nothing: see libc/tls_map.c.
$(B)/obj/libc/init_tls.o: $(B)/musl/built
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym __halvm_sys_mmap=__halvm_tls_map \
		$(B)/musl/obj/src/env/__init_tls.o $@

# Called by libc/resolvconf.c.
$(B)/obj/libc/musl_resolvconf.o: $(B)/musl/built
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym __get_resolv_conf=__musl_get_resolv_conf \
		$(B)/musl/obj/src/network/resolvconf.o $@

# Called by libc/res_msend.c.
$(B)/obj/libc/musl_res_msend.o: $(B)/musl/built
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym __res_msend=__musl_res_msend \
		--redefine-sym __res_msend_rc=__musl_res_msend_rc \
		$(B)/musl/obj/src/network/res_msend.o $@

$(B)/lib/halvm/lib/libc.a: $(B)/musl/built $(LIBC_OBJ)
	@mkdir -p $(@D)
	$(Q)rm -f $@.new
	$(Q)$(AR) qcSD $@.new $(LIBC_OBJ)
	$(Q)cd $(B)/musl/obj && find src -name '*.o' $(MUSL_LEFT_OUT:%=! -path %) | \
		sort | xargs $(AR) qcSD $(TOP)/$@.new
	$(Q)ranlib -D $@.new
	$(Q)mv $@.new $@

# -- core, gate and the bases inside the image --------------------------------

CORE_SRC := $(sort $(wildcard core/*.c core/*/*.c gate/*.c gate/*.S \
	arch/x86_64/*.c arch/x86_64/*.S base/hw/*.c base/hw/*.S \
	base/xenpv/*.c base/xenpv/*.S drivers/*/*.c drivers/*/*.S))
# Linked by themselves: see their first lines.
ALONE_SRC := gate/dispatch.c gate/raw.c core/net/stack_lwip.c base/hw/note.S
CORE_OBJ := $(patsubst %,$(B)/obj/%.o,$(filter-out $(ALONE_SRC),$(CORE_SRC)))
GCC_INCLUDE := $(shell $(CC) -print-file-name=include)
CORE_CFLAGS := -std=c11 -O2 -g $(MAP) -nostdinc -isystem $(GCC_INCLUDE) \
	-isystem $(B)/musl/root/include -isystem $(B)/generate/include \
	-D__XEN_INTERFACE_VERSION__=0x00040e00 -D_GNU_SOURCE -I. -Iinclude \
	-Iarch/x86_64 -fno-pic -fno-pie -mcmodel=small -mgeneral-regs-only \
	-ffunction-sections -fdata-sections -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -DHALVM_IMAGE \
	-falign-functions=1 -falign-jumps=1 -falign-loops=1 -falign-labels=1 \
	-fno-jump-tables

$(B)/obj/core/%.o $(B)/obj/gate/%.o $(B)/obj/arch/%.o $(B)/obj/base/%.o \
$(B)/obj/drivers/%.o: CFLAGS_HERE = $(CORE_CFLAGS) $(WARN)
# In a Xen PV guest parts of these run in kernel mode, where a page fault is
# pushed onto the stack that they use (docs/decisions/0006-xenpv.md).
$(B)/obj/base/%.o $(B)/obj/drivers/%.o: CFLAGS_HERE += -mno-red-zone

# All is built for size, a C hello being little else, but for what runs often:
# the clock, switches, and the way of data through files and sockets, most of
# which a hello does not have.
HOT_SRC := $(wildcard arch/x86_64/*.c core/net/*.c gate/dispatch.c) \
	base/hw/clock.c drivers/net/frame.c drivers/virtio/net.c \
	drivers/virtio/ring.c drivers/xen/net.c drivers/xen/net_send.c \
	$(addprefix core/,copy.c thread/futex.c \
		thread/schedule.c time/clock.c) \
	$(addprefix core/file/,content.c epoll.c eventfd.c io.c pipe.c \
		poll.c regular.c socket_calls.c)
HOT_OBJ := $(HOT_SRC:%=$(B)/obj/%.o)
$(filter-out $(HOT_OBJ),$(CORE_OBJ)): CFLAGS_HERE += -Os

# Xen's public headers, alone: /usr/include holds the host libc's, too.
XEN_HEADERS := $(B)/generate/include/xen
$(XEN_HEADERS):
	@mkdir -p $(@D)
	@ln -sfn /usr/include/xen $@
$(CORE_OBJ): | $(XEN_HEADERS)

-include third_party/lwip/lwip.mk
LWIP_OBJ := $(patsubst %.c,$(B)/obj/lwip/%.o,$(LWIP_FILES))
$(B)/obj/core/net/%.o: CFLAGS_HERE += -Ithird_party/lwip -I$(LWIP)/src/include
$(B)/obj/lwip/%.o: $(LWIP)/%.c | $(B)/musl/built
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(CORE_CFLAGS) -Wall -Wno-address \
		-Ithird_party/lwip \
		-I$(LWIP)/src/include -MMD -MP -c -o $@ $<

$(B)/obj/%.c.o: %.c | $(B)/musl/built
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(CFLAGS_HERE) -MMD -MP -c -o $@ $<
$(B)/obj/%.S.o: %.S | $(B)/musl/built
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(CFLAGS_HERE) -MMD -MP -c -o $@ $<

# The pure functions that core uses are musl's own, linked in: a program may
# replace memcpy, and libc/memcpy.S uses vector registers, which core must
# leave alone.
$(B)/obj/string.a: $(B)/musl/built
	@mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)cd $(B)/musl/obj/src && find string stdlib/atoi.o network/htonl.o \
		-name '*.o' | sort | xargs $(AR) rcsD $(TOP)/$@

# One relocatable object whose names are local but for __halvm_* and halvm_*,
# so that a program may use any name it likes; its sections stay apart for
# --gc-sections (--unique: docs/decisions/0005-names.md).
$(B)/obj/halvm.o: $(CORE_OBJ) $(LWIP_OBJ) $(B)/obj/string.a
	$(Q)$(LD) -r --unique -o $@.all $^
	$(Q)objcopy --wildcard -G '__halvm_*' -G 'halvm_*' $@.all $@

$(B)/lib/halvm/lib/libhalvm.a: $(B)/obj/halvm.o $(B)/obj/gate/dispatch.c.o \
		$(B)/obj/gate/raw.c.o $(B)/obj/core/net/stack_lwip.c.o
	@mkdir -p $(@D)
	$(Q)rm -f $@.new
	$(Q)$(AR) rcsD $@.new $^
	$(Q)mv $@.new $@

$(B)/lib/halvm/lib/halvm-boot.o: $(B)/obj/base/hw/note.S.o
	@mkdir -p $(@D)
	$(Q)cp $< $@

# -- the sysroot that the tools link programs with ----------------------------

COMPAT_SRC := $(wildcard libc/compat/*.c)
COMPAT_OBJ := $(COMPAT_SRC:%=$(B)/obj/%.o)
$(B)/obj/libc/compat/%.o: libc/compat/% $(B)/musl/built
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) -std=c11 -O2 -g $(MAP) -nostdinc -isystem $(B)/musl/root/include \
		-isystem $(GCC_INCLUDE) -D_GNU_SOURCE -fno-pie \
		-U_FORTIFY_SOURCE -fno-builtin -ffunction-sections \
		-fno-stack-protector $(WARN) -Wno-cast-qual -MMD -MP -c -o $@ $<
$(B)/lib/halvm/lib/libhalvm-compat.a: $(COMPAT_OBJ)
	@mkdir -p $(@D)
	$(Q)rm -f $@.new
	$(Q)$(AR) rcsD $@.new $^
	$(Q)mv $@.new $@

# What a program that takes calls over is linked with (docs/rerouting.md):
# application code, like libhalvm-compat.
REROUTE_SRC := $(wildcard reroute/*.c)
REROUTE_OBJ := $(REROUTE_SRC:%=$(B)/obj/%.o)
$(B)/obj/reroute/%.o: reroute/% $(B)/musl/built
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) -std=c11 -O2 -g $(MAP) -nostdinc -isystem $(B)/musl/root/include \
		-isystem $(GCC_INCLUDE) -Iinclude -I. -D_GNU_SOURCE -fno-pie \
		-U_FORTIFY_SOURCE -ffunction-sections -fdata-sections \
		-fno-stack-protector $(WARN) -MMD -MP -c -o $@ $<
$(B)/lib/halvm/lib/libhalvm-reroute.a: $(REROUTE_OBJ)
	@mkdir -p $(@D)
	$(Q)rm -f $@.new
	$(Q)$(AR) rcsD $@.new $^
	$(Q)mv $@.new $@

$(B)/lib/halvm/include/stdio.h: $(B)/musl/built $(wildcard include/halvm/*)
	$(Q)mkdir -p $(B)/lib/halvm/include $(B)/lib/halvm/lib
	$(Q)cp -r $(B)/musl/root/include/. $(B)/lib/halvm/include/
	$(Q)cp -r include/halvm $(B)/lib/halvm/include/
	$(Q)cd $(B)/musl/root/lib && cp crt1.o crti.o crtn.o lib[!c]*.a libcrypt.a \
		$(TOP)/$(B)/lib/halvm/lib/
	$(Q)touch $@

LIBS := libc.a libhalvm.a libhalvm-compat.a libhalvm-reroute.a halvm-boot.o
.PHONY: sysroot
sysroot: $(B)/lib/halvm/include/stdio.h $(LIBS:%=$(B)/lib/halvm/lib/%)

-include tools/tools.mk
.PHONY: tools

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

.PHONY: clean distclean
clean:
	find $(B) -mindepth 1 -maxdepth 1 ! -name third_party \
		-exec rm -rf {} +
distclean:
	rm -rf $(B)

# -- documents made from the tree ----------------------------------------------

$(B)/generate/syscalls-doc: tools/generate/syscalls-doc.c include/syscalls.def
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) -std=c11 -O1 $(WARN) -Iinclude -o $@ $<

docs/syscalls.md: $(B)/generate/syscalls-doc
	$< >$@

-include tests/unit/unit.mk

# -- examples, and the targets that people use ---------------------------------

E := $(B)/examples
GIT_HASH := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
READY := $(LIBS:%=$(B)/lib/halvm/lib/%)

.PHONY: examples demo check
examples: $(E)/hello $(E)/httpd $(E)/Hello $(E)/web $(E)/channel

$(E)/%: examples/%.c $(READY) | all
	@mkdir -p $(@D)
	$(Q)$(B)/bin/halvm-cc -O2 -o $@ $<
# GHC does not see that our libraries changed: it links what is not there.
$(E)/Hello: examples/Hello.hs $(READY) | all
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(B)/bin/halvm-ghc -v0 -O -outputdir $@.obj -o $@ $<
$(E)/web: $(wildcard examples/web/*.hs) $(READY) | all
	@mkdir -p $(@D)
	@echo "  GHC $@ (half a minute)"
	@rm -f $@
	$(Q)$(B)/bin/halvm-ghc -v0 -O -threaded -iexamples/web \
		'-optP-DGIT_HASH="$(GIT_HASH)"' -outputdir $@.obj -o $@ \
		examples/web/Main.hs

$(E)/channel: examples/channel/Main.hs $(READY) \
		$(shell find haskell/halvm -name '*.hs' -o -name '*.[ch]') | all
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(B)/bin/halvm-ghc -v0 -O -outputdir $@.obj -o $@ $<

# -- halvm-net as an ordinary Linux process, for its tests -----------------------

N := $(B)/halvm-net
HALVM_NET_HS := $(shell find haskell/halvm-net -name '*.hs') \
	$(wildcard examples/decoy/*.hs)
# Plain GHC. The modules are compiled once, for all three.
HALVM_NET_GHC := ghc -v0 -O -Wall -Wno-incomplete-uni-patterns \
	-Wno-missing-home-modules -ihaskell/halvm-net/src -outputdir $(N)/obj
.PHONY: halvm-net
halvm-net: $(N)/interop $(N)/properties $(N)/decoy $(N)/web $(N)/web-plain \
	$(N)/web-host $(N)/fetch $(N)/fetch-plain $(N)/fetch-host
$(N)/done: $(HALVM_NET_HS)
	@mkdir -p $(N)
	@echo "  GHC haskell/halvm-net (a minute)"
	$(Q)$(HALVM_NET_GHC) -ihaskell/halvm-net/tests -main-is Main \
		-o $(N)/interop haskell/halvm-net/tests/Interop.hs
	$(Q)rm -f $(N)/obj/Main.*
	$(Q)$(HALVM_NET_GHC) -ihaskell/halvm-net/tests \
		-o $(N)/properties haskell/halvm-net/tests/Properties.hs
	$(Q)rm -f $(N)/obj/Main.*
	$(Q)$(HALVM_NET_GHC) -iexamples/decoy \
		-o $(N)/decoy examples/decoy/Main.hs
	@touch $@
$(N)/interop $(N)/properties $(N)/decoy: $(N)/done
# A server and a client that take the stack as their network, with the threaded
# and the plain runtime; modules are compiled once, so one after the other.
HALVM_NET_OVER = $(B)/bin/halvm-ghc -v0 -O2 -ihaskell/halvm-net/src \
	-iexamples/stack/haskell -outputdir $(N)/over.obj
$(N)/web: $(HALVM_NET_HS) $(wildcard examples/stack/*.hs) \
		examples/stack/haskell/Stack.hs $(READY) | all
	@mkdir -p $(N)
	@echo "  GHC examples/stack over halvm-net (a minute)"
	@rm -f $@ $(N)/over.obj/Main.*
	$(Q)$(HALVM_NET_OVER) -threaded -o $@ examples/stack/Main.hs
$(N)/web-plain: $(N)/web
	@rm -f $@ $(N)/over.obj/Main.*
	$(Q)$(HALVM_NET_OVER) -o $@ examples/stack/Main.hs
$(N)/fetch: haskell/halvm-net/tests/Fetch.hs $(N)/web-plain
	@rm -f $@ $(N)/over.obj/Main.*
	$(Q)$(HALVM_NET_OVER) -threaded -o $@ $<
$(N)/fetch-plain: haskell/halvm-net/tests/Fetch.hs $(N)/fetch
	@rm -f $@ $(N)/over.obj/Main.*
	$(Q)$(HALVM_NET_OVER) -o $@ $<
# The same over the sockets that are there: the host's, or lwIP's.
HALVM_NET_HOST = $(B)/bin/halvm-ghc -v0 -O2 -threaded -iexamples/stack/host \
	-outputdir $@.obj
$(N)/web-host: examples/stack/Main.hs examples/stack/host/Stack.hs $(READY) \
		| all
	@mkdir -p $(N)
	@rm -f $@
	$(Q)$(HALVM_NET_HOST) -o $@ $<
$(N)/fetch-host: haskell/halvm-net/tests/Fetch.hs \
		examples/stack/host/Stack.hs $(READY) | all
	@mkdir -p $(N)
	@rm -f $@
	$(Q)$(HALVM_NET_HOST) -o $@ $<

demo: examples
	sh examples/demo.sh

# Two at a time, unless it was said how many.
check:
	+@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j2) \
		all examples halvm-net
	tests/check

# Xen's guests in full: every test as PV and PVH, domains that come and go,
# are squeezed, saved and restored. The saved dom0 is not used.
.PHONY: check-xen-full
check-xen-full: all examples halvm-net
	tests/check base-xen base-xen-old sys-xen-pv sys-xen-pvh hs-xen-pv \
		hs-xen-pvh torture-xen-pv torture-xen-pvh xen-full

# Haskell at the end of memory, a thousand seeds on each base: hours.
.PHONY: check-memory
check-memory: all
	tests/check memory-full

# Every n at which memory can fail while a program boots and runs, and the
# loops of tests/fault on Xen, too.
.PHONY: check-fault-full
check-fault-full: all
	tests/check fault-full fault-xen-pv fault-xen-pvh

-include bench/bench.mk
