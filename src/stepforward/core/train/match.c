/* Statistics matching while a network is used (contract, sections 11 and 12): inference that counts, and the constants
 * that the sums lead to. */
#include "multiply/matching.h"
#include "base/integers.h"
#include "base/pass.h"
#include "base/sites.h"
#include "base/tensors.h"
#include "multiply/choose.h"
#include "stepforward.h"
#include "train/forward.h"

#define SMALLEST (SFI_RATIO_ONE / 4)
#define LARGEST 65535
#define FARTHEST (1 << 24)

/* Mean, in sixteenths, and variance, in sixteenths squared, of standardized accumulators. */
typedef struct moments {
    int64_t mean, variance;
} moments;

/* The sums of the rows at work, before the scratch of an inference. */
static size_t counts_bytes(void) { return (sizeof(sfi_counts) + 7) & ~(size_t)7; }

size_t sf_match_bytes(const sf_program* program)
{
    const size_t bytes = sf_inference_bytes(program, 1);
    return bytes > 0 ? bytes + counts_bytes() : 0;
}

/* The number of samples in the sums of all sites. */
static uint32_t* samples_of(const sf_plan* plan, void* state)
{
    return (uint32_t*)(void*)((uint8_t*)state + plan->match_first);
}

static sf_status check_state(const sf_program* program, const sf_plan* plan, const void* state)
{
    if (program == NULL || plan == NULL || plan->site_count == 0 || state == NULL)
        return SF_BAD_ARGUMENT;
    return ((uintptr_t)state & 3u) != 0 ? SF_MISALIGNED : SF_OK;
}

static void one_sample(sfi_pass* pass, const sf_scratch* scratch, void* state, const int8_t* x, sfi_counts* counts,
                       int32_t* logits)
{
    static const sfi_packed on_the_way = {NULL, NULL, 0};
    uint32_t* samples = samples_of(pass->plan, state);
    const uint32_t halves = *samples >= pass->plan->match_window;
    sfi_matching matching = {sfi_first_site(pass->program, pass->plan, state), counts, 1, halves};
    pass->matching = &matching;
    sfi_block_logits(pass, scratch, x, 1, &on_the_way, logits);
    if (counts != NULL)
        *samples = (*samples >> halves) + 1;
}

sf_status sf_match_logits(const sf_program* program, const sf_plan* plan, void* state, const sf_scratch* scratch,
                          const int8_t* x, uint32_t n, uint32_t counted, int32_t* logits)
{
    const sfi_kernels kernels = sfi_choose();
    sf_status status = check_state(program, plan, state);
    if (status != SF_OK)
        return status;
    sfi_pass pass = {&kernels, program, plan, sf_program_weights(program), (const uint8_t*)state, NULL,
                     NULL,     NULL,    NULL};
    status = sfi_check_logits(&pass, scratch, x, logits);
    if (status != SF_OK)
        return status;
    if (scratch->block != 1 || scratch->row_tile != SF_DEVICE_ROWS || counted > 1)
        return SF_BAD_ARGUMENT;
    const size_t need = sf_match_bytes(program);
    if (need == 0)
        return SF_BAD_ARGUMENT;
    if (scratch->bytes < need)
        return SF_SCRATCH_TOO_SMALL;
    const sf_scratch rest = {(uint8_t*)scratch->memory + counts_bytes(), scratch->bytes - counts_bytes(), 1,
                             SF_DEVICE_ROWS};
    sfi_counts* counts = counted ? (sfi_counts*)scratch->memory : NULL;
    for (uint32_t i = 0; i < n; i++)
        one_sample(&pass, &rest, state, x + (size_t)i * program->input_bytes, counts,
                   logits + (size_t)i * program->classes);
    return SF_OK;
}

/* Divisions round down. */
static int64_t floor_div(int64_t a, int64_t b)
{
    const int64_t q = a / b;
    return q * b > a ? q - 1 : q;
}

/* Rounded half up. */
static int64_t shift_right(int64_t value, uint32_t shift)
{
    return (value + (shift > 0 ? (int64_t)1 << (shift - 1) : 0)) >> shift;
}

/* Of less than 2^40. */
static int64_t square_root(int64_t value)
{
    int64_t root = 0;
    for (int64_t bit = 1 << 19; bit > 0; bit >>= 1)
        if ((root + bit) * (root + bit) <= value)
            root += bit;
    return root;
}

/* The deviation in sixteenths of a standardized accumulator. */
static int64_t unit_of(const sfi_site* site, uint32_t c)
{
    return ((int64_t)site->deviation[c] << 4) >> sfi_deviation_shift(site->deviation[c]);
}

static moments moments_of(const sf_plan* plan, const sfi_site* site, uint32_t samples, uint32_t c)
{
    const int64_t unit = unit_of(site, c), prior = (int64_t)plan->match_prior * site->positions;
    const int64_t count = (int64_t)samples * site->positions + prior;
    const int64_t first = site->first[c] * ((int64_t)1 << sfi_unit_bits(plan, site));
    const uint64_t second = (uint64_t)site->second[c] << sfi_square_bits(plan, site);
    moments found;
    found.mean = floor_div(16 * first + count / 2, count);
    found.variance =
        (int64_t)((256 * second + (uint64_t)(prior * unit * unit)) / (uint64_t)count) - found.mean * found.mean;
    if (found.variance < 0)
        found.variance = 0;
    return found;
}

/* The reference's deviation over the one that was found. */
static int64_t ratio_of(const moments* found, int64_t unit)
{
    int64_t root = square_root(found->variance);
    if (root < 1)
        root = 1;
    const int64_t ratio = ((unit << 14) + root / 2) / root;
    return ratio < SMALLEST ? SMALLEST : ratio > LARGEST ? LARGEST : ratio;
}

/* How much of what was found at a site is corrected, 0 to 256. */
static int64_t share_of(const sf_plan* plan, const sfi_site* site, uint32_t samples)
{
    int64_t far[2] = {0, 0}, most = 0;
    uint32_t varies = 0;
    for (uint32_t c = 0; c < site->channels; c++) {
        const int64_t unit = unit_of(site, c);
        if (unit == 0)
            continue;
        const moments found = moments_of(plan, site, samples, c);
        const int64_t ratio = ratio_of(&found, unit), away = ratio - SFI_RATIO_ONE;
        const int64_t by_mean = (found.mean * found.mean * 65536) / (unit * unit);
        far[0] += by_mean < FARTHEST ? by_mean : FARTHEST;
        far[1] += 4 * away * away / ratio;
        varies++;
    }
    for (uint32_t i = 0; varies > 0 && i < 2; i++) {
        const int64_t times = 256 * (far[i] / varies) / site->usual[i];
        most = times > most ? times : most;
    }
    if (samples > 0) /* few are far from any reference by chance */
        most = most * samples / ((int64_t)samples + plan->match_caution);
    const int64_t slight = plan->match_slight, share = floor_div(256 * (most - slight), plan->match_plain - slight);
    return share < 0 ? 0 : share > 256 ? 256 : share;
}

/* The constants of one channel; the base's where they fit no bias or no pair. */
static void refresh(const sf_program* program, const sf_plan* plan, const sfi_site* site, uint32_t samples,
                    int64_t share, uint32_t c)
{
    const sf_op* op = program->ops + site->op;
    const int64_t unit = unit_of(site, c), square = unit * unit, mean = site->mean[c],
                  bias = sfi_base_bias(program, site)[c];
    moments found = moments_of(plan, site, samples, c);
    found.mean = shift_right(found.mean * share, 8);
    found.variance = square + shift_right((found.variance - square) * share, 8);
    const int64_t ratio = ratio_of(&found, unit);
    const int64_t away = shift_right(found.mean * ((int64_t)1 << sfi_deviation_shift(site->deviation[c])), 4);
    const int64_t moved = bias - mean - away + floor_div(mean * SFI_RATIO_ONE + ratio / 2, ratio);
    int32_t pair[2];
    const int fits = unit > 0 && moved >= -INT32_MAX && moved <= INT32_MAX &&
                     sfi_rescaled(sfi_rescale_pair(program, op, op->rescale_count == 1 ? 0 : c), (uint32_t)ratio, pair);
    site->ratio[c] = fits ? (uint16_t)(ratio - SFI_RATIO_ONE) : 0;
    site->bias[c] = fits ? (uint32_t)(moved - bias) : 0;
}

sf_status sf_match_refresh(const sf_program* program, const sf_plan* plan, void* state)
{
    const sf_status status = check_state(program, plan, state);
    if (status != SF_OK)
        return status;
    const uint32_t samples = *samples_of(plan, state);
    sfi_site site = sfi_first_site(program, plan, state);
    do {
        const int64_t share = share_of(plan, &site, samples);
        for (uint32_t c = 0; c < site.channels; c++)
            refresh(program, plan, &site, samples, share, c);
    } while (sfi_next_site(program, &site));
    return SF_OK;
}
