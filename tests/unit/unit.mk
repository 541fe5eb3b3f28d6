# SPDX-License-Identifier: BSD-3-Clause
#
# Unit tests and fuzz targets: modules of core and drivers as host programs
# under AddressSanitizer and UndefinedBehaviorSanitizer. A line a test: what
# it links, and what it includes as a whole (_included). Included by the
# Makefile.

THREAD_SRC := $(wildcard core/thread/*.c) \
	$(filter-out core/signal/signalfd.c,$(wildcard core/signal/*.c))

# As in CORE_CFLAGS: Xen's headers want to know.
XEN_CFLAGS := -D__XEN_INTERFACE_VERSION__=0x00040e00

unit_governor_group_test := haskell/governor/group.c \
	haskell/governor/text.c
unit_acpi_test := drivers/acpi/parse.c
unit_futex_test := $(THREAD_SRC) $(wildcard arch/x86_64/switch*.S)
unit_signal_test := $(unit_futex_test)
unit_file_test := $(wildcard core/file/*.c) $(unit_futex_test)
unit_path_test := $(unit_file_test)
unit_ramfs_test := $(unit_file_test)
unit_ustar_test := core/file/ustar.c
unit_thread_schedule_test := $(unit_futex_test)
unit_mem_map_test := $(wildcard core/mem/*.c)
unit_mem_pool_test := $(wildcard core/mem/*.c)
unit_reroute_net_test := $(wildcard reroute/net*.c) reroute/copy.c \
	reroute/descriptor.c reroute/service.c
unit_reroute_net_test_flags := -Wl,--wrap=pthread_mutex_unlock
unit_random_test := $(wildcard core/random/*.c)
unit_time_clock_test := $(wildcard core/time/*.c)
unit_time_timer_test := $(wildcard core/time/*.c)
unit_virtio_ring_test := drivers/virtio/ring.c
unit_virtio_net_test := drivers/virtio/ring.c drivers/net/frame.c
unit_virtio_net_test_included := drivers/virtio/net.c
unit_virtio_blk_test := drivers/virtio/ring.c
unit_virtio_blk_test_included := drivers/virtio/blk.c
unit_xen_balloon_test_included := drivers/xen/balloon.c
unit_xen_console_test := drivers/xen/console.c
unit_xen_control_test_included := drivers/xen/control.c
unit_xen_event_test := drivers/xen/event.c drivers/xen/two_level.c \
	drivers/xen/fifo.c
unit_xen_grant_test := drivers/xen/grant.c
unit_xen_store_test := drivers/xen/text.c
unit_xen_store_test_included := drivers/xen/store.c
unit_xen_net_test := drivers/xen/text.c drivers/net/frame.c
unit_xen_net_test_included := drivers/xen/bus.c drivers/xen/net.c \
	drivers/xen/net_send.c
unit_xen_blk_test := drivers/xen/text.c
unit_xen_blk_test_included := drivers/xen/bus.c drivers/xen/blk.c
unit_xen_net_large_test := $(unit_xen_net_test)
unit_xen_net_large_test_included := $(unit_xen_net_test_included)
XEN_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/xen_*_test.c))
$(foreach test,$(XEN_TESTS),$(eval unit_$(test)_flags := $(XEN_CFLAGS)))
unit_tools_test := tools/halvm/parse.c tools/halvm/console.c \
	tools/halvm/command_line.c tools/halvm/memory.c \
	tools/halvm-cc/response.c core/options.c

# lwIP with its own assertions on, and core/net, whose buffers come from malloc
# here so that AddressSanitizer sees them. lwIP shifts into the sign bit. It is
# compiled once for all unit tests, and once for all fuzz targets (net.a).
NET_SRC := $(wildcard core/net/*.c) $(LWIP_FILES:%=$(LWIP)/%)
NET_CFLAGS := -DHALVM_LWIP_ASSERT -Ithird_party/lwip \
	-isystem $(LWIP)/src/include -fno-sanitize=shift,alignment \
	-Wno-sign-compare -Wno-address -Wno-unused-function
NET_WRAP := -Wl,--wrap=net_alloc -Wl,--wrap=net_free
NET_TESTS := net_cut_test net_datagram_test net_interface_test \
	net_offload_test \
	net_segments_test net_stream_test net_unix_test
$(foreach test,$(NET_TESTS),$(eval unit_$(test) := $(B)/unit/net.a))
$(foreach test,$(NET_TESTS),$(eval unit_$(test)_flags := $(NET_CFLAGS) $(NET_WRAP)))

UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*_test.c))
UNIT_CFLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -I. -Iinclude -Iarch/x86_64 \
	-Itests/unit -Wall -Wextra -Wno-unused-parameter \
	-fsanitize=address,undefined -fno-sanitize-recover=all

# Stacks are switched in these.
$(B)/unit/futex_test $(B)/unit/signal_test $(B)/unit/thread_schedule_test \
$(B)/unit/file_test $(B)/unit/path_test: \
	UNIT_CFLAGS += --param asan-stack=0

.SECONDEXPANSION:
$(B)/unit/%_test: tests/unit/%_test.c $$(unit_$$*_test) \
		$$(unit_$$*_test_included) \
		$$(wildcard tests/unit/*.h core/*/*.h core/*.h drivers/*/*.h)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(unit_$*_test_flags) -o $@ \
		$(filter-out $(unit_$*_test_included),$(filter %.c %.S %.a,$^)) \
		$(unit_$*_test_libs)

$(B)/unit/net/%.o: %.c $$(wildcard core/*/*.h core/*.h)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(NET_CFLAGS) -c -o $@ $<
$(B)/unit/net.a: $(NET_SRC:%.c=$(B)/unit/net/%.o)
	rm -f $@ && $(AR) rc $@ $^

.PHONY: check-unit
check-unit: $(UNIT_TESTS:%=$(B)/unit/%)
	@for test in $(UNIT_TESTS); do \
		if timeout 120 $(B)/unit/$$test >$(B)/unit/$$test.log 2>&1; \
		then echo "PASS unit/$$test"; \
		else echo "FAIL unit/$$test ($$(tail -n 1 $(B)/unit/$$test.log))"; \
		fi; done

include tests/fuzz/fuzz.mk
