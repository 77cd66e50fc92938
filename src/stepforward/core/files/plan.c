/* Opening a .sft file in place (docs/file-formats.md, section 2), against the program it was made for. */
#include "base/fractions.h"
#include "base/machine.h"
#include "base/rounding.h"
#include "base/sites.h"
#include "base/tensors.h"
#include "base/weights.h"
#include "files/tail_fits.h"
#include "operators/operator.h"
#include "random/mask.h"
#include "stepforward.h"
#include "train/curvature.h"

#define HEADER_BYTES 20u
#define SECTION_BYTES 12u /* kind, version, bytes of what follows */

/* Parts of the state. */
enum {
    MOMENTUM = 1,
    VOTE_SCALE = 2,
    FRACTIONS = 3,
    HELD_VOTES = 4,
    TAIL = 5,
    GUIDE = 6,
    MATCHED = 7,
    SQUARES = 8,
    CURVES = 9
};

#define TAIL_HEAD_BYTES 4u   /* of the tail's part before its sums */
#define BEFORE_HEAD_BYTES 8u /* what divides the gradient of the layer before it */

/* Sections, each by a reader of its words; `count` of them. */

static sf_status read_objective(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 4 || sfi_word(at + 4) != 0 || sfi_word(at + 8) > 65535 || sfi_word(at + 12) > 47)
        return SF_BAD_PLAN;
    plan->objective = sfi_word(at);
    plan->loss_mult = sfi_word(at + 8);
    plan->loss_shift = sfi_word(at + 12);
    return plan->objective == SF_CROSS_ENTROPY ? SF_OK : SF_UNKNOWN;
}

static sf_status read_directions(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 8)
        return SF_BAD_PLAN;
    plan->seed = sfi_word(at) | (uint64_t)sfi_word(at + 4) << 32;
    plan->directions = sfi_word(at + 8);
    plan->distribution = sfi_word(at + 12);
    plan->perturbation = sfi_word(at + 16);
    plan->delta_mult = sfi_word(at + 20);
    plan->delta_shift = sfi_word(at + 24);
    plan->share_batch = sfi_word(at + 28);
    return SF_OK;
}

static sf_status read_update(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 3)
        return SF_BAD_PLAN;
    plan->rounding = sfi_word(at);
    plan->beta = sfi_word(at + 4);
    plan->fraction_bits = sfi_word(at + 8);
    return SF_OK;
}

static sf_status read_schedule(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 3)
        return SF_BAD_PLAN;
    plan->schedule = sfi_word(at);
    plan->steps = sfi_word(at + 4);
    plan->warmup = sfi_word(at + 8);
    return SF_OK;
}

static sf_status read_trainables(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count < 4)
        return SF_BAD_PLAN;
    plan->first_op = sfi_word(at);
    plan->trainable_count = sfi_word(at + 4);
    plan->scaler_count = sfi_word(at + 8);
    plan->elements = sfi_word(at + 12);
    plan->voted_count = plan->trainable_count;
    if (4 + 4 * ((uint64_t)plan->trainable_count + plan->scaler_count) != count)
        return SF_BAD_PLAN;
    plan->trainables = (const sf_trainable*)(const void*)(at + 16);
    plan->scalers = (const sf_scaler*)(const void*)(at + 16 + 16 * (size_t)plan->trainable_count);
    return SF_OK;
}

/* Records of masks, then their words. */
static sf_status read_masks(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count < 1 || (count - 1) / 4 < sfi_word(at))
        return SF_BAD_PLAN;
    plan->mask_count = sfi_word(at);
    plan->mask_word_count = count - 1 - 4 * plan->mask_count;
    plan->masks = (const sf_mask*)(const void*)(at + 4);
    plan->mask_words = (const uint32_t*)(const void*)(at + 4 + 16 * (size_t)plan->mask_count);
    return SF_OK;
}

/* The size of the state, and its parts, each with what it holds, its first byte and its bytes. */
static sf_status read_state(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    const uint32_t parts = count < 2 ? 0 : sfi_word(at + 4);
    if (count < 2 || 2 + 3 * (uint64_t)parts != count)
        return SF_BAD_PLAN;
    plan->state_bytes = sfi_word(at);
    for (uint32_t i = 0, last = 0; i < parts; i++) {
        const uint8_t* part = at + 8 + 12 * (size_t)i;
        const uint32_t kind = sfi_word(part), first = sfi_word(part + 4), bytes = sfi_word(part + 8);
        if (kind <= last || bytes == 0)
            return SF_BAD_PLAN;
        last = kind;
        if (kind == MOMENTUM) {
            plan->momentum_first = first;
            plan->momentum_bytes = bytes;
        } else if (kind == VOTE_SCALE) {
            plan->scale_first = first;
            plan->scale_bytes = bytes;
        } else if (kind == FRACTIONS) {
            plan->fractions_first = first;
            plan->fractions_bytes = bytes;
        } else if (kind == HELD_VOTES) {
            plan->held_first = first;
            plan->held_bytes = bytes;
        } else if (kind == TAIL) {
            plan->tail_first = first;
            plan->tail_bytes = bytes;
        } else if (kind == SQUARES) {
            plan->squares_first = first;
            plan->squares_bytes = bytes;
        } else if (kind == CURVES) {
            plan->curve_first = first;
            plan->curve_bytes = bytes;
        } else if (kind == MATCHED) {
            plan->match_first = first;
            plan->match_bytes = bytes;
        } else if (kind == GUIDE) {
            plan->guide_first = first;
            plan->guide_bytes = bytes;
        } else {
            return SF_UNKNOWN;
        }
    }
    return SF_OK;
}

static sf_status read_votes(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    const uint32_t kind = count > 0 ? sfi_word(at) : SF_SIGN;
    if (!(kind == SF_GRADED && count == 1) && !(kind == SF_CURVED && count == 4))
        return SF_BAD_PLAN;
    plan->votes = kind;
    if (kind == SF_CURVED) {
        plan->curve_classes = sfi_word(at + 12);
        plan->curve_mult = sfi_word(at + 4);
        plan->curve_shift = sfi_word(at + 8);
    }
    return SF_OK;
}

/* Steps that move the weights together, and the fraction bits of each trainable tensor. */
static sf_status read_low_bits(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 1 + plan->trainable_count) /* sections come in order: the trainables are known */
        return SF_BAD_PLAN;
    plan->accumulate = sfi_word(at);
    plan->weight_fractions = (const uint32_t*)(const void*)(at + 4);
    return SF_OK;
}

/* The last layer by its gradient: its operator, how many tensors of it move, fraction bits of an error, and its
 * inputs where the weights move. */
static sf_status read_tail(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 4)
        return SF_BAD_PLAN;
    const uint32_t tensors = sfi_word(at + 4);
    if (tensors < 1 || tensors > 2 || tensors > plan->trainable_count)
        return SF_BAD_PLAN;
    plan->tail_op = sfi_word(at);
    plan->voted_count = plan->trainable_count - tensors;
    plan->tail_bits = sfi_word(at + 8);
    plan->tail_inputs = sfi_word(at + 12);
    return SF_OK;
}

/* The layer before it: its operator, how many tensors of it move, bits of an error at its outputs, and the shift. */
static sf_status read_penultimate(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 4)
        return SF_BAD_PLAN;
    const uint32_t tensors = sfi_word(at + 4);
    if (tensors < 1 || tensors > 2 || tensors > plan->voted_count || plan->voted_count == plan->trainable_count)
        return SF_BAD_PLAN;
    plan->before_op = sfi_word(at);
    plan->before_count = tensors;
    plan->voted_count -= tensors;
    plan->before_bits = sfi_word(at + 8);
    plan->before_shift = sfi_word(at + 12);
    return SF_OK;
}

/* The window, the rule, and the sites: of each its operator, channels, two distances, means, deviations. */
static sf_status read_matching(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count < 6)
        return SF_BAD_PLAN;
    plan->match_window = sfi_word(at);
    plan->match_prior = sfi_word(at + 4);
    plan->match_slight = sfi_word(at + 8);
    plan->match_plain = sfi_word(at + 12);
    plan->match_caution = sfi_word(at + 16);
    plan->site_count = sfi_word(at + 20);
    plan->sites = (const uint32_t*)(const void*)(at + 24);
    uint64_t words = 6;
    for (uint32_t i = 0; i < plan->site_count; i++) {
        if (words + SFI_SITE_HEAD > count)
            return SF_BAD_PLAN;
        words += SFI_SITE_HEAD + 2 * (uint64_t)sfi_word(at + 4 * words + 4);
        if (words > count)
            return SF_BAD_PLAN;
    }
    return words == count && plan->site_count > 0 ? SF_OK : SF_BAD_PLAN;
}

/* Step number at which the schedule begins: where a run returned to earlier weights or was extended. */
static sf_status read_leg(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 1 || sfi_word(at) == 0)
        return SF_BAD_PLAN;
    plan->first_step = sfi_word(at);
    return SF_OK;
}

/* Shares of the guide and of what is drawn, in Q15. */
static sf_status read_guide(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 2 || sfi_word(at) < 1 || sfi_word(at) > 32768 || sfi_word(at + 4) < 1 || sfi_word(at + 4) > 32768)
        return SF_BAD_PLAN;
    plan->guide_share = sfi_word(at);
    plan->drawn_share = sfi_word(at + 4);
    return SF_OK;
}

/* Steps of epsilon uphill. */
static sf_status read_sharpness(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 1 || sfi_word(at) < 1 || sfi_word(at) > 127)
        return SF_BAD_PLAN;
    plan->sharpness = sfi_word(at);
    return SF_OK;
}

/* How long Adam's mean squares remember. */
static sf_status read_adam(sf_plan* plan, const uint8_t* at, uint32_t count)
{
    if (count != 1 || sfi_word(at) < 1 || sfi_word(at) > 16)
        return SF_BAD_PLAN;
    plan->decay = sfi_word(at);
    return SF_OK;
}

typedef sf_status (*reader)(sf_plan* plan, const uint8_t* at, uint32_t count);

/* Kinds of section. */
enum {
    OBJECTIVE = 1,
    DIRECTIONS,
    UPDATE,
    SCHEDULE,
    TRAINABLES,
    MASKS,
    STATE,
    VOTES,
    LOW_BITS,
    LAST_LAYER,
    MATCHING,
    LEG,
    GUIDED,
    SHARPNESS,
    ADAM,
    PENULTIMATE,
    SECTIONS
};

/* By kind of section, all of version 1. */
static const reader readers[SECTIONS] = {
    [OBJECTIVE] = read_objective,
    [DIRECTIONS] = read_directions,
    [UPDATE] = read_update,
    [SCHEDULE] = read_schedule,
    [TRAINABLES] = read_trainables,
    [MASKS] = read_masks,
    [STATE] = read_state,
    [VOTES] = read_votes,
    [LOW_BITS] = read_low_bits,
    [LAST_LAYER] = read_tail,
    [MATCHING] = read_matching,
    [LEG] = read_leg,
    [GUIDED] = read_guide,
    [SHARPNESS] = read_sharpness,
    [ADAM] = read_adam,
    [PENULTIMATE] = read_penultimate,
};

#define BIT(kind) (1u << (kind))
#define REQUIRED (BIT(OBJECTIVE) | BIT(DIRECTIONS) | BIT(UPDATE) | BIT(SCHEDULE) | BIT(TRAINABLES) | BIT(STATE))

/* A plan trains or matches. */
static int are_whole(uint32_t seen)
{
    return (seen & BIT(MATCHING)) != 0 ? seen == (BIT(STATE) | BIT(MATCHING)) : (seen & REQUIRED) == REQUIRED;
}

/* Each section once, in the order of their kinds, and none missing that every plan has. */
static sf_status read_sections(sf_plan* plan, const uint8_t* at, const uint8_t* end, uint32_t count)
{
    uint32_t last = 0, seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (end - at < (ptrdiff_t)SECTION_BYTES)
            return SF_BAD_PLAN;
        const uint32_t kind = sfi_word(at), version = sfi_word(at + 4), bytes = sfi_word(at + 8);
        at += SECTION_BYTES;
        if (kind <= last || bytes % 4 != 0 || bytes > (size_t)(end - at))
            return SF_BAD_PLAN;
        last = kind;
        const sf_status status =
            kind < SECTIONS && readers[kind] != NULL && version == 1 ? readers[kind](plan, at, bytes / 4) : SF_UNKNOWN;
        if (status == SF_UNKNOWN)
            plan->unknown = kind;
        if (status != SF_OK)
            return status;
        seen |= BIT(kind);
        at += bytes;
    }
    return at == end && are_whole(seen) ? SF_OK : SF_BAD_PLAN;
}

static sf_status read_file(sf_plan* plan, const uint8_t* file, size_t bytes)
{
    if (bytes < 4 || file[0] != 'S' || file[1] != 'F' || file[2] != 'T' || file[3] < '1' || file[3] > '9')
        return SF_BAD_MAGIC;
    if (file[3] != '3')
        return SF_BAD_VERSION;
    if (bytes < HEADER_BYTES)
        return SF_TRUNCATED;
    if (sfi_word(file + 4) != 3)
        return SF_BAD_VERSION;
    const uint32_t size = sfi_word(file + 8);
    if (size < HEADER_BYTES)
        return SF_BAD_PLAN;
    if (size > bytes)
        return SF_TRUNCATED;
    if (sf_crc32(0, file + 16, size - 16) != sfi_word(file + 12))
        return SF_BAD_CHECKSUM;
    return read_sections(plan, file + HEADER_BYTES, file + size, sfi_word(file + 16));
}

/* fraction_bits <= 8 keeps (sum of votes * z) << fraction_bits inside int32: 255 * 128 * 127 * 2^8 < 2^31. */
static int numbers_fit(const sf_plan* plan)
{
    return plan->directions >= 1 && plan->directions <= SF_MAX_DIRECTIONS && plan->distribution <= SF_BINOMIAL &&
           plan->perturbation <= SF_PAPER && plan->rounding <= SF_STOCHASTIC && plan->beta <= 32768 &&
           plan->fraction_bits <= 8 && (plan->beta > 0 || plan->fraction_bits == 0) && plan->schedule <= SF_COSINE &&
           plan->steps > plan->first_step && plan->delta_mult <= 65535 && plan->delta_shift <= 47 &&
           plan->share_batch <= 1;
}

/* Curved votes are those of a whole batch, and move the weights as they are. */
static int curve_fits(const sf_plan* plan, uint32_t classes)
{
    return plan->votes != SF_CURVED ||
           (plan->directions <= SFI_MOST_CURVED && plan->curve_mult <= 65535 && plan->curve_shift <= 47 &&
            plan->curve_classes == classes && plan->share_batch == 0 && plan->beta == 0 && plan->decay == 0 &&
            plan->accumulate <= 1 && plan->guide_share == 0 && plan->sharpness == 0);
}

static int scaler_fits(const sf_plan* plan, const sf_scaler* s)
{
    const uint32_t most = plan->perturbation == SF_PAPER ? (uint32_t)1 << 24 : 65535;
    return s->perturb_mult <= most && s->perturb_shift <= 47 && s->update_mult <= 65535 && s->update_shift <= 47;
}

static uint32_t channels_of(const sf_tensor* t)
{
    const uint32_t divisor = (uint32_t)t->channel_divisor, elements = (uint32_t)t->elements;
    return t->channel_rule == 0 ? 1 : t->channel_rule == 2 ? divisor : (elements + divisor - 1) / divisor;
}

/* A part of the state follows the one before it, at the next multiple of four, if there is anything in it. */
static int part_fits(uint32_t first, uint32_t bytes, uint64_t wanted, uint64_t* end)
{
    const uint64_t at = (*end + 3) & ~(uint64_t)3;
    if (bytes != wanted || (bytes > 0 && first != at))
        return 0;
    *end = bytes > 0 ? at + bytes : *end;
    return 1;
}

/* elements: of all trainable tensors, and of those that votes move. */
static int state_fits(const sf_plan* plan, uint64_t elements, uint64_t voted, uint64_t fractions_bytes)
{
    const uint64_t tail = plan->voted_count < plan->trainable_count
                              ? TAIL_HEAD_BYTES + 4 * (elements - voted) + 8 * (uint64_t)plan->tail_inputs
                              : 0;
    const uint64_t before = plan->before_count > 0 ? BEFORE_HEAD_BYTES + 4 * (uint64_t)plan->tail_inputs : 0;
    uint64_t end = 0;
    const uint64_t held = plan->accumulate > 1 ? (uint64_t)plan->accumulate * plan->directions : 0;
    return part_fits(plan->momentum_first, plan->momentum_bytes, plan->beta > 0 ? 2 * voted : 0, &end) &&
           part_fits(plan->scale_first, plan->scale_bytes, plan->votes == SF_GRADED ? 8 : 0, &end) &&
           part_fits(plan->fractions_first, plan->fractions_bytes, fractions_bytes, &end) &&
           part_fits(plan->held_first, plan->held_bytes, held, &end) &&
           part_fits(plan->tail_first, plan->tail_bytes, tail + before, &end) &&
           part_fits(plan->guide_first, plan->guide_bytes, plan->guide_share > 0 ? voted : 0, &end) &&
           part_fits(plan->squares_first, plan->squares_bytes, plan->decay > 0 ? 4 * voted : 0, &end) &&
           part_fits(plan->curve_first, plan->curve_bytes,
                     plan->votes == SF_CURVED ? sfi_curve_bytes(plan->directions, plan->curve_classes) : 0, &end) &&
           end == plan->state_bytes && end <= (uint32_t)INT32_MAX;
}

/* Fraction bits lie below weights of 8 or 4 bits. */
static int fractions_fit(uint32_t bits, const sf_tensor* t)
{
    return bits == 0 || ((bits == 2 || bits == 4 || bits == 8) && (t->dtype == SF_S8 || t->dtype == SF_S4));
}

/* Fractions, or steps that move the weights together, without momentum: one of them, where there is the section. */
static int low_bits_fit(const sf_plan* plan, uint64_t fractions_bytes)
{
    if (plan->weight_fractions == NULL)
        return 1;
    if (fractions_bytes > 0)
        return plan->accumulate == 1;
    return plan->accumulate > 1 && plan->accumulate <= 255 && plan->beta == 0 && plan->guide_share == 0 &&
           plan->decay == 0;
}

static int least_fits(const uint32_t* thresholds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (thresholds[i] > (uint32_t)1 << 31)
            return 0;
    return 1;
}

static int mask_fits(const sf_mask* mask, const uint32_t* words, const sf_trainable* entry, const sf_tensor* t)
{
    const uint32_t elements = (uint32_t)t->elements;
    if (mask->form == SFI_MASK_RANDOM)
        return mask->count == 1 && words[0] >= 1 && words[0] <= 65535;
    if (mask->form == SFI_MASK_LEAST)
        return mask->count == entry->scaler_count && least_fits(words, mask->count);
    return mask->form == SFI_MASK_BITS && elements > 0 && mask->count == (elements - 1) / 32 + 1 &&
           words[mask->count - 1] >> ((elements - 1) % 32) <= 1;
}

/* One for each tensor that votes move, in their order, their words one after the other. */
static int masks_fit(const sf_plan* plan, const sf_program* program)
{
    uint32_t at = 0;
    if (plan->masks == NULL)
        return 1;
    if (plan->mask_count == 0 || plan->mask_count != plan->voted_count)
        return 0;
    for (uint32_t i = 0; i < plan->mask_count; i++) {
        const sf_mask* mask = plan->masks + i;
        const sf_trainable* entry = plan->trainables + i;
        if (mask->trainable != i || mask->first != at || mask->count > plan->mask_word_count - at ||
            !mask_fits(mask, plan->mask_words + at, entry, program->tensors + entry->tensor))
            return 0;
        at += mask->count;
    }
    return at == plan->mask_word_count;
}

static sf_status check_trainables(sf_plan* plan, const sf_program* program)
{
    uint64_t elements = 0, bytes = 0, voted = 0, fractions = 0;
    for (uint32_t i = 0; i < plan->trainable_count; i++) {
        const sf_trainable* t = plan->trainables + i;
        if (t->tensor >= program->parameter_count)
            return SF_PLAN_MISMATCH;
        if (i > 0 && t->tensor <= plan->trainables[i - 1].tensor)
            return SF_BAD_PLAN;
        if ((uint64_t)t->scaler_first + t->scaler_count > plan->scaler_count || t->element_first != elements)
            return SF_BAD_PLAN;
        if ((program->tensors[t->tensor].flags & SF_FROZEN) != 0)
            return SF_PLAN_MISMATCH;
        if (t->scaler_count != 1 && t->scaler_count != channels_of(program->tensors + t->tensor))
            return SF_PLAN_MISMATCH;
        const uint32_t below = plan->weight_fractions != NULL ? plan->weight_fractions[i] : 0;
        if (!fractions_fit(below, program->tensors + t->tensor))
            return SF_PLAN_MISMATCH;
        fractions += sfi_fraction_bytes(program->tensors + t->tensor, below);
        elements += (uint32_t)program->tensors[t->tensor].elements;
        voted += i < plan->voted_count ? (uint32_t)program->tensors[t->tensor].elements : 0;
        bytes += sfi_moving_bytes(program->tensors + t->tensor);
        if (elements > (uint64_t)INT32_MAX || bytes > (uint64_t)INT32_MAX)
            return SF_TOO_LARGE;
    }
    plan->weights_bytes = (uint32_t)bytes;
    if (plan->trainable_count == 0 || elements != plan->elements)
        return SF_BAD_PLAN;
    if (!low_bits_fit(plan, fractions))
        return SF_BAD_PLAN;
    if (!masks_fit(plan, program))
        return SF_PLAN_MISMATCH;
    if (!curve_fits(plan, program->classes) || !state_fits(plan, elements, voted, fractions))
        return SF_BAD_PLAN;
    return sfi_tail_fits(plan, program) ? SF_OK : SF_PLAN_MISMATCH;
}

/* Whether an operator's channels can be matched: it is a convolution or a fully connected operator, has weights that no
 * other one reads, is not the last such, and rounds by the contract. */
static int is_site(const sf_program* program, uint32_t place)
{
    const sf_op* op = program->ops + place;
    int later = 0;
    if (op->weight < 0 || op->kind > SFI_FULLY_CONNECTED || sfi_rounding(op) != SFI_CONTRACT)
        return 0;
    for (uint32_t i = 0; i < program->op_count; i++) {
        const sf_op* other = program->ops + i;
        if (i != place && (other->weight == op->weight || other->bias == op->bias))
            return 0;
        later |= i > place && other->weight >= 0;
    }
    return later;
}

/* Numbers that keep every sum of the contract, section 12, in its bits. */
static int site_fits(const sf_plan* plan, const sf_program* program, const sfi_site* site)
{
    const uint64_t samples = (uint64_t)plan->match_window + plan->match_prior;
    if (samples * site->positions > SFI_MOST_POSITIONS)
        return 0;
    for (uint32_t i = 0; i < 2; i++)
        if (site->usual[i] < 1 || site->usual[i] > INT32_MAX)
            return 0;
    const int32_t* bias = sfi_base_bias(program, site);
    for (uint32_t c = 0; c < site->channels; c++) {
        if (site->deviation[c] < 0)
            return 0;
        const uint32_t shift = sfi_deviation_shift(site->deviation[c]);
        const int64_t centre = (int64_t)bias[c] - site->mean[c] + (shift > 0 ? (int64_t)1 << (shift - 1) : 0);
        if (centre > INT32_MAX || centre < INT32_MIN)
            return 0;
    }
    return 1;
}

static sf_status check_matching(const sf_plan* plan, const sf_program* program)
{
    uint64_t bytes = 4;
    const uint32_t* words = plan->sites;
    if (plan->match_window < 1 || plan->match_window > SFI_MOST_WINDOW || plan->match_prior < 1 ||
        plan->match_prior > SFI_MOST_WINDOW || plan->match_caution > SFI_MOST_WINDOW ||
        plan->match_slight >= plan->match_plain || plan->match_plain > 65535)
        return SF_BAD_PLAN;
    for (uint32_t i = 0, last = 0; i < plan->site_count; i++) {
        const uint32_t op = words[0], channels = words[1];
        if (i > 0 && op <= last)
            return SF_BAD_PLAN;
        if (op >= program->op_count || !is_site(program, op) ||
            channels != (uint32_t)program->tensors[program->ops[op].bias].elements)
            return SF_PLAN_MISMATCH;
        bytes += sfi_site_bytes(channels);
        last = op;
        words += SFI_SITE_HEAD + 2 * channels;
    }
    if (plan->match_first != 0 || plan->match_bytes != bytes || plan->state_bytes != bytes)
        return SF_BAD_PLAN;
    sfi_site site = sfi_first_site(program, plan, NULL);
    do {
        if (!site_fits(plan, program, &site))
            return SF_PLAN_MISMATCH;
    } while (sfi_next_site(program, &site));
    return SF_OK;
}

static int reads_trainable(const sf_plan* plan, const sf_op* op)
{
    for (uint32_t i = 0; i < plan->trainable_count; i++) {
        const int32_t tensor = (int32_t)plan->trainables[i].tensor;
        if (op->weight == tensor || op->bias == tensor)
            return 1;
    }
    return 0;
}

static sf_status check(sf_plan* plan, const sf_program* program)
{
    if (plan->site_count > 0)
        return check_matching(plan, program);
    if (!numbers_fit(plan) || plan->match_bytes > 0)
        return SF_BAD_PLAN;
    for (uint32_t i = 0; i < plan->scaler_count; i++)
        if (!scaler_fits(plan, plan->scalers + i))
            return SF_BAD_PLAN;
    const sf_status status = check_trainables(plan, program);
    if (status != SF_OK)
        return status;
    uint32_t first = 0;
    while (first < program->op_count && !reads_trainable(plan, program->ops + first))
        first++;
    return first != plan->first_op || first < program->cut ? SF_PLAN_MISMATCH : SF_OK;
}

sf_status sf_plan_open(sf_plan* plan, const sf_program* program, const void* file, size_t bytes)
{
    if (plan == NULL || program == NULL || program->tensors == NULL || file == NULL)
        return SF_BAD_ARGUMENT;
    if (((uintptr_t)file & 3u) != 0)
        return SF_MISALIGNED;
    sfi_fill(plan, 0, sizeof *plan);
    sf_status status = read_file(plan, (const uint8_t*)file, bytes);
    status = status == SF_OK ? check(plan, program) : status;
    if (status != SF_OK) {
        const uint32_t unknown = plan->unknown;
        sfi_fill(plan, 0, sizeof *plan);
        plan->unknown = unknown;
    }
    return status;
}
