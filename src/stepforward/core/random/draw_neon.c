/* Directions with NEON: eight Philox blocks side by side, and the alias tables by 64 entries. */
#include "base/machine.h"
#include "base/tables.h"
#include "random/draw.h"

#if SFI_NEON
#include <arm_neon.h>

/* Low and high words of four products a * m. */
SFI_INLINE void multiply(uint32x4_t a, uint32_t m, uint32x4_t* low, uint32x4_t* high)
{
    const uint32x4_t front = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(a), m));
    const uint32x4_t back = vreinterpretq_u32_u64(vmull_n_u32(vget_high_u32(a), m));
    *low = vuzp1q_u32(front, back);
    *high = vuzp2q_u32(front, back);
}

/* words.val[j]: word j of the four blocks from counter[0] on. */
SFI_INLINE uint32x4x4_t draw(const uint32_t counter[4], const uint32_t keys[20])
{
    static const uint32_t lanes[4] = {0, 1, 2, 3};
    uint32x4_t a = vaddq_u32(vdupq_n_u32(counter[0]), vld1q_u32(lanes)), b = vdupq_n_u32(counter[1]);
    uint32x4_t c = vdupq_n_u32(counter[2]), d = vdupq_n_u32(counter[3]);
    for (const uint32_t* key = keys; key < keys + 20; key += 2) {
        uint32x4_t p_low, p_high, q_low, q_high;
        multiply(a, 0xD2511F53u, &p_low, &p_high);
        multiply(c, 0xCD9E8D57u, &q_low, &q_high);
        a = veorq_u32(q_high, veorq_u32(b, vdupq_n_u32(key[0])));
        c = veorq_u32(p_high, veorq_u32(d, vdupq_n_u32(key[1])));
        b = q_low;
        d = p_low;
    }
    const uint32x4x4_t words = {{a, b, c, d}};
    return words;
}

/* The words of eight blocks, block after block. */
SFI_INLINE void draw_group(const uint32_t counter[4], const uint32_t keys[20], uint32_t words[32])
{
    const uint32_t next[4] = {counter[0] + 4, counter[1], counter[2], counter[3]};
    vst4q_u32(words, draw(counter, keys));
    vst4q_u32(words + 16, draw(next, keys));
}

/* table[index] of sixteen bytes: an index outside a quarter gives nothing. */
SFI_INLINE uint8x16_t look_up(const uint8x16x4_t table[4], uint8x16_t index)
{
    uint8x16_t found = vqtbl4q_u8(table[0], index);
    for (int i = 1; i < 4; i++)
        found = vqtbx4q_u8(found, table[i], vsubq_u8(index, vdupq_n_u8((uint8_t)(64 * i))));
    return found;
}

static void normal(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint8x16x4_t keep[4], other[4];
    for (int i = 0; i < 16; i++) {
        const uint8x16x2_t both = vld2q_u8((const uint8_t*)(sfi_table_alias + 16 * i));
        keep[i / 4].val[i % 4] = both.val[0];
        other[i / 4].val[i % 4] = both.val[1];
    }
    for (; groups > 0; groups--, z += 64, at[0] += 8) {
        uint32_t words[32];
        draw_group(at, keys, words);
        for (int i = 0; i < 4; i++) {
            const uint8x16x2_t u = vld2q_u8((const uint8_t*)(words + 8 * i)); /* slot, r */
            const uint8x16_t kept = vcltq_u8(u.val[1], look_up(keep, u.val[0]));
            const uint8x16_t value = vbslq_u8(kept, u.val[0], look_up(other, u.val[0]));
            vst1q_s8(z + 16 * i, vreinterpretq_s8_u8(veorq_u8(value, vdupq_n_u8(128)))); /* minus 128 */
        }
    }
}

static void binomial(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    for (; groups > 0; groups--, z += 64, at[0] += 8) {
        uint32_t words[32];
        draw_group(at, keys, words);
        for (int i = 0; i < 4; i++) {
            const uint8x16x2_t u = vld2q_u8((const uint8_t*)(words + 8 * i));
            const uint8x16_t count = vaddq_u8(vcntq_u8(u.val[0]), vcntq_u8(u.val[1]));
            /* doubled nine times what is above 8, with saturation: 144 becomes 127 */
            const int8x16_t nine = vmulq_s8(vsubq_s8(vreinterpretq_s8_u8(count), vdupq_n_s8(8)), vdupq_n_s8(9));
            vst1q_s8(z + 16 * i, vmaxq_s8(vqaddq_s8(nine, nine), vdupq_n_s8(-127)));
        }
    }
}

static void halves(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, uint16_t* u)
{
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    for (; groups > 0; groups--, u += 64, at[0] += 8) {
        uint32_t words[32];
        draw_group(at, keys, words);
        sfi_copy(u, words, sizeof words);
    }
}

/* A byte is set where its bit of the word is. */
static void signs(const uint32_t words[4], int8_t z[128])
{
    static const uint8_t bit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    for (int i = 0; i < 8; i++) {
        const uint32_t half = words[i / 2] >> (16 * (i % 2));
        const uint8x16_t bytes = vcombine_u8(vdup_n_u8((uint8_t)half), vdup_n_u8((uint8_t)(half >> 8)));
        const uint8x16_t set = vtstq_u8(bytes, vld1q_u8(bit));
        vst1q_s8(z + 16 * i, vbslq_s8(set, vdupq_n_s8(36), vdupq_n_s8(-36)));
    }
}

void sfi_directions_neon(sfi_draw_kernels* kernels)
{
    kernels->normal = normal;
    kernels->binomial = binomial;
    kernels->halves = halves;
    kernels->signs = signs;
}

#endif
