/* Weights on their way into a kernel: widened, and perturbed where the plan trains them (contract, section 7).
 * The stored weights never change. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/weights.h"
#include "multiply/choose.h"
#include "multiply/stage.h"
#include "random/draw.h"
#include "random/planned.h"
#include "stepforward.h"

#define ONE_Z 36 /* the number one on the grid of z */

static const uint8_t* weight_at(const sfi_pass* pass, uint32_t tensor)
{
    return sfi_weight_at(pass->program, pass->plan, pass->weights, tensor);
}

/* The entry of a tensor that this pass perturbs; the tail is not among them. */
static const sf_trainable* find_trainable(const sfi_pass* pass, uint32_t tensor)
{
    if (pass->plan == NULL || pass->perturbation == NULL ||
        (pass->perturbation->sign == 0 && pass->perturbation->ascent == 0))
        return NULL;
    for (uint32_t i = 0; i < pass->plan->voted_count; i++)
        if (pass->plan->trainables[i].tensor == tensor)
            return &pass->plan->trainables[i];
    return NULL;
}

/* The largest weight of up to 16 bits. */
static int32_t largest(const sf_tensor* t) { return t->dtype == SF_S16 ? 32767 : t->dtype == SF_S8 ? 127 : 7; }

/* What a bias stays inside of. */
SFI_INLINE int32_t clamp_s32(int64_t v) { return v < -INT32_MAX ? -INT32_MAX : v > INT32_MAX ? INT32_MAX : (int32_t)v; }

static void draw_of(const sfi_pass* pass, const sf_trainable* entry, uint32_t direction, uint32_t first, uint32_t count,
                    int8_t* z)
{
    const uint32_t step = pass->perturbation->step;
    const sfi_stream stream = sfi_stream_of(pass->kernels, pass->plan->seed, step, direction, entry->tensor);
    sfi_draw_planned(&stream, pass->program, pass->plan, pass->state, entry, first, count, z);
}

static void draw(const sfi_pass* pass, const sf_trainable* entry, uint32_t first, uint32_t count, int8_t* z)
{
    draw_of(pass, entry, pass->perturbation->direction, first, count, z);
}

/* Scaler of element e, and in *run how many elements from e on (at most count) share it. */
const sf_scaler* sfi_scaler_at(const sf_plan* plan, const sf_trainable* entry, const sf_tensor* t, uint32_t e,
                               uint32_t count, uint32_t* run)
{
    const sf_scaler* scalers = plan->scalers + entry->scaler_first;
    const uint32_t divisor = (uint32_t)t->channel_divisor;
    *run = count;
    if (entry->scaler_count == 1)
        return scalers;
    if (t->channel_rule == 1) {
        *run = sfi_min_u32(count, divisor - e % divisor);
        return scalers + e / divisor;
    }
    *run = 1;
    return scalers + e % divisor;
}

SFI_CLONES
static void perturb_exact_s16(int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* s, int32_t sign,
                              int32_t q_max)
{
    const int32_t mult = (int32_t)s->perturb_mult, shift = (int32_t)sfi_min_u32(s->perturb_shift, 24);
    const int32_t half = shift > 0 ? 1 << (shift - 1) : 0;
    for (uint32_t i = 0; i < count; i++)
        w[i] = (int16_t)sfi_clamp(w[i] + sign * sfi_exact_delta(z[i], mult, half, shift), -q_max, q_max);
}

/* z: the sum of all moves. */
static int64_t paper_weight(const sf_plan* plan, int64_t w, int32_t z, const sf_scaler* s, int64_t q_max)
{
    const int64_t half = plan->delta_shift > 0 ? (int64_t)1 << (plan->delta_shift - 1) : 0;
    int64_t v = ((w * ONE_Z + (int64_t)s->perturb_mult * z) * (int64_t)plan->delta_mult + half) >> plan->delta_shift;
    return v < -q_max ? -q_max : v > q_max ? q_max : v;
}

void sfi_widen_weights(const sf_tensor* t, const uint8_t* data, uint32_t first, uint32_t count, int16_t* out)
{
    if (t->dtype == SF_S16) {
        sfi_copy(out, data + 2 * (size_t)first, 2 * (size_t)count);
    } else if (t->dtype == SF_S8) {
        const int8_t* w = (const int8_t*)data + first;
        for (uint32_t i = 0; i < count; i++)
            out[i] = w[i];
    } else {
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t e = first + i, nibble = ((uint32_t)data[e >> 1] >> (4u * (e & 1u))) & 15u;
            out[i] = (int16_t)((int32_t)(nibble ^ 8u) - 8);
        }
    }
}

/* An element after the moves along its direction and uphill. |delta| < 2^23, so that 128 of them and a weight of 16
 * bits fit 32 bits. */
static int64_t climbed(const sf_plan* plan, int64_t w, int32_t z, int32_t uphill, const sf_scaler* s,
                       const sf_perturbation* p, int32_t sign, int64_t q_max)
{
    const int32_t mult = (int32_t)s->perturb_mult, shift = (int32_t)sfi_min_u32(s->perturb_shift, 24);
    const int32_t half = shift > 0 ? 1 << (shift - 1) : 0;
    if (plan->perturbation != SF_EXACT)
        return paper_weight(plan, w, sign * z + p->ascent * uphill, s, q_max);
    const int64_t v =
        w + (sign * sfi_exact_delta(z, mult, half, shift) + p->ascent * sfi_exact_delta(uphill, mult, half, shift));
    return v < -q_max ? -q_max : v > q_max ? q_max : v;
}

static void climb_s16(const sfi_pass* pass, const sf_trainable* entry, const sf_tensor* t, uint32_t first,
                      uint32_t count, const int8_t* z, int32_t sign, int32_t q_max, int16_t* w)
{
    int8_t uphill[SFI_CHUNK];
    for (uint32_t at = 0, run; at < count; at++) {
        if (at % SFI_CHUNK == 0)
            draw_of(pass, entry, SF_ASCENT, first + at, sfi_min_u32(SFI_CHUNK, count - at), uphill);
        const sf_scaler* s = sfi_scaler_at(pass->plan, entry, t, first + at, 1, &run);
        w[at] = (int16_t)climbed(pass->plan, w[at], z[at], uphill[at % SFI_CHUNK], s, pass->perturbation, sign, q_max);
    }
}

/* w + sign * eps * z; of long numbers, rounded to weights. */
static void perturb_s16(const sfi_pass* pass, const sf_trainable* entry, const sf_tensor* t, uint32_t bits,
                        uint32_t first, uint32_t count, const int8_t* z, int32_t sign, int16_t* w)
{
    const sf_plan* plan = pass->plan;
    const int32_t q_max = largest(t) << bits; /* a clamp before rounding is one after it */
    const int climbs = pass->perturbation->ascent != 0;
    if (climbs)
        climb_s16(pass, entry, t, first, count, z, sign, q_max, w);
    for (uint32_t at = 0, run; !climbs && at < count; at += run) {
        const sf_scaler* s = sfi_scaler_at(plan, entry, t, first + at, count - at, &run);
        if (plan->perturbation == SF_EXACT)
            perturb_exact_s16(w + at, z + at, run, s, sign, q_max);
        else
            for (uint32_t i = at; i < at + run; i++)
                w[i] = (int16_t)paper_weight(plan, w[i], sign * z[i], s, q_max);
    }
    sfi_shorten(bits, count, w);
}

static sfi_fractions fractions_of(const sfi_pass* pass, const sf_trainable* entry)
{
    const sfi_fractions none = {NULL, 0};
    return entry != NULL ? sfi_fractions_of(pass->program, pass->plan, pass->state, entry) : none;
}

sfi_source sfi_source_of(const sfi_pass* pass, uint32_t tensor)
{
    const sf_trainable* entry = find_trainable(pass, tensor);
    const sfi_source source = {pass, tensor, entry, weight_at(pass, tensor), fractions_of(pass, entry)};
    return source;
}

void sfi_stage_s16(const sfi_source* source, uint32_t first, uint32_t count, int16_t* out)
{
    const sfi_pass* pass = source->pass;
    const sf_tensor* t = pass->program->tensors + source->tensor;
    sfi_widen_weights(t, source->data, first, count, out);
    if (source->entry == NULL)
        return;
    int8_t z[SFI_CHUNK];
    draw(pass, source->entry, first, count, z);
    sfi_lengthen(&source->fractions, first, count, out);
    perturb_s16(pass, source->entry, t, source->fractions.bits, first, count, z, pass->perturbation->sign, out);
}

#if __STDC_HOSTED__

/* Elements drawn together: preparing a generator takes as long as drawing some dozens. */
#define PIECE (8 * SFI_CHUNK)

/* Channels that follow one another, each with a scaler of its own. */
static void twins_of_channels(const int16_t* restrict w, const int8_t* restrict z, uint32_t count,
                              const sf_scaler* scalers, int32_t q_max, int16_t* restrict up, int16_t* restrict down)
{
    for (uint32_t i = 0; i < count; i++) {
        const int32_t shift = (int32_t)sfi_min_u32(scalers[i].perturb_shift, 24),
                      half = shift > 0 ? 1 << (shift - 1) : 0;
        const int32_t delta = sfi_exact_delta(z[i], (int32_t)scalers[i].perturb_mult, half, shift), at = w[i];
        up[i] = (int16_t)sfi_clamp(at + delta, -q_max, q_max);
        down[i] = (int16_t)sfi_clamp(at - delta, -q_max, q_max);
    }
}

/* Both twins from one z. */
static void stage_both(const sfi_pass* pass, const sf_trainable* entry, uint32_t first, uint32_t count, int16_t* out,
                       int16_t* twin)
{
    const sf_tensor* t = pass->program->tensors + entry->tensor;
    const uint8_t* data = weight_at(pass, entry->tensor);
    const sfi_twins_kernel twins = pass->kernels->twins;
    const sfi_fractions fractions = fractions_of(pass, entry);
    const int32_t q_max = largest(t) << fractions.bits;
    int16_t *up = pass->perturbation->sign > 0 ? out : twin, *down = pass->perturbation->sign > 0 ? twin : out,
            wide[PIECE];
    int8_t drawn[PIECE], *kept = pass->z != NULL && t->dtype == SF_S16 ? pass->z + sfi_kept_z(t) + first : NULL;
    for (uint32_t at = 0, some; at < count; at += some) {
        int8_t* z = kept != NULL ? kept + at : drawn;
        const int16_t* w = (const int16_t*)(const void*)data + first + at;
        some = sfi_min_u32(PIECE - (first + at) % SFI_CHUNK, count - at);
        if (t->dtype != SF_S16) {
            sfi_widen_weights(t, data, first + at, some, wide);
            sfi_lengthen(&fractions, first + at, some, wide);
            w = wide;
        }
        draw(pass, entry, first + at, some, z);
        for (uint32_t i = 0, run; i < some; i += run) {
            const sf_scaler* s = sfi_scaler_at(pass->plan, entry, t, first + at + i, some - i, &run);
            if (entry->scaler_count > 1 && t->channel_rule == 2) {
                run = sfi_min_u32(some - i,
                                  (uint32_t)t->channel_divisor - (first + at + i) % (uint32_t)t->channel_divisor);
                twins_of_channels(w + i, z + i, run, s, q_max, up + at + i, down + at + i);
            } else {
                twins(w + i, z + i, run, s, q_max, up + at + i, down + at + i);
            }
        }
        sfi_shorten(fractions.bits, some, up + at);
        sfi_shorten(fractions.bits, some, down + at);
    }
}

/* Any count, drawing z once for both. */
void sfi_stage_twins_s16(const sfi_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int16_t* out,
                         int16_t* twin)
{
    const sf_tensor* t = pass->program->tensors + tensor;
    const sf_trainable* entry = find_trainable(pass, tensor);
    if (twin != NULL && entry != NULL && pass->plan->perturbation == SF_EXACT && pass->perturbation->ascent == 0) {
        stage_both(pass, entry, first, count, out, twin);
        return;
    }
    const sfi_fractions fractions = fractions_of(pass, entry);
    int8_t z[PIECE];
    sfi_widen_weights(t, weight_at(pass, tensor), first, count, out);
    sfi_lengthen(&fractions, first, count, out);
    if (twin != NULL)
        sfi_copy(twin, out, count * sizeof *twin);
    for (uint32_t at = 0, some; entry != NULL && at < count; at += some) {
        some = sfi_min_u32(PIECE - (first + at) % SFI_CHUNK, count - at);
        draw(pass, entry, first + at, some, z);
        perturb_s16(pass, entry, t, fractions.bits, first + at, some, z, pass->perturbation->sign, out + at);
        if (twin != NULL)
            perturb_s16(pass, entry, t, fractions.bits, first + at, some, z, -pass->perturbation->sign, twin + at);
    }
}

/* The same for 32 bits: |delta| < 2^23. */
SFI_CLONES
static void twins_s32(const int32_t* restrict w, const int8_t* restrict z, uint32_t count, const sf_scaler* scaler,
                      int32_t* restrict up, int32_t* restrict down)
{
    const int32_t mult = (int32_t)scaler->perturb_mult, shift = (int32_t)sfi_min_u32(scaler->perturb_shift, 24);
    const int32_t half = shift > 0 ? 1 << (shift - 1) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t delta = sfi_exact_delta(z[i], mult, half, shift), above = w[i] + delta, below = w[i] - delta;
        up[i] = clamp_s32(above);
        down[i] = clamp_s32(below);
    }
}

void sfi_stage_twins_s32(const sfi_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int32_t* out,
                         int32_t* twin)
{
    const sf_tensor* t = pass->program->tensors + tensor;
    const sf_trainable* entry = find_trainable(pass, tensor);
    const int32_t* w = (const int32_t*)(const void*)(weight_at(pass, tensor)) + first;
    if (twin == NULL || entry == NULL || pass->plan->perturbation != SF_EXACT || pass->perturbation->ascent != 0) {
        sfi_stage_s32(pass, tensor, first, count, out);
        if (twin != NULL) {
            const sf_perturbation* p = pass->perturbation;
            const sf_perturbation other = {p->step, p->direction, -p->sign, p->ascent};
            sfi_pass opposite = *pass;
            opposite.perturbation = &other;
            sfi_stage_s32(&opposite, tensor, first, count, twin);
        }
        return;
    }
    int32_t *up = pass->perturbation->sign > 0 ? out : twin, *down = pass->perturbation->sign > 0 ? twin : out;
    int8_t z[PIECE];
    for (uint32_t at = 0, some; at < count; at += some) {
        some = sfi_min_u32(PIECE, count - at);
        draw(pass, entry, first + at, some, z);
        for (uint32_t i = 0, run; i < some; i += run) {
            const sf_scaler* s = sfi_scaler_at(pass->plan, entry, t, first + at + i, some - i, &run);
            twins_s32(w + at + i, z + i, run, s, up + at + i, down + at + i);
        }
    }
}

#endif

const int16_t* sfi_stored_s16(const sfi_pass* pass, uint32_t tensor, uint32_t first)
{
    const sf_tensor* t = pass->program->tensors + tensor;
    if (t->dtype != SF_S16 || find_trainable(pass, tensor) != NULL)
        return NULL;
    return (const int16_t*)(const void*)(weight_at(pass, tensor)) + first;
}

const int32_t* sfi_stored_s32(const sfi_pass* pass, uint32_t tensor, uint32_t first)
{
    if (find_trainable(pass, tensor) != NULL)
        return NULL;
    return (const int32_t*)(const void*)(weight_at(pass, tensor)) + first;
}

/* Any count. */
void sfi_stage_s32(const sfi_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int32_t* out)
{
    const sf_tensor* t = pass->program->tensors + tensor;
    const sf_trainable* entry = find_trainable(pass, tensor);
    sfi_copy(out, weight_at(pass, tensor) + 4 * (size_t)first, 4 * (size_t)count);
    if (entry == NULL)
        return;

    int8_t z[SFI_CHUNK], uphill[SFI_CHUNK];
    const sf_perturbation* p = pass->perturbation;
    const int32_t sign = p->sign;
    for (uint32_t at = 0; at < count; at++) {
        uint32_t run;
        const uint32_t some = sfi_min_u32(SFI_CHUNK, count - at);
        if (at % SFI_CHUNK == 0)
            draw(pass, entry, first + at, some, z);
        if (at % SFI_CHUNK == 0 && p->ascent != 0)
            draw_of(pass, entry, SF_ASCENT, first + at, some, uphill);
        const sf_scaler* s = sfi_scaler_at(pass->plan, entry, t, first + at, 1, &run);
        const int32_t shift = (int32_t)sfi_min_u32(s->perturb_shift, 24), half = shift > 0 ? 1 << (shift - 1) : 0;
        int64_t v;
        if (p->ascent != 0)
            v = climbed(pass->plan, out[at], z[at % SFI_CHUNK], uphill[at % SFI_CHUNK], s, p, sign, INT32_MAX);
        else if (pass->plan->perturbation == SF_EXACT)
            v = out[at] + (int64_t)sign * sfi_exact_delta(z[at % SFI_CHUNK], (int32_t)s->perturb_mult, half, shift);
        else
            v = paper_weight(pass->plan, out[at], sign * z[at % SFI_CHUNK], s, INT32_MAX);
        out[at] = clamp_s32(v);
    }
}
