/* A weight perturbed both ways, by one scaler. */
#include "base/integers.h"
#include "base/machine.h"
#include "multiply/host/plain/plain.h"
#include "multiply/stage.h"
#include "stepforward.h"

SFI_CLONES
void sfi_twins(const int16_t* restrict w, const int8_t* restrict z, uint32_t count, const sf_scaler* scaler,
               int32_t q_max, int16_t* restrict up, int16_t* restrict down)
{
    const int32_t mult = (int32_t)scaler->perturb_mult, shift = (int32_t)sfi_min_u32(scaler->perturb_shift, 24);
    const int32_t half = shift > 0 ? 1 << (shift - 1) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t delta = sfi_exact_delta(z[i], mult, half, shift), at = w[i];
        up[i] = (int16_t)sfi_clamp(at + delta, -q_max, q_max);
        down[i] = (int16_t)sfi_clamp(at - delta, -q_max, q_max);
    }
}
