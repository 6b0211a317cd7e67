# ptlua: `make` builds, `make run` trains on the digits, `make test` proves; `make help` lists the rest.

# ---- settings: override on the command line, e.g. `make CC=clang PREFIX=$HOME/.local install` ----
CC      ?= cc
AR      ?= ar
LUA     ?= lua5.4
BUILD   ?= build
# Sanitizers of this build (`address,undefined` or `thread`); `make test-asan` and `test-tsan` set it.
SANITIZE ?=
# Set by `make coverage`: lines and branches of this build are counted.
COVERAGE ?=
CFLAGS  ?= -g1
LDFLAGS ?=

# What a bare Debian lacks, as probe:package; a probe is a command or NAME.pc.
NEEDS := cc:gcc pkg-config:pkg-config gzip:gzip lua5.4:lua5.4 lua5.4.pc:liblua5.4-dev openblas.pc:libopenblas-dev zlib.pc:zlib1g-dev \
         libedit.pc:libedit-dev
TEST_NEEDS := g++:g++ libpng.pc:libpng-dev libjpeg.pc:libjpeg62-turbo-dev libmicrohttpd.pc:libmicrohttpd-dev lua5.4-socket.pc:lua-socket-dev busted:lua-busted luacheck:lua-check clang-format:clang-format tmux:tmux \
              mpirun:openmpi-bin ompi-c.pc:libopenmpi-dev

# ---- flags ----
pkg   = $(shell pkg-config $(1) 2>/dev/null)
ZLIB := $(call pkg,--libs zlib)
# Headers alone: these libraries are opened when an image is read or written, or a server begins.
HAVE := $(if $(ZLIB),-DPT_HAVE_ZLIB) $(if $(call pkg,--modversion libpng),-DPT_HAVE_PNG) \
        $(if $(call pkg,--modversion libjpeg),-DPT_HAVE_JPEG) $(if $(call pkg,--modversion libmicrohttpd),-DPT_HAVE_HTTP)
# Tile instructions, where the compiler knows them.
AMX := $(shell $(CC) -Werror -mamx-tile -mamx-bf16 -mamx-int8 -x c -c /dev/null -o /dev/null 2>/dev/null && echo -DPT_HAVE_AMX)
EDIT := $(if $(call pkg,--modversion libedit),-DPT_HAVE_EDIT)
# Counters are written before a fork or an exec where these are the compiler's own, which strict C denies.
WARN := -std=$(if $(COVERAGE),gnu11,c11) -Wall -Wextra -Werror
# No fast-math, and a multiplication and an addition are rounded apart but where a loop asks for their fusion: the same bits
# for any thread count and on every machine of one CPU level; most are the same on all levels (engine/README.md).
MATH := -fno-math-errno -ffp-contract=off
# The same bytes from every folder: debug information calls this one "."; lists of files are sorted, archives without dates.
HERE := $(if $(COVERAGE),,'-ffile-prefix-map=$(CURDIR)=.')
HARD := -fstack-protector-strong -fvisibility=hidden -fPIC $(HERE)
OPT_LOOPS := -O3
ifneq ($(COVERAGE),)
# Not optimised and nothing inlined, so that branches are those of the source: copies of a function in calls with constants
# would have ways that nothing can take. Counters may be shared by threads.
OPT       := -O0 -Dalways_inline=unused --coverage -fprofile-update=atomic
OPT_LOOPS := -O0
else ifeq ($(SANITIZE),)
OPT  := -O2
HARD += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
# No exception passes through a kernel, and debuggers have tables of their own.
$(BUILD)/kernels/%.o: CFLAGS_ALL += -fno-asynchronous-unwind-tables
else
OPT  := -O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
# GCC does not align vectors of 64 bytes on the stack with which ASan finds uses after return: kernels take the real one.
REAL_STACK := --param asan-use-after-return=0
REAL_STACK := $(shell $(CC) -Werror $(REAL_STACK) -x c -c /dev/null -o /dev/null 2>/dev/null && echo "$(REAL_STACK)")
$(BUILD)/kernels/%.o: CFLAGS_ALL += $(REAL_STACK)
endif
CPPFLAGS_ALL := -DPT_BUILD -D_GNU_SOURCE -Iengine -Ibuild/gen $(HAVE) $(AMX) $(CPPFLAGS)
CFLAGS_ALL   := $(WARN) $(OPT) $(MATH) $(HARD) $(CFLAGS)
# Relocations as a bitmap: 10 kB instead of 160, where linker and C library know it.
RELR := -Wl,-z,pack-relative-relocs
RELR := $(shell printf '\043include <features.h>\n\043if !__GLIBC_PREREQ(2, 36)\n\043error old\n\043endif\n' | \
          $(CC) -shared -Wl,--fatal-warnings $(RELR) -x c - -o /dev/null 2>/dev/null && echo "$(RELR)")
LDFLAGS_ALL  := $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(if $(COVERAGE),--coverage) -Wl,-z,relro,-z,now,-z,noexecstack $(RELR) $(LDFLAGS)
LUA_CFLAGS   := $(call pkg,--cflags lua5.4)
BLAS_CFLAGS  := $(call pkg,--cflags openblas)
# OpenBLAS is opened at the first product (kernels/cpu/blas.c), not linked.
LIBS         := $(ZLIB) -lpthread -ldl -lm

# CPU levels: kernels/cpu/**/*_loops.c are compiled once for each and chosen at run time.
LEVELS := base
FLAGS_base :=
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
LEVELS += avx2 avx512
# Here base serves processors from before 2013 and is kept small, by flags that come after OPT_LOOPS.
FLAGS_base   := $(if $(COVERAGE),$(OPT_LOOPS),-Os -fno-tree-vectorize)
FLAGS_avx2   := -mavx2 -mfma -mf16c
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c -mprefer-vector-width=512
endif

# A thousand loops over long blocks: vectors, but no unrolled ends (half the size, the same speed).
OPT_ROWS := $(if $(COVERAGE),$(OPT_LOOPS),-O2 -ftree-vectorize)
GCC_ROWS := -fvect-cost-model=dynamic --param vect-epilogues-nomask=0
OPT_ROWS += $(shell $(CC) -Werror $(GCC_ROWS) -x c -c /dev/null -o /dev/null 2>/dev/null && echo "$(GCC_ROWS)")
# For loops that ask for a setting in every round, such as an optimizer's: one for each answer.
UNSWITCH := -funswitch-loops
UNSWITCH := $(shell $(CC) -Werror $(UNSWITCH) -x c -c /dev/null -o /dev/null 2>/dev/null && echo "$(UNSWITCH)")

# ---- files ----
# The number changes when programs have to be built anew.
SONAME   := libptlua.so.0
ENGINE   := $(sort $(wildcard engine/*.c engine/*/*.c))
BY_LEVEL := $(sort $(wildcard kernels/cpu/*_loops.c kernels/cpu/*/*_loops.c))
KERNELS  := $(filter-out $(BY_LEVEL),$(sort $(wildcard kernels/cpu/*.c kernels/cpu/*/*.c)))
PROGRAM  := $(sort $(wildcard bindings/program/*.c))
BINDINGS := $(filter-out $(PROGRAM),$(sort $(wildcard bindings/*.c bindings/*/*.c)))
OBJ := $(ENGINE:%.c=$(BUILD)/%.o) $(KERNELS:%.c=$(BUILD)/%.o) $(BINDINGS:%.c=$(BUILD)/%.o) \
       $(foreach l,$(LEVELS),$(BY_LEVEL:%.c=$(BUILD)/%_$l.o)) $(BUILD)/ptlua_table.o $(BUILD)/scripts.o
MAIN := $(PROGRAM:%.c=$(BUILD)/%.o)
# The generated files serve every build, whatever its flags.
GEN  := $(addprefix build/gen/,ptlua_ops.h ptlua_calls.h ptlua_table.c ptlua_run.h ptlua_ids.h ptlua_rows.h ptlua_ew.h ptlua_hash.h)
SCRIPTS := $(sort $(shell find scripts/pt -name '*.lua' 2>/dev/null))
PAGES := $(sort $(wildcard docs/*.md))
TARGETS := $(addprefix $(BUILD)/,ptlua libptlua.so libptlua.a pt.so)
# The simulated device: kernels/cuda built by the C++ compiler, where there is one. It is the same for every build.
SIM_CU := $(sort $(wildcard kernels/cuda/*.cu))
SIM_CXX := $(sort $(wildcard kernels/sim/*.cpp))
ifneq ($(shell command -v $(CXX)),)
TARGETS += $(BUILD)/libptlua_sim.so
endif
ifneq ($(shell command -v $(CXX)),)
SIM_SPECS := build/sim/bugs.so
endif
# Transports of pt.distributed, where their headers are. They link with nothing of ours and serve every build.
MPI_CFLAGS := $(call pkg,--cflags ompi-c)
ifneq ($(MPI_CFLAGS),)
TARGETS += $(BUILD)/libptlua_mpi.so
endif
NVCC ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
# Folders with include/cuda_runtime.h, include/nccl.h.
CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(NVCC))
NCCL_HOME ?= $(firstword $(patsubst %/include/nccl.h,%,$(wildcard $(CUDA_HOME)/include/nccl.h /usr/local/include/nccl.h /usr/include/nccl.h)))
ifneq ($(and $(NCCL_HOME),$(wildcard $(CUDA_HOME)/include/cuda_runtime.h),$(shell command -v $(CXX))),)
NCCL_PLUGIN := $(BUILD)/libptlua_nccl.so
TARGETS += $(NCCL_PLUGIN)
endif
# Hosts in C, and in C++ where there is a compiler for it; each exits with 0 if all holds.
SPEC_C   := $(patsubst spec/c/%.c,$(BUILD)/spec/%,$(wildcard spec/c/*.c))
# Hosts that open the shared library themselves, or bring a Lua or OpenBLAS of their own, where that is here.
SPEC_C   += $(addprefix $(BUILD)/spec/plug-,reload $(if $(call pkg,--modversion openblas),openblas) $(if $(call pkg,--modversion luajit),luajit))
SPEC_CXX := $(if $(shell command -v $(CXX)),$(patsubst spec/c/%.cpp,$(BUILD)/spec/%-cpp,$(wildcard spec/c/*.cpp)))
C_SOURCES   = $(shell git ls-files -co --exclude-standard '*.c' '*.h' '*.cpp' '*.cu')

# As many jobs as cores, each one's output in one piece; targets that show progress start a make of their own.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
ifeq ($(filter run deps% test% bench% mutants,$(MAKECMDGOALS)),)
MAKEFLAGS += --output-sync
endif
# Short lines while building; `make V=1` shows the commands.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)
.SUFFIXES:
.DELETE_ON_ERROR:
.PHONY: all deps deps-test run specs hosts amalgamation test test-asan test-tsan test-peers fuzz libfuzzer coverage mutants torture lint docs format bench bench-peers size clean help

all: $(TARGETS)

# ---- build ----
# Other flags than last time: everything is built anew.
FLAGS = $(strip $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(foreach v,$(sort $(filter LOOPS_% FLAGS_%,$(.VARIABLES))),$($v)))
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@
$(OBJ) $(MAIN): $(BUILD)/flags
$(BUILD)/engine/%.o: engine/%.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/kernels/%.o: kernels/%.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) $(BLAS_CFLAGS) $(CFLAGS_ALL) $(OPT_LOOPS) -MMD -MP -c $< -o $@
# Functions of one number at a time: two thirds of the size, the same speed.
$(BUILD)/kernels/cpu/special.o: OPT_LOOPS := $(OPT_ROWS)
# How the loops of each level are compiled. Sums of products are fused where the level can: their bits are those of a level.
LOOPS_tensor_loops      = $(OPT_ROWS) $(UNSWITCH) -fno-trapping-math -fwrapv
LOOPS_reduce_loops      = $(OPT_LOOPS) -fno-trapping-math -fwrapv
LOOPS_elementwise_loops = $(OPT_ROWS) -fno-trapping-math -fwrapv
LOOPS_nn_loops          = $(OPT_LOOPS) -fno-trapping-math
LOOPS_product_loops     = $(OPT_ROWS) -fno-trapping-math -ffp-contract=fast
LOOPS_conv_loops        = $(OPT_LOOPS) -fno-trapping-math -ffp-contract=fast
$(BUILD)/kernels/cpu/tensor_loops_%.o: kernels/cpu/tensor_loops.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) -DPT_LEVEL=$* $(CFLAGS_ALL) $(LOOPS_tensor_loops) $(FLAGS_$*) -MMD -MP -c $< -o $@
$(BUILD)/kernels/cpu/reduce/reduce_loops_%.o: kernels/cpu/reduce/reduce_loops.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) -DPT_LEVEL=$* $(CFLAGS_ALL) $(LOOPS_reduce_loops) $(FLAGS_$*) -MMD -MP -c $< -o $@
$(BUILD)/kernels/cpu/elementwise/elementwise_loops_%.o: kernels/cpu/elementwise/elementwise_loops.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) -DPT_LEVEL=$* $(CFLAGS_ALL) $(LOOPS_elementwise_loops) $(FLAGS_$*) -MMD -MP -c $< -o $@
$(BUILD)/kernels/cpu/nn_loops_%.o: kernels/cpu/nn_loops.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) -DPT_LEVEL=$* $(CFLAGS_ALL) $(LOOPS_nn_loops) $(FLAGS_$*) -MMD -MP -c $< -o $@
$(BUILD)/kernels/cpu/product/product_loops_%.o: kernels/cpu/product/product_loops.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) -DPT_LEVEL=$* $(CFLAGS_ALL) $(LOOPS_product_loops) $(FLAGS_$*) -MMD -MP -c $< -o $@
$(BUILD)/kernels/cpu/conv/conv_loops_%.o: kernels/cpu/conv/conv_loops.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) -DPT_LEVEL=$* $(CFLAGS_ALL) $(LOOPS_conv_loops) $(FLAGS_$*) -MMD -MP -c $< -o $@
$(BUILD)/kernels/cpu/blocks/blocks_loops_%.o: kernels/cpu/blocks/blocks_loops.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) -DPT_LEVEL=$* $(CFLAGS_ALL) $(OPT_LOOPS) -fno-trapping-math -ffp-contract=fast $(FLAGS_$*) -MMD -MP -c $< -o $@
$(BUILD)/bindings/%.o: bindings/%.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) $(LUA_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/bindings/program/%.o: bindings/program/%.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) $(EDIT) $(LUA_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/%.o: build/gen/%.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# The library as ptlua.c and ptlua.h.
UNITS = $(ENGINE) $(foreach f,$(KERNELS),'$f:$(OPT_LOOPS)') $(BINDINGS) build/gen/ptlua_table.c build/gen/scripts_plain.c
amalgamation: build/amalgamation/ptlua.c
build/amalgamation/ptlua.c: scripts/tools/amalgamate.lua Makefile $(ENGINE) $(KERNELS) $(BY_LEVEL) $(BINDINGS) $(GEN) build/gen/scripts_plain.c \
  $(CALLERS) $(wildcard kernels/*.h kernels/cpu/*.h kernels/cpu/*/*.h)
	@mkdir -p $(@D)
	$(call say,gen)AMALGAMATE_FLAGS='-DPT_HAVE_ZLIB -DPT_HAVE_PNG -DPT_HAVE_JPEG -DPT_HAVE_HTTP $(AMX) $(LUA_CFLAGS) $(BLAS_CFLAGS)' \
	  $(LUA) scripts/tools/amalgamate.lua $(@D) '$(CC)' $(UNITS) $(foreach l,$(LEVELS),-- $l '$(FLAGS_$l)' \
	  $(foreach f,$(BY_LEVEL),'$f:$(LOOPS_$(basename $(notdir $f)))'))

# What its spec links. One core takes two minutes for it: `make test` compiles it beside everything else.
build/amalgamation/ptlua.o: build/amalgamation/ptlua.c
	$(call say,cc)$(CC) -std=c11 -O1 -I$(@D) $(LUA_CFLAGS) $(BLAS_CFLAGS) -c $< -o $@

# opgen leaves files alone that would not change: not every row added rebuilds the world.
OPGEN := scripts/tools/opgen.lua scripts/pt/grammar.lua $(wildcard scripts/tools/opgen/*.lua)
CALLERS := $(wildcard engine/*.[ch] engine/*/*.[ch] bindings/*.[ch] bindings/*/*.[ch])
build/gen/stamp: engine/ops.def engine/slots.def kernels/scalar.h $(CALLERS) $(OPGEN)
	@mkdir -p $(@D)
	$(call say,gen)$(LUA) scripts/tools/opgen.lua engine/ops.def $(@D) . $(CALLERS)
	@touch $@
$(GEN): build/gen/stamp ;
# FILES changes when a script comes or goes.
build/gen/files: FORCE
	@mkdir -p $(@D); echo '$(SCRIPTS)' | cmp -s - $@ || echo '$(SCRIPTS)' >$@
# Packed where the library can unpack them; the amalgamation, which may go to a machine without zlib, has them plain.
build/gen/scripts.c build/gen/scripts_plain.c: scripts/tools/embed.lua build/gen/files $(SCRIPTS) $(PAGES)
	$(call say,gen)$(LUA) scripts/tools/embed.lua $@ $(PACK) scripts/pt $(PAGES)
build/gen/scripts.c: PACK := $(if $(ZLIB),gzip,plain)
build/gen/scripts_plain.c: PACK := plain
FORCE:

# Debian's liblua5.4.a is not position-independent: all of it goes into the executable, which exports it to C
# modules; the shared library uses liblua5.4.so; the module finds Lua in the program that loads it.
STAY := -Wl,-z,nodelete
$(BUILD)/ptlua: $(MAIN) $(OBJ)
	$(call say,link)$(CC) $(LDFLAGS_ALL) -pie -Wl,-E -o $@ $^ -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive $(LIBS)
$(BUILD)/libptlua.so: $(OBJ)
	$(call say,link)$(CC) $(LDFLAGS_ALL) -shared $(STAY) -Wl,-soname,$(SONAME) $(if $(SANITIZE),,-Wl,-z,defs) -o $@ $^ -llua5.4 $(LIBS)
	@ln -sf libptlua.so $(BUILD)/$(SONAME)
$(BUILD)/libptlua.a: $(OBJ)
	@rm -f $@
	$(call say,ar)$(AR) rcsD $@ $^
$(BUILD)/pt.so: $(OBJ)
	$(call say,link)$(CC) $(LDFLAGS_ALL) -shared $(STAY) -o $@ $^ $(LIBS)

# ---- devices ----
# The same .cu files three times: for the simulated device, for its checked build (every access is looked at), and by nvcc.
SIM_FLAGS := $(HERE) -std=c++17 -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno -fwrapv -fno-strict-aliasing -g1 \
             -Wall -Wextra -Werror -Wno-unknown-pragmas -DPT_BUILD -D_GNU_SOURCE -Ikernels/sim -Iengine -Ibuild/gen
FLAGS_sim      := -O1
FLAGS_simcheck := -O1 -fsanitize=thread
SIM_CC  = $(filter ccache,$(CC)) $(CXX) $(SIM_FLAGS) -MMD -MP -c
SIM_OBJ := $(SIM_CXX:kernels/sim/%.cpp=build/sim/%.o) build/sim/nccl_plugin.o
build/sim/nccl_plugin.o: kernels/nccl/nccl.cpp | $(GEN)
	@mkdir -p $(@D)
	$(call say,c++)$(SIM_CC) -O2 $< -o $@
build/sim/%.o: kernels/sim/%.cpp | $(GEN)
	@mkdir -p $(@D)
	$(call say,c++)$(SIM_CC) -O2 $< -o $@
build/sim/%.o: kernels/cuda/%.cu | $(GEN)
	@mkdir -p $(@D)
	$(call say,c++)$(SIM_CC) $(FLAGS_sim) -x c++ $< -o $@
build/simcheck/%.o: kernels/cuda/%.cu | $(GEN)
	@mkdir -p $(@D)
	$(call say,c++)$(SIM_CC) $(FLAGS_simcheck) -x c++ $< -o $@
build/simcheck/%.o: kernels/sim/%.cu | $(GEN)
	@mkdir -p $(@D)
	$(call say,c++)$(SIM_CC) $(FLAGS_simcheck) -x c++ $< -o $@
SIM_LINK = $(call say,link)$(CXX) -shared -Wl,-Bsymbolic -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -o $@ $^ -ldl -lpthread
build/libptlua_sim.so: $(SIM_CU:kernels/cuda/%.cu=build/sim/%.o) $(SIM_OBJ)
	$(SIM_LINK)
build/simcheck/libptlua_sim.so: $(SIM_CU:kernels/cuda/%.cu=build/simcheck/%.o) $(SIM_OBJ)
	$(SIM_LINK)
build/sim/bugs.so: build/simcheck/bugs.o $(SIM_OBJ)
	$(SIM_LINK)
ifneq ($(BUILD),build)
$(BUILD)/libptlua_sim.so: build/libptlua_sim.so
	@mkdir -p $(@D); ln -sf ../libptlua_sim.so $@
endif
# ---- transports ----
build/libptlua_mpi.so: kernels/mpi/mpi.c engine/transport.h | $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) -DPT_BUILD -D_GNU_SOURCE -Iengine -Ibuild/gen $(MPI_CFLAGS) $(WARN) -O2 $(HARD) $(CFLAGS) -shared \
	  -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -o $@ $< $(call pkg,--libs ompi-c)
ifneq ($(BUILD),build)
$(BUILD)/libptlua_mpi.so: build/libptlua_mpi.so
	@mkdir -p $(@D); ln -sf ../libptlua_mpi.so $@
$(BUILD)/libptlua_nccl.so: build/libptlua_nccl.so
	@mkdir -p $(@D); ln -sf ../libptlua_nccl.so $@
endif
build/libptlua_nccl.so: kernels/nccl/nccl.cpp engine/transport.h | $(GEN)
	@mkdir -p $(@D)
	$(call say,c++)$(filter ccache,$(CC)) $(CXX) -std=c++17 -DPT_BUILD -D_GNU_SOURCE -Iengine -Ibuild/gen -isystem $(NCCL_HOME)/include \
	  -isystem $(CUDA_HOME)/include -Wall -Wextra -Werror -O2 $(HARD) -shared -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -o $@ $< \
	  $(addprefix -L,$(wildcard $(NCCL_HOME)/lib $(NCCL_HOME)/lib64)) -lnccl
# Sums of the ranks' arrays: loops worth vectors.
$(BUILD)/engine/comm/reduce.o: CFLAGS_ALL += $(OPT_LOOPS)
.PHONY: sim simcheck cuda cuda-report test-cuda bench-cuda gpu
sim: build/libptlua_sim.so
# The specs of devices with every access of every kernel checked.
simcheck: build/simcheck/libptlua_sim.so all
	PT_BACKEND_PATH=$(CURDIR)/build/simcheck build/ptlua spec/busted.lua spec/device_spec.lua spec/device_kernels_spec.lua \
	  spec/device_runtime_spec.lua

CUDA_ARCHS ?= 80 90 100
# `make test` sees that nvcc takes it all: for what was built before, or for one architecture.
TEST_ARCHS = $(or $(shell cat build/cuda/archs 2>/dev/null),90)
NVCC_FLAGS = -std=c++17 -O3 -fmad=false -Xcompiler -O1,-fPIC,-fvisibility=hidden,-ffp-contract=off -DPT_BUILD -D_GNU_SOURCE \
             -Iengine -Ibuild/gen $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
             -gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))
build/cuda/archs: FORCE
	@mkdir -p $(@D); echo '$(CUDA_ARCHS)' | cmp -s - $@ || echo '$(CUDA_ARCHS)' >$@
build/cuda/%.o: kernels/cuda/%.cu build/cuda/archs | $(GEN)
	@mkdir -p $(@D)
	$(call say,nvcc)$(NVCC) $(NVCC_FLAGS) -Xptxas -v -MMD -MP -c $< -o $@ 2>$(@:.o=.log) || { cat $(@:.o=.log); exit 1; }
build/libptlua_cuda.so: $(SIM_CU:kernels/cuda/%.cu=build/cuda/%.o)
	$(call say,link)$(NVCC) -shared -cudart static -Xlinker -Bsymbolic,--exclude-libs,ALL -o $@ $^
cuda:
	@[ -n "$(NVCC)" ] || { echo 'make cuda: nvcc was not found; install the CUDA toolkit or set NVCC'; exit 1; }
	@$(MAKE) --no-print-directory build/libptlua_cuda.so
# What can be known of the kernels without a GPU; fails on spills, narrow loads and the like.
CUOBJDUMP ?= $(shell command -v cuobjdump)
cuda-report: cuda build/simcheck/libptlua_sim.so all
	@PT_BACKEND_PATH=$(CURDIR)/build/simcheck PT_SIM_COUNT=build/cuda/counts build/ptlua scripts/tools/cuda_count.lua
	@$(LUA) scripts/tools/cuda_report.lua build/cuda/*.log counts=build/cuda/counts cuobjdump=$(CUOBJDUMP)
# The specs of devices, and the figures, on a GPU: DEVICE=cuda:1, or DEVICE=sim:0 to see that they run.
DEVICE ?= cuda
gpu: all
ifneq ($(filter cuda%,$(DEVICE)),)
	@ldconfig -p | grep -q libcuda.so.1 || { echo 'no GPU to run on: there is no NVIDIA driver here; DEVICE=sim:0 runs on the simulated one'; exit 1; }
	@[ -z "$(NVCC)" ] || $(MAKE) --no-print-directory cuda
endif
	@build/ptlua -e 'local ok, why = pcall(pt.zeros, 1, {device = "$(DEVICE)"}) if not ok then print(why) os.exit(1) end'
test-cuda: gpu
	@for f in spec/device_*spec.lua; do PT_SPEC_DEVICE=$(DEVICE) build/ptlua spec/busted.lua $$f || exit 1; done
bench-cuda: gpu
	@$(if $(filter cuda%,$(DEVICE)),build/ptlua scripts/bench/compare.lua gpu,DEVICE=$(DEVICE) build/ptlua scripts/bench/gpu.lua)

# ---- what runs ----
deps: NEED = $(NEEDS)
deps-test: NEED = $(NEEDS) $(TEST_NEEDS)
deps deps-test:
	@missing=; for need in $(NEED); do probe=$${need%%:*}; case $$probe in \
	  *.pc) pkg-config --exists $${probe%.pc} 2>/dev/null ;; \
	  *) command -v $$probe >/dev/null ;; esac || missing="$$missing $${need#*:}"; done; \
	[ -n "$$missing" ] || exit 0; echo "installing$$missing"; \
	command -v apt-get >/dev/null || { echo 'no apt-get here: install these by hand'; exit 1; }; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	$$sudo apt-get update -qq && \
	$$sudo env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends $$missing >/dev/null

run: deps
	@$(MAKE) --no-print-directory all
	@build/ptlua scripts/examples/train.lua

# Everything that CI asks for. The last line counts what the specs, the linters and the sanitized runs said.
test: deps-test
	@[ -z "$(NVCC)" ] || $(MAKE) --no-print-directory build/libptlua_cuda.so CUDA_ARCHS='$(TEST_ARCHS)'
	@$(MAKE) --no-print-directory build/amalgamation/ptlua.o specs
	@$(MAKE) --no-print-directory specs BUILD=build/asan SANITIZE=address,undefined
	@$(MAKE) --no-print-directory specs BUILD=build/tsan SANITIZE=thread
	@$(LUA) spec/run.lua lint build build/asan build/tsan
test-asan: deps-test
	@$(MAKE) --no-print-directory specs BUILD=build/asan SANITIZE=address,undefined
	@$(LUA) spec/run.lua build/asan
test-tsan: deps-test
	@$(MAKE) --no-print-directory specs BUILD=build/tsan SANITIZE=thread
	@$(LUA) spec/run.lua build/tsan
# Samples of PyTorch's own tables and random calls of every function beside PyTorch, which $(PYTHON) must have.
PYTHON ?= python3
test-peers: all
	@$(PYTHON) spec/peers/run.py $(BUILD)/ptlua
	@$(PYTHON) spec/peers/nets.py $(BUILD)/ptlua
	@$(PYTHON) spec/peers/samples.py $(BUILD)/ptlua
	@$(PYTHON) spec/peers/formats.py $(BUILD)/ptlua
	@$(PYTHON) spec/peers/tokenizer_files.py $(BUILD)/ptlua
	@$(PYTHON) spec/peers/onnx_files.py $(BUILD)/ptlua
# The error of every element-wise op, of sums and of products, into docs/accuracy.md.
POINTS ?= 1000000
DRAWS ?= 3
.PHONY: ulp
ulp: $(BUILD)/spec/accuracy $(BUILD)/spec/sums
	@$(LUA) scripts/tools/ulp.lua $(BUILD) $(POINTS) $(DRAWS)
# Damaged files by the million: RUNS=1000000 SEED=1. Failures stay in build/fuzz.
RUNS ?= 100000
SEED ?= 1
fuzz:
	@$(MAKE) --no-print-directory all BUILD=build/asan SANITIZE=address,undefined
	@build/asan/ptlua spec/fuzz/files.lua $(RUNS) $(SEED)
# Parsers, and programs over tensors, under clang's libFuzzer: `make libfuzzer FUZZ_TARGETS="npy program" FUZZ_RUNS=1000000`.
FUZZ_RUNS ?= 20000
libfuzzer:
	@$(MAKE) --no-print-directory BUILD=build/libfuzzer CC=clang SANITIZE=address,undefined,fuzzer-no-link build/libfuzzer/ptlua build/libfuzzer/libptlua.a
	@clang -std=gnu11 -Wall -Wextra -Werror -g -O1 -fsanitize=fuzzer,address,undefined -Iengine -Ibuild/gen $(LUA_CFLAGS) \
	  -o build/libfuzzer/harness spec/fuzz/harness.c build/libfuzzer/libptlua.a -Wl,-E -llua5.4 $(LIBS)
	@spec/fuzz/run.sh build/libfuzzer $(FUZZ_RUNS) $(FUZZ_TARGETS)
# Lines and branches of the core that the specs and some torture of a build with counters reach; WHERE=engine/mem tells
# which they do not.
WHERE ?=
coverage: deps-test
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory specs BUILD=build/coverage COVERAGE=1
	@$(LUA) spec/run.lua build/coverage || echo 'some specs failed, as those of time and of the bits of optimised loops may; what they ran counts'
	@for part in alloc collect pieces; do build/coverage/ptlua spec/torture/run.lua build/coverage $(BUDGET) $(SEED) $$part; done
	@$(LUA) scripts/tools/coverage.lua build/coverage $(WHERE)
# Damage of single tokens that the specs should notice, in a copy of the tree: MUTANTS=200 SEED=1 WHERE=kernels/cpu/sort.
# AGAIN=1 tries those that survived once more, AGAIN='views ops:sort' with these specs first.
MUTANTS ?= 200
AGAIN ?=
mutants: deps-test
	@mkdir -p build/mutants
	@git ls-files -co --exclude-standard | tar -cf - -T - | tar -xf - -C build/mutants
	@$(MAKE) --no-print-directory -C build/mutants all
	@test -z '$(AGAIN)' || $(MAKE) --no-print-directory -C build/mutants BUILD=build/asan SANITIZE=address,undefined build/asan/ptlua
	@$(LUA) scripts/tools/mutate.lua build/mutants $(if $(AGAIN),again '$(filter-out 1,$(AGAIN))',$(MUTANTS) $(SEED)) '$(WHERE)'
# Failures, accidents and long runs by the thousand, BUDGET seconds for each part: `make torture PART=alloc BUDGET=600`.
BUDGET ?= 60
torture: specs
	@$(BUILD)/ptlua spec/torture/run.lua $(BUILD) $(BUDGET) $(SEED) $(PART)
# Reads of memory that nobody wrote, which no sanitizer sees, and what ends without being freed: under valgrind, a sample of the
# specs, or those of WHAT (`scalar_spec` or a program of $(BUILD)/spec). The simulated GPU switches stacks, which valgrind does not
# follow.
WHAT ?= vm autograd tensors training memory_spec pool_spec scalar_spec views_spec
.PHONY: valgrind
valgrind: specs
	@command -v valgrind >/dev/null || { echo 'valgrind is missing; on Debian: apt-get install valgrind'; exit 1; }
	@failed=0; for what in $(WHAT); do \
	  case $$what in *_spec) run="$(BUILD)/ptlua spec/busted.lua spec/$$what.lua" ;; *) run=$(BUILD)/spec/$$what ;; esac; \
	  log=$(BUILD)/spec/$$what.valgrind; start=$$(date +%s); \
	  if valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite $$run >$$log 2>&1; \
	  then echo "  $$what: nothing in $$(($$(date +%s) - start)) s"; else failed=1; cat $$log; echo "  $$what FAILED"; fi; \
	done; [ $$failed = 0 ] && echo "valgrind finds nothing in $(words $(WHAT)) programs of the specs"
lint: deps-test
	@$(LUA) spec/run.lua lint

# All that the specs of one build run.
specs: $(TARGETS) $(SPEC_C) $(SPEC_CXX) $(SIM_SPECS) hosts
HOST_FLAGS = -Iengine -Ibuild/gen $(OPT) $(CFLAGS) $(LDFLAGS_ALL) -MMD -MP -MF $@.d
$(BUILD)/spec/%: spec/c/%.c $(BUILD)/libptlua.a
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(WARN) $(HOST_FLAGS) -o $@ $< $(BUILD)/libptlua.a -llua5.4 $(LIBS)
$(BUILD)/spec/plug-%: spec/c/plug/%.c $(BUILD)/libptlua.so
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(WARN) $(HOST_FLAGS) $(PLUG_CFLAGS) -o $@ $< $(PLUG_LIBS) -lpthread -ldl
$(BUILD)/spec/plug-luajit: PLUG_CFLAGS = $(call pkg,--cflags luajit)
$(BUILD)/spec/plug-luajit: PLUG_LIBS = $(call pkg,--libs luajit)
$(BUILD)/spec/plug-openblas: PLUG_CFLAGS = $(BLAS_CFLAGS)
$(BUILD)/spec/plug-openblas: PLUG_LIBS = $(SHARED) $(call pkg,--libs openblas)
$(BUILD)/spec/%-cpp: spec/c/%.cpp $(BUILD)/libptlua.so
	@mkdir -p $(@D)
	$(call say,c++)$(CXX) -Wall -Wextra -Werror $(HOST_FLAGS) -o $@ $< -L$(BUILD) -lptlua -Wl,-rpath,'$$ORIGIN/..' -llua5.4 $(LIBS)

# The examples of hosts, as a user would build them but for where the library is; SQLite's where its header is.
HOSTS := $(addprefix $(BUILD)/,hosts/hello hosts/server hosts/game bench/serve_load) \
         $(if $(SPEC_CXX),$(BUILD)/hosts/host-cpp) \
         $(if $(call pkg,--modversion sqlite3),$(BUILD)/hosts/sqlite_ext.so)
hosts: $(HOSTS)
SHARED = -L$(BUILD) -lptlua -Wl,-rpath,'$$ORIGIN/..'
$(BUILD)/hosts/%: scripts/examples/hosts/%.c $(BUILD)/libptlua.a
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(WARN) $(HOST_FLAGS) -o $@ $< $(BUILD)/libptlua.a -llua5.4 $(LIBS)
$(BUILD)/hosts/%-cpp: scripts/examples/hosts/%.cpp $(BUILD)/libptlua.so
	@mkdir -p $(@D)
	$(call say,c++)$(CXX) -std=c++17 -Wall -Wextra -Werror $(HOST_FLAGS) -o $@ $< $(SHARED) $(LIBS)
$(BUILD)/hosts/%.so: scripts/examples/hosts/%.c $(BUILD)/libptlua.so
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(WARN) $(HOST_FLAGS) -fPIC -shared -fvisibility=hidden -o $@ $< $(SHARED)
$(BUILD)/bench/serve_load: scripts/bench/serve_load.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(WARN) -O2 -o $@ $< -lpthread

# The manual and the reference: Markdown, one HTML page, definitions for LuaLS; the man page and the completion of shells.
docs: all
	@mkdir -p $(BUILD)/docs
	@$(LUA) scripts/tools/manual_page.lua bindings/program/options.def $(BUILD)/docs
	@$(BUILD)/ptlua scripts/tools/docs.lua $(BUILD)/docs

format:
	clang-format -i $(C_SOURCES)

# scripts/bench/workloads.txt in numbers, and the rest of the folder. PATTERN=softmax: only what has it in its name.
# bench-peers WRITE=1 puts the figures into docs/speed.svg and the tables of README.md and kernels/SPEED.md.
PATTERN ?=
build/bench/peak: scripts/bench/peak.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) -O3 -march=native -o $@ $< -lpthread
bench: deps
	@$(MAKE) --no-print-directory all build/bench/peak
	@build/ptlua scripts/bench/speed.lua '$(PATTERN)'
	@[ -n '$(PATTERN)' ] || for f in autograd memory pool programs; do \
	  echo "-- scripts/bench/$$f.lua"; build/ptlua scripts/bench/$$f.lua || exit 1; done
bench-peers: deps
	@$(MAKE) --no-print-directory all build/bench/peak
	@$(PYTHON) scripts/bench/peers/speed.py build/ptlua '$(PATTERN)'
	@[ -z '$(WRITE)' ] || { cp build/bench/speed.svg docs/speed.svg && \
	  $(PYTHON) scripts/bench/peers/tables.py build/bench/speed.json README.md kernels/SPEED.md; }
	@[ -n '$(PATTERN)' ] || PYTHON=$(PYTHON) build/ptlua scripts/bench/compare.lua

# What is promised and whether it holds: the rows of docs/promises.md, as many as MINUTES allow. WRITE=1 puts the results
# there, ONLY=8,14-17 runs some rows.
MINUTES ?= 60
.PHONY: proofs
proofs: specs
	@$(LUA) scripts/tools/proofs.lua $(BUILD) $(MINUTES) $(if $(WRITE),--write) $(if $(ONLY),--only $(ONLY))
# Builds twice, in two folders, and compares the bytes; and what the library is made of, for those who keep lists of it.
.PHONY: reproducible sbom
reproducible:
	@MAKE='$(MAKE)' sh scripts/tools/reproducible.sh
sbom: $(BUILD)/ptlua
	@$(BUILD)/ptlua scripts/tools/sbom.lua $(VERSION) $(NEEDS) -- $(TEST_NEEDS) >$(BUILD)/ptlua.cdx.json
	@echo $(BUILD)/ptlua.cdx.json
# Lines per room, bytes of the stripped library, start-up time.
size: all
	@for room in engine kernels/cpu bindings scripts spec; do \
	  printf '%-12s %6d lines\n' $$room $$(git ls-files -co --exclude-standard $$room | grep -v /data/ | xargs cat | wc -l); done
	@strip -o $(BUILD)/stripped.so $(BUILD)/libptlua.so && \
	  printf '%-12s %6d bytes stripped\n' libptlua.so $$(stat -c %s $(BUILD)/stripped.so)
	@$(BUILD)/ptlua scripts/tools/startup.lua $(BUILD)/ptlua

include scripts/packaging/install.mk

clean:
	rm -rf build
help:
	@printf '%s\n' \
	  'make              build/ptlua, build/libptlua.so, build/libptlua.a, build/pt.so' \
	  'make deps         install what is missing (Debian, as root or through sudo)' \
	  'make run          deps, build, train a classifier on real handwritten digits' \
	  'make test         deps, build, every spec (plain, ASan + UBSan, TSan), linters' \
	  'make test-asan    specs under ASan + UBSan alone;  make test-tsan  under TSan' \
	  'make test-peers   samples of PyTorch and random calls beside it (optional)' \
	  'make ulp          errors of element-wise ops, sums and products, written into docs/accuracy.md (POINTS=1000000 DRAWS=3)' \
	  'make libfuzzer    parsers and programs under libFuzzer (clang)' \
	  'make fuzz         damaged files of every format under ASan (RUNS=1000000 SEED=1)' \
	  'make coverage     lines and branches of the core that the specs reach;  make mutants  damage that they notice' \
	  'make valgrind     a sample of the specs under valgrind (WHAT="pool_spec vm")' \
	  'make torture      failed allocations, faults of disks, kills, long runs (PART=alloc BUDGET=60 seconds for each part)' \
	  'make lint         luacheck and clang-format alone;  make format  fixes the latter' \
	  'make proofs       docs/promises.md row by row, within MINUTES=60 (ONLY=8,14-17; WRITE=1 puts the results there)' \
	  'make bench        speed, and shares of what the machine can do (PATTERN=softmax);  make bench-peers  beside PyTorch (PYTHON=...)' \
	  'make hosts        build/hosts: the examples of scripts/examples/hosts' \
  'make docs         build/docs: index.html (manual and reference), reference.md, pt.d.lua for editors, ptlua.1' \
	  'make cuda         build/libptlua_cuda.so, where nvcc is; CUDA_ARCHS="80 90 100"' \
	  'make cuda-report  registers, spills and occupancy of its kernels' \
	  'make test-cuda    the specs of devices on a GPU;  make bench-cuda  its speed beside PyTorch (DEVICE=cuda)' \
	  'make simcheck     the specs of devices with every access of a kernel checked' \
	  'make reproducible builds twice and compares the bytes;  make sbom  build/ptlua.cdx.json: what it is made of' \
	  'make size         lines, bytes, start-up time' \
	  'make install      PREFIX=/usr/local DESTDIR= ;  make uninstall;  make module install-module  for pt.so alone' \
  'make dist         build/dist: the sources as one archive, and a rockspec;  make deb  packages for Debian' \
  'make amalgamation build/amalgamation: the library as ptlua.c and ptlua.h' \
  'make symbols      notes what the library exports, in scripts/packaging/libptlua.symbols' \
	  'make clean'

-include $(wildcard build/sim/*.d build/simcheck/*.d build/cuda/*.d)
-include $(OBJ:.o=.d) $(MAIN:.o=.d) $(SPEC_C:=.d) $(SPEC_CXX:=.d) $(HOSTS:=.d)
