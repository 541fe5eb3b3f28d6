# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzz targets: parsers as host programs under libFuzzer and the sanitizers. A
# line a target: what it links, and what it includes as a whole (_included).
# Included by tests/unit/unit.mk.
#
#   make check-fuzz                 FUZZ_SECONDS each (5), from the same seed
#   make fuzz TARGET=ustar_fuzz     until ^C; finds stay in build/fuzz/corpus

FUZZ_SECONDS := 5
FUZZ_CC := clang

fuzz_acpi_fuzz := drivers/acpi/parse.c
fuzz_cgroup_fuzz := haskell/governor/group.c haskell/governor/text.c
fuzz_command_line_fuzz := tools/halvm/command_line.c tools/halvm/parse.c \
	core/options.c core/mem/fault.c
fuzz_net_receive_fuzz := $(B)/fuzz/net.a
fuzz_net_receive_fuzz_flags := $(NET_CFLAGS) $(NET_WRAP)
fuzz_packet_receive_fuzz := $(fuzz_net_receive_fuzz)
fuzz_packet_receive_fuzz_flags := $(fuzz_net_receive_fuzz_flags)
fuzz_tools_fuzz := tools/halvm/parse.c tools/halvm/console.c
fuzz_ustar_fuzz :=
fuzz_virtio_blk_fuzz := drivers/virtio/ring.c
fuzz_virtio_net_fuzz := drivers/virtio/ring.c drivers/net/frame.c
fuzz_virtio_ring_fuzz := drivers/virtio/ring.c
fuzz_xen_store_fuzz := drivers/xen/text.c
fuzz_xen_store_fuzz_included := drivers/xen/store.c \
	drivers/xen/store_programs.c
fuzz_xen_net_fuzz := drivers/xen/text.c drivers/net/frame.c
fuzz_xen_net_fuzz_included := drivers/xen/bus.c drivers/xen/net.c \
	drivers/xen/net_send.c
fuzz_xen_blk_fuzz := drivers/xen/text.c
fuzz_xen_blk_fuzz_included := drivers/xen/bus.c drivers/xen/blk.c
fuzz_xen_programs_fuzz_included := core/xen/store.c
fuzz_xen_ring_fuzz := haskell/halvm/cbits/xen_ring.c
XEN_FUZZ := xen_store_fuzz xen_net_fuzz xen_blk_fuzz xen_programs_fuzz
$(foreach fuzz,$(XEN_FUZZ),$(eval fuzz_$(fuzz)_flags := $(XEN_CFLAGS)))

FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_CFLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -I. -Iinclude -Iarch/x86_64 \
	-Itests/unit -Itests/fuzz -Wall -Wextra -Wno-unused-parameter \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
# Tools free nothing before their end.
FUZZ_RUN := ASAN_OPTIONS=detect_leaks=0

$(B)/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $$(fuzz_$$*_fuzz) \
		$$(fuzz_$$*_fuzz_included) \
		$$(wildcard tests/fuzz/*.h tests/unit/*.h core/*/*.h drivers/*/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(fuzz_$*_fuzz_flags) -o $@ \
		$(filter-out $(fuzz_$*_fuzz_included),$(filter %.c %.S %.a,$^))

$(B)/fuzz/net/%.o: %.c $$(wildcard core/*/*.h core/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(NET_CFLAGS) -c -o $@ $<
$(B)/fuzz/net.a: $(NET_SRC:%.c=$(B)/fuzz/net/%.o)
	rm -f $@ && $(AR) rc $@ $^

.PHONY: check-fuzz fuzz
check-fuzz: $(FUZZ_TARGETS:%=$(B)/fuzz/%)
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p $(B)/fuzz/finds; \
		if $(FUZZ_RUN) timeout $$(($(FUZZ_SECONDS) + 60)) \
			$(B)/fuzz/$$target -seed=1 -rss_limit_mb=4096 \
			-max_total_time=$(FUZZ_SECONDS) \
			-artifact_prefix=$(B)/fuzz/finds/$$target- \
			>$(B)/fuzz/$$target.log 2>&1; \
		then echo "PASS fuzz/$$target ($$(sed -n \
			's/^Done \([0-9]*\) runs.*/\1 runs/p' \
			$(B)/fuzz/$$target.log))"; \
		else echo "FAIL fuzz/$$target (see $(B)/fuzz/$$target.log)"; fi; done

fuzz: $(B)/fuzz/$(TARGET)
	mkdir -p $(B)/fuzz/corpus/$(TARGET)
	$(FUZZ_RUN) $< $(B)/fuzz/corpus/$(TARGET)
