/* At most SFI_FEW_ROWS rows by fours: the layout of grid_few. */
#include "base/machine.h"
#include "multiply/host/block.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/layouts/layouts.h"

void sfi_lay_few(const sfi_host_tile* t, const sfi_panel* p)
{
    int16_t* words = p->words;
    const size_t length = (size_t)t->segments * t->segment, fours = (t->segment + 3) / 4;
    sfi_fill(words, 0, t->segments * fours * 4 * SFI_FEW_ROWS * sizeof *words);
    for (uint32_t s = 0; s < t->segments; s++, words += fours * 4 * SFI_FEW_ROWS)
        for (uint32_t r = 0; r < p->rows; r++)
            for (uint32_t k = 0; k < t->segment; k++)
                words[k / 4 * 4 * SFI_FEW_ROWS + r * 4 + k % 4] = p->line[r * length + s * t->segment + k];
}
