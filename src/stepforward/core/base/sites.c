/* The sites of a plan that matches: a walk through its words and its state. */
#include "base/sites.h"
#include "base/machine.h"
#include "base/tensors.h"
#include "stepforward.h"

uint32_t sfi_site_bytes(uint32_t channels) { return (14 * channels + 3) & ~3u; }

/* state: an address, which may be that of nothing where a plan is checked before there is a state. */
static void open_site(const sf_program* program, sfi_site* site, const uint32_t* words, uintptr_t state)
{
    const sf_op* op = program->ops + words[0];
    site->op = words[0];
    site->channels = words[1];
    site->positions = (uint32_t)sfi_output(program, op)->elements / site->channels;
    site->usual = words + 2;
    site->mean = (const int32_t*)(const void*)(words + SFI_SITE_HEAD);
    site->deviation = site->mean + site->channels;
    site->first = (int32_t*)state;
    site->second = (uint32_t*)(state + 4 * site->channels);
    site->bias = (uint32_t*)(state + 8 * site->channels);
    site->ratio = (uint16_t*)(state + 12 * site->channels);
}

sfi_site sfi_first_site(const sf_program* program, const sf_plan* plan, const void* state)
{
    sfi_site site = {0};
    site.left = plan->site_count - 1;
    open_site(program, &site, plan->sites, (uintptr_t)state + plan->match_first + 4);
    return site;
}

int sfi_next_site(const sf_program* program, sfi_site* site)
{
    if (site->left == 0)
        return 0;
    site->left--;
    const uint32_t* words = (const uint32_t*)(const void*)(site->deviation + site->channels);
    open_site(program, site, words, (uintptr_t)site->first + sfi_site_bytes(site->channels));
    return 1;
}

static uint32_t bits_of(uint32_t value)
{
    uint32_t bits = 0;
    for (; value > 0; value >>= 1)
        bits++;
    return bits;
}

uint32_t sfi_unit_bits(const sf_plan* plan, const sfi_site* site)
{
    const uint32_t bits = bits_of(plan->match_window * site->positions);
    return bits > 15 ? bits - 15 : 0;
}

uint32_t sfi_square_bits(const sf_plan* plan, const sfi_site* site)
{
    return bits_of(plan->match_window * site->positions) - 1;
}

uint32_t sfi_deviation_shift(int32_t deviation)
{
    const uint32_t bits = bits_of((uint32_t)deviation);
    return bits > 11 ? bits - 11 : 0;
}

const int32_t* sfi_base_bias(const sf_program* program, const sfi_site* site)
{
    const sf_tensor* bias = program->tensors + program->ops[site->op].bias;
    return (const int32_t*)(const void*)((const uint8_t*)sf_program_weights(program) + bias->offset);
}

int sfi_rescaled(const int32_t* pair, uint32_t ratio, int32_t out[2])
{
    uint32_t product = (uint32_t)pair[0] * ratio, shift = (uint32_t)pair[1] + 14; /* both factors are 16 bits */
    out[0] = pair[0];
    out[1] = pair[1];
    if (ratio == SFI_RATIO_ONE || pair[0] == 0)
        return 1;
    uint32_t excess = 0;
    while (excess < shift && product >> excess >= 1u << 16)
        excess++;
    if (excess > 0) {
        product = (product >> excess) + (product >> (excess - 1) & 1);
        shift -= excess;
    }
    if (product == 1u << 16) {
        product >>= 1;
        if (shift-- == 0)
            return 0;
    }
    if (shift > 47) {
        const uint32_t more = shift - 47;
        product = (product >> more) + (product >> (more - 1) & 1);
        shift = 47;
    }
    out[0] = (int32_t)product;
    out[1] = (int32_t)shift;
    return product < 1u << 16;
}
