/* The instructions that a function of a kernel may use beyond those of every x86-64; inlined ones are used by such
 * functions alone. */
#ifndef SFI_TARGETS_H
#define SFI_TARGETS_H

#define SFI_TARGET(names) __attribute__((target(names)))
#define SFI_TARGET_INLINE(names) SFI_TARGET(names) static inline __attribute__((always_inline))

#define SFI_AVX2 SFI_TARGET("avx2")
#define SFI_AVX2_INLINE SFI_TARGET_INLINE("avx2")
#define SFI_AVX512 SFI_TARGET("avx512f,avx512bw,avx512vl")
#define SFI_AVX512_INLINE SFI_TARGET_INLINE("avx512f,avx512bw,avx512vl")
#define SFI_VNNI SFI_TARGET("avx512f,avx512bw,avx512vl,avx512vnni")
#define SFI_VNNI_INLINE SFI_TARGET_INLINE("avx512f,avx512bw,avx512vl,avx512vnni")
#define SFI_VBMI SFI_TARGET("avx512f,avx512bw,avx512vl,avx512vbmi")
#define SFI_VBMI_INLINE SFI_TARGET_INLINE("avx512f,avx512bw,avx512vl,avx512vbmi")

#endif
