/* What this machine is, and what the compiler offers for it. */
#ifndef SFI_MACHINE_H
#define SFI_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the core reads little-endian files in place"
#endif

/* Built-ins, so that a freestanding compiler may expand small copies instead of calling a library. */
#define sfi_copy __builtin_memcpy
#define sfi_move __builtin_memmove
#define sfi_fill __builtin_memset

#define SFI_INLINE static inline __attribute__((always_inline))

/* A word of a file, wherever it lies. */
SFI_INLINE uint32_t sfi_word(const uint8_t* at)
{
    uint32_t v;
    sfi_copy(&v, at, sizeof v);
    return v;
}

/* SF_PLAIN builds only the plain kernels, SF_NO_CLONES leaves the choice of instruction sets to the compiler's flags;
 * both for tests and sanitizers. */
#if defined(__x86_64__) && defined(__linux__) && __STDC_HOSTED__ && defined(__GNUC__) && !defined(SF_PLAIN)
#define SFI_X86 1
#include <features.h>
#else
#define SFI_X86 0
#endif

/* Hot loops are compiled once per instruction set on hosts whose loader can choose (glibc), and once elsewhere. */
#if SFI_X86 && !defined(__clang__) && defined(__GLIBC__) && !defined(SF_NO_CLONES)
#define SFI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SFI_CLONES
#endif

/* AArch64 always has NEON. */
#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(SF_PLAIN)
#define SFI_NEON 1
#else
#define SFI_NEON 0
#endif

/* Devices know their instructions when they are compiled: Helium, or the DSP extension. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(SF_PLAIN)
#define SFI_MVE 1
#else
#define SFI_MVE 0
#endif
#if defined(__ARM_FEATURE_DSP) && !defined(__aarch64__) && !SFI_MVE && !defined(SF_PLAIN)
#define SFI_DSP 1
#else
#define SFI_DSP 0
#endif

#endif
