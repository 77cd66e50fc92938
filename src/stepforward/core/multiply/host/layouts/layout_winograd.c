/* Rows transformed for Winograd's tiles (winograd.h). */
#include "base/pass.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/packed_rows.h"
#include "multiply/host/winograd.h"

/* Whether the transformed weights of a panel fit, and its sums leave the bits that the transforms take. The weights
 * lie transformed in the working memory before they go into the panel. */
int sfi_lay_winograd(const sfi_host_tile* t, const sfi_panel* p)
{
    const uint32_t channels = sfi_winograd_channels(t);
    int64_t sum[SFI_PANEL], positive[SFI_PANEL];
    const int large = t->winograd == SFI_LARGE;
    const int64_t most = large ? SFI_LARGE_REACH : SFI_WINOGRAD_REACH;
    const sfi_row_kernel row = large ? t->kernels->large_row : t->kernels->row;
    int fit = sfi_winograd_transform(t->winograd, row, p->line, p->rows, channels, t->points, sum, positive);
    for (uint32_t r = 0; fit && r < p->rows; r++) {
        p->bounds[r] = sfi_reach(positive[r], positive[r] - sum[r], p->zero);
        fit = p->bounds[r] < most;
    }
    if (fit)
        sfi_winograd_pack(t->winograd, t->points, channels, p->words);
    return fit;
}
