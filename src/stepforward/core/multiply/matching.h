/* Statistics matching in a device's kernels (contract, section 12): a site's rows get the present constants, and their
 * accumulators add to sums. Only rows that count leave the fast path. */
#ifndef SFI_MATCHING_H
#define SFI_MATCHING_H

#include "base/pass.h"
#include "base/sites.h"
#include "multiply/rows.h"

#define SFI_COUNTED 16u /* rows that add to sums together, at most */

/* Sums of some rows over the positions of one sample. */
struct sfi_counts {
    int64_t first[SFI_COUNTED];
    int64_t second[SFI_COUNTED];
    int32_t few[SFI_COUNTED];    /* of the first sums what rows within 32 bits add */
    int32_t centre[SFI_COUNTED]; /* added to an accumulator without bias; the rounding term is in it */
    int32_t shift[SFI_COUNTED];
    int32_t narrow; /* the rows, and all sums but the squares', are proven to stay inside int32 */
};

/* Of a pass: the site that the next or the present operator is. */
struct sfi_matching {
    sfi_site site;
    sfi_counts* counts; /* NULL: constants alone */
    uint32_t more;      /* 0 when there are no sites left */
    uint32_t halves;    /* 1: the sums are halved before this sample is added */
};

/* Biases and the multiplier of rows of the present site. */
void sfi_matched_biases(const sfi_matching* matching, uint32_t first_row, uint32_t count, int32_t* bias);
const int32_t* sfi_matched_pair(const sfi_matching* matching, uint32_t row, const int32_t* pair, int32_t matched[2]);

/* Rows first_row .. first_row+count-1, prepared, begin to count; reach: whether rows->reach[] is known. */
void sfi_counts_open(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count, int reach);

/* The accumulators of one position, without bias. */
void sfi_counts_add(sfi_counts* counts, const int32_t* acc, uint32_t count);
void sfi_counts_add_wide(sfi_counts* counts, const int64_t* acc, uint32_t count);

/* All positions of the sample are counted: rows fresh .. count-1 of those, which no group before counted, are kept. */
void sfi_counts_keep(const sfi_counts* counts, const sfi_call* call, uint32_t first_row, uint32_t fresh,
                     uint32_t count);

SFI_INLINE void sfi_counts_close(const sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t fresh,
                                 uint32_t count)
{
    if (rows->counts != NULL)
        sfi_counts_keep(rows->counts, call, first_row, fresh, count);
}

#endif
