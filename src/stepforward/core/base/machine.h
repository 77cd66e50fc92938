/* What this machine is, and what the compiler offers for it. */
#ifndef SF_MACHINE_H
#define SF_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the core reads little-endian files in place"
#endif

/* Built-ins, so that a freestanding compiler may expand small copies instead of calling a library. */
#define sf_copy __builtin_memcpy
#define sf_move __builtin_memmove
#define sf_fill __builtin_memset

#define SF_INLINE static inline __attribute__((always_inline))

/* SF_PLAIN builds only the plain kernels, SF_NO_CLONES leaves the choice of instruction sets to the compiler's flags; both for
 * tests and sanitizers. */
#if defined(__x86_64__) && defined(__linux__) && __STDC_HOSTED__ && defined(__GNUC__) && !defined(SF_PLAIN)
#define SF_X86 1
#include <features.h>
#else
#define SF_X86 0
#endif

/* Hot loops are compiled once per instruction set on hosts whose loader can choose (glibc), and once elsewhere. */
#if SF_X86 && !defined(__clang__) && defined(__GLIBC__) && !defined(SF_NO_CLONES)
#define SF_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SF_CLONES
#endif

/* AArch64 always has NEON. */
#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(SF_PLAIN)
#define SF_NEON 1
#else
#define SF_NEON 0
#endif

/* Devices know their instructions when they are compiled: Helium, or the DSP extension. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(SF_PLAIN)
#define SF_MVE 1
#else
#define SF_MVE 0
#endif
#if defined(__ARM_FEATURE_DSP) && !defined(__aarch64__) && !SF_MVE && !defined(SF_PLAIN)
#define SF_DSP 1
#else
#define SF_DSP 0
#endif

#endif
