/* Dot products of a panel of rows with a few patches, in plain C.
 *
 * A panel interleaves its rows pair by pair, words[pair][row][2]: two neighbouring products of every row are one multiply-add of
 * any instruction set that has s16 x s16 + s16 x s16 -> s32 (SMLAD, PMADDWD, VPDPWSSD, SDOT's relatives). The caller makes sure
 * that the sums fit into int32: at most SF_BLOCK products, or rows proven narrow. */
#include "../internal.h"

SF_INLINE void dot(const int16_t* words, const int16_t* patches, size_t stride, size_t pairs, int32_t* acc,
                   size_t acc_stride, const int patch_count, const int width)
{
    int32_t sum[SF_PATCHES][SF_PANEL] = {{0}};
    for (size_t k = 0; k < pairs; k++) {
        int32_t even[SF_PANEL], odd[SF_PANEL];
        for (int r = 0; r < width; r++) {
            int32_t word;
            sf_copy(&word, words + (k * (size_t)width + (size_t)r) * 2, sizeof word);
            even[r] = (int16_t)word;
            odd[r] = word >> 16;
        }
        for (int p = 0; p < patch_count; p++) {
            const int32_t x0 = patches[(size_t)p * stride + 2 * k], x1 = patches[(size_t)p * stride + 2 * k + 1];
            for (int r = 0; r < width; r++)
                sum[p][r] += even[r] * x0 + odd[r] * x1;
        }
    }
    for (int p = 0; p < patch_count; p++)
        for (int r = 0; r < width; r++)
            acc[(size_t)p * acc_stride + (size_t)r] = sum[p][r];
}

void sf_dot_1x4(const int16_t* words, const int16_t* patches, size_t stride, size_t pairs, int32_t* acc, size_t acc_stride)
{
    dot(words, patches, stride, pairs, acc, acc_stride, 1, 4);
}

SF_CLONES
void sf_dot_4x16(const int16_t* words, const int16_t* patches, size_t stride, size_t pairs, int32_t* acc,
                 size_t acc_stride)
{
    dot(words, patches, stride, pairs, acc, acc_stride, SF_PATCHES, SF_PANEL);
}
