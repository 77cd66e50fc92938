/* Dot products of a panel of rows with a few patches, in plain C.
 *
 * A panel interleaves its rows pair by pair, words[pair][row][2]: two neighbouring products of every row are one multiply-add of
 * any instruction set that has s16 x s16 + s16 x s16 -> s32 (PMADDWD, VPDPWSSD). The caller makes sure
 * that the sums fit into int32: at most SF_BLOCK products, or rows proven narrow. */
#include "../internal.h"

SF_CLONES
void sf_dot_4x16(const int16_t* words, const int16_t* patches, size_t stride, size_t pairs, int32_t* acc,
                 size_t acc_stride)
{
    int32_t sum[SF_PATCHES][SF_PANEL] = {{0}};
    for (size_t k = 0; k < pairs; k++) {
        int32_t even[SF_PANEL], odd[SF_PANEL];
        for (size_t r = 0; r < SF_PANEL; r++) {
            int32_t word;
            sf_copy(&word, words + (k * SF_PANEL + r) * 2, sizeof word);
            even[r] = (int16_t)word;
            odd[r] = word >> 16;
        }
        for (size_t p = 0; p < SF_PATCHES; p++) {
            const int32_t x0 = patches[p * stride + 2 * k], x1 = patches[p * stride + 2 * k + 1];
            for (size_t r = 0; r < SF_PANEL; r++)
                sum[p][r] += even[r] * x0 + odd[r] * x1;
        }
    }
    for (size_t p = 0; p < SF_PATCHES; p++)
        for (size_t r = 0; r < SF_PANEL; r++)
            acc[p * acc_stride + r] = sum[p][r];
}
