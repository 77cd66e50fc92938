/* The block kernels in plain C. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/plain/plain.h"

/* The elements of every pair apart, so that a compiler sees rows side by side; all patches take them. Sums are modulo
 * 2^32, as Winograd's may be (winograd.h). */
SFI_CLONES
void sfi_block_dot(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++) {
        const int16_t* w = b->words + j * b->panel;
        uint32_t sum[SFI_BLOCK_PATCHES][SFI_PANEL] = {{0}};
        for (size_t s = 0; s < b->segments; s++)
            for (size_t k = 0; k < b->pairs; k++, w += 2 * SFI_PANEL) {
                int16_t even[SFI_PANEL], odd[SFI_PANEL];
                for (size_t r = 0; r < SFI_PANEL; r++) {
                    even[r] = w[2 * r];
                    odd[r] = w[2 * r + 1];
                }
                for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++) {
                    const int16_t* x = patches[p] + b->offsets[s] + 2 * k;
                    const int16_t first = x[0], second = x[1];
                    for (size_t r = 0; r < SFI_PANEL; r++)
                        sum[p][r] += (uint32_t)(even[r] * first + odd[r] * second);
                }
            }
        for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++)
            sfi_copy(acc + p * acc_stride + j * SFI_PANEL, sum[p], sizeof sum[p]);
    }
}

SFI_CLONES
void sfi_block_bytes(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                     size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++) {
        const int8_t* w = (const int8_t*)(b->words + j * b->panel);
        int32_t sum[SFI_BLOCK_PATCHES][SFI_PANEL] = {{0}};
        for (size_t s = 0; s < b->segments; s++)
            for (size_t k = 0; k < b->pairs; k++, w += 4 * SFI_PANEL)
                for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++) {
                    const int8_t* x = (const int8_t*)(patches[p] + b->offsets[s] + 2 * k);
                    for (size_t r = 0; r < SFI_PANEL; r++)
                        sum[p][r] += w[4 * r] * x[0] + w[4 * r + 1] * x[1] + w[4 * r + 2] * x[2] + w[4 * r + 3] * x[3];
                }
        for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++)
            sfi_copy(acc + p * acc_stride + j * SFI_PANEL, sum[p], sizeof sum[p]);
    }
}

SFI_CLONES
void sfi_block_window(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                      size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++) {
            const int16_t* w = b->words + j * b->panel;
            int32_t sum[2 * SFI_PANEL] = {0};
            for (size_t s = 0; s < b->segments; s++, w += 2 * SFI_PANEL) {
                const int16_t* x = patches[p] + b->offsets[s] + j * 2 * SFI_PANEL;
                for (size_t i = 0; i < 2 * SFI_PANEL; i++)
                    sum[i] += w[i] * x[i];
            }
            for (size_t r = 0; r < SFI_PANEL; r++)
                acc[p * acc_stride + j * SFI_PANEL + r] = sum[2 * r] + sum[2 * r + 1];
        }
}
