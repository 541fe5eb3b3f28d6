# SPDX-License-Identifier: BSD-3-Clause
# make bench: the figures of docs/figures.md, measured here and now.
# `bench/run GROUP` repeats one group of them.

BENCH_PROGRAMS := ops ops.glibc hello hello-hs hello-hs-threaded httpd web \
	bulk mix mix-ungoverned floor init load count.so \
	stack-lwip stack-haskell bulk-lwip bulk-haskell
BENCH := $(BENCH_PROGRAMS:%=$(B)/bench/%) $(B)/bench/vmlinux
BENCH_WARN := -Wall -Wextra -Wno-unused-parameter
BENCH_GHC = $(Q)$(B)/bin/halvm-ghc -v0 -O2 -outputdir $@.obj -o $@

.PHONY: bench bench-programs
bench: bench-programs
	bench/run
bench-programs: all
	@$(MAKE) -s --no-print-directory $(BENCH)

$(BENCH): | $(B)/bench/made
$(B)/bench/made:
	@mkdir -p $(@D)
	@touch $@

$(B)/bench/ops $(B)/bench/bulk: $(B)/bench/%: bench/%.c $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(Q)$(B)/bin/halvm-cc -O2 $(BENCH_WARN) -o $@ $<
$(B)/bench/hello $(B)/bench/httpd: $(B)/bench/%: examples/%.c $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(Q)$(B)/bin/halvm-cc -O2 $(BENCH_WARN) -o $@ $<
$(B)/bench/hello-hs: examples/Hello.hs $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(BENCH_GHC) $<
$(B)/bench/hello-hs-threaded: examples/Hello.hs $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(BENCH_GHC) -threaded $<
$(B)/bench/mix: bench/Mix.hs bench/ticks.c $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(BENCH_GHC) bench/Mix.hs bench/ticks.c
$(B)/bench/mix-ungoverned: bench/Mix.hs bench/ticks.c $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(BENCH_GHC) -optl-mhalvm-no-governor bench/Mix.hs bench/ticks.c
$(B)/bench/web: $(wildcard examples/web/*.hs) $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(BENCH_GHC) -threaded -iexamples/web examples/web/Main.hs

# The same two programs over lwIP and over halvm-net: one recipe makes both.
STACK_HS := $(shell find haskell/halvm/src haskell/halvm-net/src -name '*.hs') \
	$(wildcard examples/stack/*.hs examples/stack/*/*.hs) bench/Bulk.hs
STACK_GHC = $(Q)$(B)/bin/halvm-ghc -v0 -O2 -threaded -iexamples/stack \
	-outputdir $(B)/bench/stack-$*.obj \
	$(if $(filter haskell,$*),-ihaskell/halvm-net/src) \
	-iexamples/stack/$(if $(filter haskell,$*),haskell,host)
$(B)/bench/stack-% $(B)/bench/bulk-%: $(STACK_HS) $(LIBS:%=$(B)/lib/halvm/lib/%)
	$(Q)rm -f $(B)/bench/stack-$* $(B)/bench/bulk-$*
	$(STACK_GHC) -o $(B)/bench/stack-$* examples/stack/Main.hs
	$(Q)rm -f $(B)/bench/stack-$*.obj/Main.*
	$(STACK_GHC) -o $(B)/bench/bulk-$* bench/Bulk.hs
	$(Q)rm -f $(B)/bench/stack-$*.obj/Main.*

$(B)/bench/ops.glibc: bench/ops.c
	$(Q)$(CC) -static -O2 -pthread $(BENCH_WARN) -o $@ $<
$(B)/bench/init: bench/init.c
	$(Q)$(CC) -static -O2 $(BENCH_WARN) -o $@ $<
$(B)/bench/load: bench/load.c
	$(Q)$(CC) -O2 $(BENCH_WARN) -o $@ $<
$(B)/bench/count.so: bench/count.c
	$(Q)$(CC) -shared -fPIC -O2 $(BENCH_WARN) -o $@ $<
$(B)/bench/floor: bench/floor.S
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,-e,start -o $@ $<
$(B)/bench/vmlinux: bench/linux
	@echo "fetching Debian's cloud kernel"
	$(Q)bench/linux
