/* Rows transformed for Winograd's tiles (winograd.h). */
#include "base/pass.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/packed_rows.h"
#include "multiply/host/winograd.h"

/* Whether the transformed weights of a panel fit, and its sums leave the two bits that the transforms take. The weights
 * lie transformed in the working memory before they go into the panel. */
int sfi_lay_winograd(const sfi_host_tile* t, const sfi_panel* p)
{
    const uint32_t channels = sfi_winograd_channels(t);
    int64_t sum[SFI_PANEL], positive[SFI_PANEL];
    int fit = sfi_winograd_transform(t->kernels->row, p->line, p->rows, channels, t->points, sum, positive);
    for (uint32_t r = 0; fit && r < p->rows; r++) {
        p->bounds[r] = sfi_reach(positive[r], positive[r] - sum[r], p->zero);
        fit = p->bounds[r] < SFI_WINOGRAD_REACH;
    }
    if (fit)
        sfi_winograd_pack(t->points, channels, p->words);
    return fit;
}
