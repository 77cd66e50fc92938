/* The sites of a plan that matches: operators whose requantizers follow the statistics of a stream (contract, section
 * 12), where their references lie in the file, and their sums and constants in the state. */
#ifndef SFI_SITES_H
#define SFI_SITES_H

#include "stepforward.h"

#define SFI_SITE_HEAD 4u        /* words of a site before its means and deviations: operator, channels, distances */
#define SFI_RATIO_ONE (1 << 14) /* a multiplier as it is in the base */
#define SFI_MOST_WINDOW 4096u   /* samples */
#define SFI_MOST_POSITIONS (1u << 25) /* of a window and the prior together */

/* One site. Zeros in the state are no samples and the base's constants. */
typedef struct sfi_site {
    uint32_t left; /* sites after this one */
    uint32_t op, channels, positions;
    const uint32_t* usual;    /* two distances */
    const int32_t* mean;      /* one for each channel, as all that follows */
    const int32_t* deviation; /* 0: left alone */
    int32_t* first;           /* sums */
    uint32_t* second;         /* sums of squares */
    uint32_t* bias;           /* less the base's, modulo 2^32 */
    uint16_t* ratio;          /* of the multiplier, less SFI_RATIO_ONE, modulo 2^16 */
} sfi_site;

/* What one site takes in the state. */
uint32_t sfi_site_bytes(uint32_t channels);

/* The first site of a plan that has one; state: plan->state_bytes. */
sfi_site sfi_first_site(const sf_program* program, const sf_plan* plan, const void* state);

/* On to the next one; 0 where there is none. */
int sfi_next_site(const sf_program* program, sfi_site* site);

/* The powers of two that sums and sums of squares are held in. */
uint32_t sfi_unit_bits(const sf_plan* plan, const sfi_site* site);
uint32_t sfi_square_bits(const sf_plan* plan, const sfi_site* site);

/* Brings a deviation into eleven bits. */
uint32_t sfi_deviation_shift(int32_t deviation);

/* The base's biases. */
const int32_t* sfi_base_bias(const sf_program* program, const sfi_site* site);

/* The pair of a channel whose multiplier is `ratio` / 2^14 as large; 0 where no pair holds it. */
int sfi_rescaled(const int32_t* pair, uint32_t ratio, int32_t out[2]);

#endif
