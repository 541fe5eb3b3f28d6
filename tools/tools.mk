# SPDX-License-Identifier: BSD-3-Clause
#
# The host tools: halvm-cc, halvm-ghc, halvm-config and halvm, with what they
# read beside the sysroot, their manual pages, and "make install".
# Included by the Makefile; B, CC, WARN, MAP, PREFIX and VERSION are its own.

TOOL_CFLAGS := -std=c11 -O2 -g -D_GNU_SOURCE $(MAP) $(WARN)
GHC := $(or $(HALVM_GHC),ghc)
L := $(B)/lib/halvm

TOOL_PROGRAMS := $(addprefix $(B)/bin/,halvm halvm-cc halvm-c++ halvm-ghc \
	halvm-config)
TOOL_FILES := $(addprefix $(L)/,halvm.specs halvm.cmake halvm.meson \
	ghc-libdir governor/.made ghc/compiler lib/halvm-codegen.o \
	lib/halvm-no-lwip.o pkgconfig/.made)
MAN_PAGES := $(patsubst docs/man/%.scd,$(B)/man/%,$(wildcard docs/man/*.scd))

$(B)/obj/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) -Iinclude -DHALVM_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

tool_objects = $(patsubst tools/%.c,$(B)/obj/tools/%.o,$(wildcard tools/$1/*.c))

$(B)/bin/halvm-cc: $(filter-out %/codegen.o %/no_lwip.o,$(call tool_objects,halvm-cc))
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^
$(B)/bin/halvm-c++: $(B)/bin/halvm-cc
	$(Q)ln -sf halvm-cc $@
$(B)/bin/halvm: $(call tool_objects,halvm)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ -lelf
$(B)/bin/halvm-ghc $(B)/bin/halvm-config: $(B)/bin/%: tools/%.in
	@mkdir -p $(@D)
	$(Q)sed 's|@VERSION@|$(VERSION)|' $< >$@
	$(Q)chmod 755 $@

$(L)/halvm.specs $(L)/halvm.cmake: $(L)/%: tools/halvm-cc/%
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(L)/halvm.meson: tools/halvm-cc/halvm.meson.in
	@mkdir -p $(@D)
	$(Q)sed 's|@BIN@|$(TOP)/$(B)/bin|' $< >$@
$(L)/ghc-libdir: tools/ghc-libdir
	@mkdir -p $(@D)
	$(Q)install -m 755 $< $@
# Without a GHC on the machine, C programs still build.
GOVERNOR := $(wildcard haskell/governor/*)
$(L)/governor/.made: $(GOVERNOR)
	$(Q)rm -rf $(@D)
	$(Q)mkdir -p $(@D)
	$(Q)cp $^ $(@D)/
	$(Q)touch $@
$(L)/ghc/compiler: tools/ghc-libdir $(GOVERNOR) $(B)/bin/halvm-cc \
		$(L)/halvm.specs $(L)/include/stdio.h
	$(Q)if command -v $(GHC) >/dev/null; then \
		sh tools/ghc-libdir $(TOP)/$(L)/ghc $(TOP)/$(B)/bin/halvm-cc \
			$(GHC); \
	else mkdir -p $(@D) && : >$@; fi
$(L)/lib/halvm-codegen.o: tools/halvm-cc/codegen.c
$(L)/lib/halvm-no-lwip.o: tools/halvm-cc/no_lwip.c
$(L)/lib/halvm-codegen.o $(L)/lib/halvm-no-lwip.o:
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -fno-pie -c -o $@ $<
$(L)/pkgconfig/.made:
	$(Q)mkdir -p $(@D)
	$(Q)touch $@

$(B)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	$(Q)if command -v scdoc >/dev/null; then scdoc <$< >$@; fi
$(B)/completion/halvm: $(B)/bin/halvm
	@mkdir -p $(@D)
	$(Q)$< completion bash >$@

# -- C++: the host's library and headers, with what must be ours in front --------

CXX_HOST := /usr/bin/x86_64-linux-gnu-g++
CXX_LIBRARY := $(shell $(CXX_HOST) -print-file-name=libstdc++.a 2>/dev/null)
CXX_MAJOR := $(shell $(CXX_HOST) -dumpversion 2>/dev/null)

ifneq ($(CXX_MAJOR),)
TOOL_FILES += $(L)/lib/libstdc++.a $(L)/c++/.made
endif

$(B)/obj/tools/halvm-cc/c++/locale.o: tools/halvm-cc/c++/locale.c \
		$(L)/include/stdio.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O2 -g $(MAP) $(WARN) -D_GNU_SOURCE -fno-pie -nostdinc \
		-isystem $(L)/include -isystem $(GCC_INCLUDE) -c -o $@ $<
$(L)/lib/libstdc++.a: $(CXX_LIBRARY) $(B)/obj/tools/halvm-cc/c++/locale.o
	@mkdir -p $(@D)
	$(Q)objcopy $(foreach name,newlocale duplocale freelocale,--redefine-sym \
		__$(name)=halvm_cxx_$(name)) $< $@
	$(Q)$(AR) qD $@ $(lastword $^)
	$(Q)ranlib -D $@
$(L)/c++/.made: $(wildcard tools/halvm-cc/c++/bits/*)
	$(Q)rm -rf $(@D)
	$(Q)mkdir -p $(@D)/halvm/bits
	$(Q)cp $^ $(@D)/halvm/bits/
	$(Q)ln -s /usr/include/c++/$(CXX_MAJOR) $(@D)/std
	$(Q)ln -s /usr/include/x86_64-linux-gnu/c++/$(CXX_MAJOR) $(@D)/host
	$(Q)touch $@

# -- a machine with nothing installed -------------------------------------------
# Including this file makes it first, by ./setup; then make starts again, so that
# what the variables above ask gcc is asked of one that is there. (It cannot name
# setup as its source: that is a phony target.)

READY := $(B)/third_party/ready.mk
ifeq ($(filter clean distclean setup,$(MAKECMDGOALS)),)
-include $(READY)
endif
$(READY): third_party/versions
	./setup
	@echo "# ./setup was here" >$@

# -- make install -------------------------------------------------------------

D := $(DESTDIR)$(PREFIX)

.PHONY: install
install: all
	install -d $(D)/bin $(D)/lib/halvm $(D)/share/man/man1 \
		$(D)/share/man/man7 $(D)/share/bash-completion/completions
	install -m 755 $(B)/bin/halvm $(B)/bin/halvm-cc $(B)/bin/halvm-ghc \
		$(B)/bin/halvm-config $(D)/bin
	$(Q)ln -sf halvm-cc $(D)/bin/halvm-c++
	cd $(L) && tar -c --exclude ./ghc --exclude ./halvm.meson . | \
		tar -x --no-same-owner -C $(abspath $(D))/lib/halvm
	$(Q)sed 's|@BIN@|$(PREFIX)/bin|' tools/halvm-cc/halvm.meson.in \
		>$(D)/lib/halvm/halvm.meson
	BUILD_CC=$(TOP)/$(B)/bin/halvm-cc \
		sh tools/ghc-libdir $(abspath $(D))/lib/halvm/ghc \
		$(PREFIX)/bin/halvm-cc $(GHC)
	install -m 644 $(filter %.1,$(MAN_PAGES)) $(D)/share/man/man1
	install -m 644 $(filter %.7,$(MAN_PAGES)) $(D)/share/man/man7
	install -m 644 $(B)/completion/halvm \
		$(D)/share/bash-completion/completions/halvm
tools: $(TOOL_PROGRAMS) $(TOOL_FILES) $(MAN_PAGES) $(B)/completion/halvm


# -- the Haskell package (haskell/halvm), for programs that halvm-ghc builds ------
# A package database of its own, named by GHC's version, whose files are found
# relative to it: so "make install" copies it as it is.

GHC_VERSION := $(shell command -v $(GHC) >/dev/null && $(GHC) --numeric-version)
HASKELL := $(L)/haskell/$(GHC_VERSION)
ifneq ($(GHC_VERSION),)
tools: $(HASKELL)/package.conf.d/package.cache $(L)/haskell/halvm/halvm.cabal
endif

$(HASKELL)/package.conf.d/package.cache: haskell/halvm/halvm.cabal \
		$(wildcard haskell/halvm/cbits/* haskell/halvm/src/System/*.hs \
		haskell/halvm/src/System/*/*.hs haskell/halvm/src/System/*/*/*.hs) \
		tools/haskell-package $(B)/bin/halvm-cc $(B)/bin/halvm-ghc \
		$(L)/ghc/compiler $(L)/governor/.made $(LIBS:%=$(L)/lib/%) \
		$(L)/include/stdio.h
	@echo "  CABAL haskell/halvm"
	$(Q)tools/haskell-package haskell/halvm $(HASKELL) $(B)/bin/halvm-ghc \
		$(B)/obj/haskell

# Its source, for cabal projects: "packages: . FOLDER" in cabal.project.
$(L)/haskell/halvm/halvm.cabal: haskell/halvm/halvm.cabal \
		$(HASKELL)/package.conf.d/package.cache
	$(Q)rm -rf $(@D)
	$(Q)cp -r haskell/halvm $(@D)
