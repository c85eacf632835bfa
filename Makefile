# snag - see `make help`. One Makefile; variants (release, debug, san, cov) stand side by side in build/.

VARIANT ?= release
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
CLANG ?= clang
B := build/$(VARIANT)

ifneq ($(V),1)
Q := @
say = @printf '  %-8s %s\n' $(1) $(2);
endif

flags_release := -O2
flags_debug   := -O0
flags_san     := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
flags_cov     := -O0 --coverage
flags_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined
flags_lint    := -O2 -Werror
VARIANT_FLAGS := $(flags_$(VARIANT))

CPPFLAGS += -D_GNU_SOURCE -Iinclude -Ishim
CFLAGS   += -std=gnu11 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla $(VARIANT_FLAGS)
# What runs inside the program under test: position independent, nothing exported by default, thread-local storage that
# never allocates, no tail call into dlsym (the loader would take itself for the caller).
SHIM_CFLAGS := -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-optimize-sibling-calls -fno-stack-protector
ifeq ($(shell uname -m),aarch64)
SHIM_CFLAGS += -mno-outline-atomics
endif
# The hooks are small functions over many files; link-time optimisation makes one of them. One partition, as aliases of
# hooks are set by assembler statements beside them.
ifeq ($(VARIANT),release)
ifneq ($(shell $(CC) --version 2>/dev/null | grep -c 'Free Software'),0)
SHIM_CFLAGS += -flto -flto-partition=one
endif
endif

SHIM_LAYERS := base model policy engine trace session effects probe preload
CORE_LAYERS := base model policy engine trace session effects probe
CLI_LAYERS  := compile cli

src = $(foreach d,$(1),$(sort $(wildcard shim/$(d)/*.c)))
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
pic = $(patsubst %.c,$(B)/pic/%.o,$(1))

SHIM_OBJS := $(call pic,$(call src,$(SHIM_LAYERS)))
CORE_OBJS := $(call obj,$(call src,$(CORE_LAYERS)))
CLI_OBJS  := $(call obj,$(call src,$(CLI_LAYERS)))
# Everything but main(), for tests.
LIB_OBJS  := $(CORE_OBJS) $(filter-out %/main.o,$(CLI_OBJS))
CLI_LIBS  := -lyaml -ljansson

PROGRAMS   := $(patsubst tests/programs/%.c,$(B)/programs/%,$(wildcard tests/programs/*.c))
BENCH      := $(B)/bench/call $(B)/bench/cycle $(B)/bench/model $(B)/bench/noop.so
UNIT_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(foreach d,$(CORE_LAYERS) $(CLI_LAYERS) crash,$(wildcard tests/$(d)/*.c))) $(B)/tests/live
LIVE_OBJS  := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/live/*.c))

# Small programs on libraries, for tests/matrix: each where its library is there.
has = $(shell pkg-config --exists $(1) 2>/dev/null && echo yes)
REAL := $(if $(call has,libuv),$(B)/real/uv) $(if $(call has,libevent),$(B)/real/event) \
        $(if $(shell command -v go),$(B)/real/gopeer)

.PHONY: help all deps demo tour test check-programs programs units real-programs check-unit check-suites check-live check-live-time check-rows bench bench-programs lint layers symbols fuzz install uninstall clean
.DEFAULT_GOAL := all
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  VARIANT=release|debug|san|cov  CC=gcc|clang  V=1 shows the commands"

all: $(B)/libsnag.so $(B)/snag ## build libsnag.so and snag into build/release

deps: ## install what is missing (Debian packages)
	@.ci/deps test

demo: ## install what is missing, build, and run the main job on a real server
	@.ci/deps demo
	@$(MAKE) --no-print-directory all
	@examples/demo.sh $(B)/snag

tour: ## install what is missing, build, and play the examples: what sockets really do
	@.ci/deps tour
	@$(MAKE) --no-print-directory all
	@SNAG_BUILD=$(B) examples/tour

test: ## install what is missing, build, and run all tests (minutes)
	@.ci/deps test
	@$(MAKE) --no-print-directory all programs
	@tests/run.sh

check-programs: ## real servers and clients, and Go, under nearly every ready policy and beside the real condition (minutes)
	@.ci/deps programs
	@$(MAKE) --no-print-directory real-programs
	@tests/run.sh matrix

programs: $(PROGRAMS)

units: $(UNIT_TESTS)

real-programs: $(REAL)

check-unit: $(UNIT_TESTS) ## the unit tests of this VARIANT
	@tests/units.sh $^

SEED ?= 1
OPS ?= 1000000
check-live: $(B)/tests/live ## the model against this kernel: SEED=.. OPS=.. random calls, each predicted (minutes)
	@SEED=$(SEED) OPS=$(OPS) $<

check-live-time: $(B)/tests/live ## the same over minutes, so that TIME_WAIT ends: SEED=.. (three minutes)
	@SEED=$(SEED) WAIT=1 JOBS=90 OPS=250000 $<

check-suites: ## test suites that nobody here wrote, natively and under --audit: SUITE=kernel, .. (fetches sources; an hour)
	@tests/suites/run.sh "$(SUITE)"

check-rows: ## every line of the model that decides an answer, played live: SEED=.. OPS=.. (ten minutes)
	@$(MAKE) --no-print-directory -s VARIANT=cov build/cov/tests/live
	@SEED=$(SEED) OPS=$(if $(filter command line,$(origin OPS)),$(OPS)) tests/live/rows.py build/cov

bench: ## what snag costs, as ratios to native and to its peers (minutes)
	@.ci/deps bench
	@$(MAKE) --no-print-directory all bench-programs
	@tests/bench/run.sh $(B)

bench-programs: $(BENCH)

lint: ## gcc and clang without a warning, in tests too; shellcheck, layers
	@tests/lint.sh

layers: ## every include points the way the architecture allows
	@tests/layers.sh

symbols: $(B)/libsnag.so ## what libsnag.so exports, against calls.def and the C library
	@tests/symbols.sh $(B)/libsnag.so

# In a sanitizer build the library itself stays plain: the program under test is not built for it. Its code runs under
# the sanitizers in the unit tests.
ifeq ($(VARIANT),san)
$(B)/pic/%.o: VARIANT_FLAGS := -O1
endif

$(B)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPPFLAGS) $(CFLAGS) $(SHIM_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Only what calls.def names is exported.
$(B)/exports.map: include/snag/calls.def
	@mkdir -p $(@D)
	$(Q)printf '#define SNAG_SYMBOL(s, c) s;\n#define SNAG_GATE(s) s;\n#include <snag/calls.def>\n' | \
	  $(CC) -Iinclude -E -P -x c - | sed '1i { global:' | sed '$$a local: *; };' >$@

# No DT_NEEDED: the symbols come from whatever C library the program has (glibc or musl).
$(B)/libsnag.so: $(SHIM_OBJS) $(B)/exports.map
	$(call say,LD,$@) $(CC) $(CFLAGS) $(SHIM_CFLAGS) -shared -nostdlib -Wl,-Bsymbolic -Wl,-z,now -Wl,-z,relro -Wl,-soname,libsnag.so \
	  -Wl,--version-script=$(B)/exports.map -o $@ $(SHIM_OBJS) -lgcc

$(B)/snag: $(CORE_OBJS) $(CLI_OBJS)
	$(call say,LD,$@) $(CC) $(VARIANT_FLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

$(B)/tests/%: tests/%.c $(LIB_OBJS)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIB_OBJS) -lcmocka $(CLI_LIBS) -lpthread

$(LIVE_OBJS): CPPFLAGS += -Itests
$(B)/tests/live: $(LIVE_OBJS) $(LIB_OBJS)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CFLAGS) -o $@ $^ -lcmocka $(CLI_LIBS) -lpthread

$(B)/programs/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) -D_GNU_SOURCE -std=gnu11 -g -O1 -Wall -Wextra -MMD -MP -MF $@.d -o $@ $< -lpthread

$(B)/real/uv: LIBRARY := -luv
$(B)/real/event: LIBRARY := -levent
$(B)/real/%: tests/matrix/cast/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) -D_GNU_SOURCE -std=gnu11 -g -O1 -Wall -Wextra -o $@ $< $(LIBRARY)

$(B)/real/gopeer: tests/matrix/cast/peer.go
	@mkdir -p $(@D)
	$(call say,GO,$<) GOCACHE=$(CURDIR)/build/go go build -o $@ $<

$(B)/bench/%.so: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) -D_GNU_SOURCE -std=gnu11 -O2 -fPIC -shared -o $@ $<

$(B)/bench/model: tests/bench/model.c $(call obj,$(call src,base model))
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CPPFLAGS) -I. $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(call obj,$(call src,base model))

$(B)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) -D_GNU_SOURCE -std=gnu11 -O2 -Wall -Wextra -o $@ $<

# Fuzzing: one harness for each parser. `make fuzz SECONDS=60`.
SECONDS ?= 20
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
fuzz: ## fuzz each parser for SECONDS
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=$(CLANG) $(FUZZERS:%=build/fuzz/%)
	@for f in $(FUZZERS); do echo "fuzz $$f"; mkdir -p build/fuzz/corpus-$$f; \
	  build/fuzz/$$f -max_total_time=$(SECONDS) -verbosity=0 -print_final_stats=0 build/fuzz/corpus-$$f \
	    $$(ls -d tests/fuzz/corpus/$$f 2>/dev/null) || exit 1; done

build/fuzz/%: tests/fuzz/%.c $(LIB_OBJS)
	$(call say,LD,$@) $(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(CLI_LIBS)

# What `make install` lays down; DESTDIR stages it, PREFIX says where it will live.
D = $(DESTDIR)$(PREFIX)
PLACES = bin lib/snag include/snag share/snag/policies share/man/man1 share/bash-completion/completions
install: ## build and install into PREFIX (and DESTDIR)
	@.ci/deps build
	@$(MAKE) --no-print-directory all
	for place in $(PLACES); do install -d "$(D)/$$place" || exit 1; done
	install -m 755 $(B)/snag "$(D)/bin/snag"
	install -m 755 $(B)/libsnag.so "$(D)/lib/snag/libsnag.so"
	install -m 644 include/snag/snag.h "$(D)/include/snag/snag.h"
	install -m 644 policies/*.yaml policies/*.md "$(D)/share/snag/policies/"
	install -m 644 shim/cli/share/snag.1 "$(D)/share/man/man1/snag.1"
	install -m 644 shim/cli/share/completion.bash "$(D)/share/bash-completion/completions/snag"

uninstall: ## remove what install laid down
	rm -rf "$(D)/bin/snag" "$(D)/lib/snag" "$(D)/include/snag" "$(D)/share/snag" "$(D)/share/man/man1/snag.1" \
	  "$(D)/share/bash-completion/completions/snag"

clean: ## remove build/
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
