/* AVX-512 for machines without it: found in front of the compiler's own header, this one makes every intrinsic a
 * function of SIMDe (libsimde-dev), so that the kernels of such machines run under tests everywhere; see `emulated` in
 * the core's Makefile. */
#ifndef EMULATED_IMMINTRIN_H
#define EMULATED_IMMINTRIN_H

#include_next <immintrin.h>
#define SIMDE_ENABLE_NATIVE_ALIASES
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wall"
#include <simde/x86/avx512.h>
#include <simde/x86/avx2.h>
#pragma GCC diagnostic pop
#include <string.h>

/* What SIMDe 0.7 lacks. */
typedef struct lanes8 {
    uint8_t v[64];
} lanes8;
typedef struct lanes16 {
    uint16_t v[32];
} lanes16;
typedef struct lanes32 {
    int32_t v[16];
} lanes32;
typedef struct lanes64 {
    int64_t v[8];
} lanes64;

#define TO(type, name, from) \
    type name; \
    memcpy(&name, &(from), sizeof name)

static inline __m128i emulated_cvtepi32_epi8(__m512i a)
{
    TO(lanes32, x, a);
    uint8_t y[16];
    for (int i = 0; i < 16; i++)
        y[i] = (uint8_t)x.v[i];
    return _mm_loadu_si128((const __m128i*)(const void*)y);
}

static inline __m256i emulated_cvtepi32_epi16(__m512i a)
{
    TO(lanes32, x, a);
    uint16_t y[16];
    for (int i = 0; i < 16; i++)
        y[i] = (uint16_t)x.v[i];
    return _mm256_loadu_si256((const __m256i*)(const void*)y);
}

static inline __m512 emulated_cvtepi32_ps(__m512i a)
{
    TO(lanes32, x, a);
    float y[16];
    __m512 v;
    for (int i = 0; i < 16; i++)
        y[i] = (float)x.v[i];
    memcpy(&v, y, sizeof v);
    return v;
}

/* As the machine rounds: half to even. */
static inline __m512i emulated_cvtps_epi32(__m512 a)
{
    float x[16];
    lanes32 y;
    memcpy(x, &a, sizeof x);
    for (int i = 0; i < 16; i++)
        y.v[i] = _mm_cvtss_si32(_mm_set_ss(x[i]));
    return _mm512_loadu_si512(&y);
}

static inline __m512i emulated_cvtepu8_epi16(__m256i a)
{
    uint8_t x[32];
    lanes16 y;
    memcpy(x, &a, sizeof x);
    for (int i = 0; i < 32; i++)
        y.v[i] = x[i];
    return _mm512_loadu_si512(&y);
}

static inline __m512i emulated_cvtepi16_epi32(__m256i a)
{
    int16_t x[16];
    lanes32 y;
    memcpy(x, &a, sizeof x);
    for (int i = 0; i < 16; i++)
        y.v[i] = x[i];
    return _mm512_loadu_si512(&y);
}

static inline __m512i emulated_mask_mulhi_epu16(__m512i from, uint32_t mask, __m512i a, __m512i b)
{
    TO(lanes16, x, a);
    TO(lanes16, y, b);
    TO(lanes16, z, from);
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1u)
            z.v[i] = (uint16_t)((uint32_t)x.v[i] * y.v[i] >> 16);
    return _mm512_loadu_si512(&z);
}

static inline __m512i emulated_mulhi_epu16(__m512i a, __m512i b)
{
    return emulated_mask_mulhi_epu16(a, 0xffffffffu, a, b);
}

static inline __m512i emulated_mask_shuffle_epi32(__m512i from, uint16_t mask, __m512i a, int order)
{
    TO(lanes32, x, a);
    TO(lanes32, z, from);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1u)
            z.v[i] = x.v[i / 4 * 4 + (order >> (2 * (i % 4)) & 3)];
    return _mm512_loadu_si512(&z);
}

static inline __m512i emulated_maskz_loadu_epi32(uint16_t mask, const void* from)
{
    lanes32 z = {{0}};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1u)
            memcpy(z.v + i, (const uint8_t*)from + 4 * i, 4);
    return _mm512_loadu_si512(&z);
}

static inline __m512i emulated_srav_epi32(__m512i a, __m512i b)
{
    TO(lanes32, x, a);
    TO(lanes32, y, b);
    for (int i = 0; i < 16; i++)
        x.v[i] >>= (uint32_t)y.v[i] > 31u ? 31 : y.v[i];
    return _mm512_loadu_si512(&x);
}

static inline __m512i emulated_srai_epi32(__m512i a, unsigned count)
{
    return emulated_srav_epi32(a, _mm512_set1_epi32((int)count));
}

static inline __m512i emulated_maskz_loadu_epi8(uint64_t mask, const void* from)
{
    lanes8 z = {{0}};
    for (int i = 0; i < 64; i++)
        if (mask >> i & 1u)
            z.v[i] = ((const uint8_t*)from)[i];
    return _mm512_loadu_si512(&z);
}

static inline __m512i emulated_srav_epi64(__m512i a, __m512i b)
{
    TO(lanes64, x, a);
    TO(lanes64, y, b);
    for (int i = 0; i < 8; i++)
        x.v[i] >>= (uint64_t)y.v[i] > 63u ? 63 : y.v[i];
    return _mm512_loadu_si512(&x);
}

#define _mm512_cvtepi32_epi8(a) emulated_cvtepi32_epi8(a)
#define _mm512_cvtepi32_epi16(a) emulated_cvtepi32_epi16(a)
#define _mm512_cvtepi32_ps(a) emulated_cvtepi32_ps(a)
#define _mm512_cvtps_epi32(a) emulated_cvtps_epi32(a)
#define _mm512_cvtepi16_epi32(a) emulated_cvtepi16_epi32(a)
#define _mm512_cvtepu8_epi16(a) emulated_cvtepu8_epi16(a)
#define _mm512_mask_mulhi_epu16(from, mask, a, b) emulated_mask_mulhi_epu16(from, mask, a, b)
#define _mm512_mulhi_epu16(a, b) emulated_mulhi_epu16(a, b)
#define _mm512_mask_shuffle_epi32(from, mask, a, order) emulated_mask_shuffle_epi32(from, mask, a, order)
#define _mm512_maskz_loadu_epi8(mask, from) emulated_maskz_loadu_epi8(mask, from)
#define _mm512_srav_epi64(a, b) emulated_srav_epi64(a, b)
#define _mm512_maskz_loadu_epi32(mask, from) emulated_maskz_loadu_epi32(mask, from)
#define _mm512_srav_epi32(a, b) emulated_srav_epi32(a, b)
#define _mm512_srai_epi32(a, count) emulated_srai_epi32(a, count)

/* The kernels name instruction sets that the compiler must not use here. */
#define target(...)
#define SFI_KEEP(v) ((void)(v))

/* Tiles of AMX, by multiply/host/amx/tiles.h. */
typedef struct emulated_tiles {
    uint8_t shapes[64]; /* as LDTILECFG reads them: bytes of a row from 16 on, rows from 48 on */
    uint8_t tile[8][16][64];
} emulated_tiles;

/* One set for all files, as a processor has. */
__attribute__((weak)) __thread emulated_tiles emulated;

static inline void emulated_tile_shapes(const void* shapes)
{
    memset(&emulated, 0, sizeof emulated);
    memcpy(emulated.shapes, shapes, sizeof emulated.shapes);
}

static inline int emulated_row_bytes(int t) { return emulated.shapes[16 + 2 * t] | emulated.shapes[17 + 2 * t] << 8; }
static inline int emulated_rows(int t) { return emulated.shapes[48 + t]; }

static inline void emulated_tile_load(int t, const void* from, int64_t stride)
{
    memset(emulated.tile[t], 0, sizeof emulated.tile[t]);
    for (int i = 0; i < emulated_rows(t); i++)
        memcpy(emulated.tile[t][i], (const uint8_t*)from + i * stride, (size_t)emulated_row_bytes(t));
}

static inline void emulated_tile_store(int t, void* to, int64_t stride)
{
    for (int i = 0; i < emulated_rows(t); i++)
        memcpy((uint8_t*)to + i * stride, emulated.tile[t][i], (size_t)emulated_row_bytes(t));
}

static inline void emulated_tile_product(int sum, int a, int b, int is_signed)
{
    for (int m = 0; m < emulated_rows(sum); m++)
        for (int k = 0; k < emulated_row_bytes(a); k++)
            for (int n = 0; n < emulated_row_bytes(sum) / 4; n++) {
                const uint8_t w = emulated.tile[b][k / 4][4 * n + k % 4];
                uint32_t at;
                memcpy(&at, &emulated.tile[sum][m][4 * n], sizeof at);
                at += (uint32_t)(emulated.tile[a][m][k] * (is_signed ? (int8_t)w : w));
                memcpy(&emulated.tile[sum][m][4 * n], &at, sizeof at);
            }
}

#define SFI_TILES_ALLOWED() 1
#define SFI_TILE_SHAPES(shapes) emulated_tile_shapes(shapes)
#define SFI_TILE_RELEASE() memset(&emulated, 0, sizeof emulated)
#define SFI_TILE_ZERO(t) memset(emulated.tile[t], 0, sizeof emulated.tile[t])
#define SFI_TILE_LOAD(t, from, stride) emulated_tile_load(t, from, stride)
#define SFI_TILE_STORE(t, to, stride) emulated_tile_store(t, to, stride)
#define SFI_TILE_PRODUCT(sum, a, b) emulated_tile_product(sum, a, b, 1)
#define SFI_TILE_PRODUCT_UNSIGNED(sum, a, b) emulated_tile_product(sum, a, b, 0)

#endif
