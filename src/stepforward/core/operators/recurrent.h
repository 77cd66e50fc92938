/* What recurrent operators share: their parameters and what they remember of one sample, products, gates. */
#ifndef SFI_RECURRENT_H
#define SFI_RECURRENT_H

#include "base/machine.h"
#include "base/pass.h"
#include "stepforward.h"

#define SFI_GATE_FRACTION 12u /* bits after the point of what gates are computed from */

/* Attributes that all of them have, and their number with the one that each has of its own. */
enum { SFI_REVERSE, SFI_OUTPUT_MULT, SFI_OUTPUT_SHIFT, SFI_OF_KIND, SFI_RECURRENT_ATTRIBUTES };

/* One call, and the sample that it is at. */
typedef struct sfi_recurrent {
    const sfi_call* call;
    const int16_t* weight; /* [gate][hidden][hidden] */
    const int32_t* bias;   /* [gate][hidden] */
    const int16_t* x;      /* [gate][hidden] of the present step */
    int16_t* sums;         /* [gate][hidden] */
    int16_t* state;        /* [hidden], in steps of 2^-15 */
    int16_t* read;         /* [hidden], as weights read it: in steps of 2^-7 */
    int16_t* cells;        /* [hidden], of an LSTM */
    uint32_t gates, hidden, steps;
} sfi_recurrent;

/* sums[row] = product of the row and what is read, with its bias, rescaled, on top of x[row] or of nothing; of all rows
 * of some gates. */
void sfi_recurrent_multiply(const sfi_recurrent* r, uint32_t first, uint32_t gates, int on_top);

/* One step: from x and the state before it to the state after it. */
typedef void sfi_recurrent_step(const sfi_recurrent* r);

sf_status sfi_recurrent_check(const sf_program* p, const sf_op* op, int32_t gates, int32_t most_of_kind);
uint64_t sfi_recurrent_bytes(const sf_program* p, const sf_op* op, uint32_t gates, int plain);
void sfi_recurrent_run(const sfi_call* call, uint32_t gates, sfi_recurrent_step* step);

/* Of x / 2^fraction, in steps of 2^-15; |x| <= 2^16 and 7 <= fraction <= 16. */
int32_t sfi_tanh(int32_t x, uint32_t fraction);
SFI_INLINE int32_t sfi_sigmoid(int32_t x) { return (sfi_tanh(x, SFI_GATE_FRACTION + 1) + 32769) >> 1; }

SFI_INLINE int32_t sfi_sixteen_bits(int32_t v) { return v < -32768 ? -32768 : v > 32767 ? 32767 : v; }

/* A state as weights read it: |v| <= 2^15. */
SFI_INLINE int16_t sfi_eight_bits(int32_t v)
{
    const int32_t rounded = (v + 128) >> 8;
    return (int16_t)(rounded > 127 ? 127 : rounded);
}

#endif
