/* level.h: how loops over scalar.h's functions are compiled for one CPU level; elementwise_loops.c, reduce_loops.c and
   tensor_loops.c include it before anything else. They are compiled once per level with -DPT_LEVEL=base (avx2,
   avx512), that level's instruction flags, -fno-math-errno -fno-trapping-math -fwrapv and
   -ffp-contract=off: integers wrap around, and a multiplication and an addition stay two roundings
   but where scalar.h's functions fuse them. Everything in them is static but their tables: two levels
   must never share a function, or the linker would keep one of them for both. */
#ifndef PTI_LEVEL_H
#define PTI_LEVEL_H

/* Eliminating partial redundancies splits what the scalar functions share into branches, and loops
   of more than one of them would stay scalar: softplus takes a sixth of the time without it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-pre")
#endif

#include "../scalar.h"
#include "cpu_backend.h"

#define GLUE3(a, b) a##b
#define GLUE(a, b) GLUE3(a, b)

#endif
