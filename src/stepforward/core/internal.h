/* What the core's own files share. */
#ifndef SF_INTERNAL_H
#define SF_INTERNAL_H

#include "stepforward.h"
#include "guard.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the core reads little-endian files in place"
#endif

/* Built-ins, so that a freestanding compiler may expand small copies instead of calling a library. */
#define sf_copy __builtin_memcpy
#define sf_move __builtin_memmove
#define sf_fill __builtin_memset

#define SF_INLINE static inline __attribute__((always_inline))

/* SF_PLAIN builds only the plain kernels, SF_NO_CLONES leaves the choice of instruction sets to the compiler's flags; both for
 * tests and sanitizers. */
#if defined(__x86_64__) && defined(__linux__) && __STDC_HOSTED__ && defined(__GNUC__) && !defined(SF_PLAIN)
#define SF_X86 1
#include <features.h>
#else
#define SF_X86 0
#endif

/* Hot loops are compiled once per instruction set on hosts whose loader can choose (glibc), and once elsewhere. */
#if SF_X86 && !defined(__clang__) && defined(__GLIBC__) && !defined(SF_NO_CLONES)
#define SF_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SF_CLONES
#endif

/* AArch64 always has NEON. */
#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(SF_PLAIN)
#define SF_NEON 1
#else
#define SF_NEON 0
#endif

/* Devices know their instructions when they are compiled: Helium, or the DSP extension. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(SF_PLAIN)
#define SF_MVE 1
#else
#define SF_MVE 0
#endif
#if defined(__ARM_FEATURE_DSP) && !defined(__aarch64__) && !SF_MVE && !defined(SF_PLAIN)
#define SF_DSP 1
#else
#define SF_DSP 0
#endif

/* Elements that are widened, perturbed or updated together; a multiple of a Philox block of every distribution on hosts.
 * Devices keep it small because it lives on the stack. */
#if __STDC_HOSTED__
#define SF_CHUNK 128u
#else
#define SF_CHUNK 32u
#endif

#define SF_PANEL 16u  /* rows of a panel on a host */
#define SF_BLOCK 256u /* products that fit into int32: 256 * 32768 * 255 < 2^31 */

SF_INLINE uint32_t sf_min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
SF_INLINE uint32_t sf_max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
/* A maximum and a minimum where there are vectors; a Cortex-M without them takes one instruction less the other way. */
SF_INLINE int32_t sf_clamp(int32_t v, int32_t lo, int32_t hi)
{
#if __STDC_HOSTED__ || SF_MVE
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
#else
    return v < lo ? lo : v > hi ? hi : v;
#endif
}

/* requantize() of the contract, section 2. |acc| < 2^46, mult < 2^16, shift <= 47. */
SF_INLINE int32_t sf_requantize(int64_t acc, int32_t mult, int32_t shift, int32_t zero_point, int32_t lo, int32_t hi)
{
    int64_t half = shift > 0 ? (int64_t)1 << (shift - 1) : 0;
    int64_t v = ((acc * mult + half) >> shift) + zero_point;
    return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

/* delta = (z*mult + half) >> shift stays in 32 bits: |z*mult| < 2^23, so every shift from 24 up gives 0 like 24 does. */
SF_INLINE int32_t sf_exact_delta(int32_t z, int32_t mult, int32_t half, int32_t shift) { return (z * mult + half) >> shift; }

/* x - zero as s16, computed in 16 bits. Blocks of a constant size, so that short runs are vectors as well. */
SF_INLINE void sf_widen(const int8_t* restrict x, int32_t count, int32_t zero, int16_t* restrict out)
{
    const uint16_t less = (uint16_t)zero;
    int32_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (int32_t j = i; j < i + 16; j++)
            out[j] = (int16_t)(uint16_t)((uint16_t)x[j] - less);
    for (; i < count; i++)
        out[i] = (int16_t)(uint16_t)((uint16_t)x[i] - less);
}

/* The kernels that hosts choose when a call of the API begins (kernels/choose.h). */
typedef struct sf_kernels sf_kernels;

/* One pass over a block of samples: the weights, and what to add to them. */
typedef struct sf_pass {
    const sf_kernels* kernels;
    const sf_program* program;
    const sf_plan* plan;
    const uint8_t* weights;
    const sf_perturbation* perturbation; /* NULL: plain weights */
    uint8_t* packed; /* hosts: packed weights of the operators that are run (packing.c), or NULL: packed on the way */
    int8_t* z; /* hosts: where z of 16-bit weights is kept when twins are staged (sf_kept_z), or NULL */
} sf_pass;

/* Where in such memory z of one tensor begins: an offset that it shares with no other tensor of 16-bit weights. */
SF_INLINE size_t sf_kept_z(const sf_tensor* t) { return (size_t)t->offset / 2; }

/* z of the first directions of a step, as passes have kept it: of each `bytes`, one after the other. */
typedef struct sf_drawn {
    const int8_t* z;
    size_t bytes;
    uint32_t directions;
} sf_drawn;

/* One operator of a pass, with its tensors resolved. */
typedef struct sf_call {
    const sf_pass* pass;
    const sf_op* op;
    const sf_tensor* in;  /* first input */
    const sf_tensor* out;
    const void* x; /* first input's data */
    const void* inputs[SF_MAX_INPUTS];
    void* y;
    void* work; /* what the operator's own layout asks for, 8-byte aligned */
    size_t work_bytes; /* at least that; on a device all there is, and more of it is faster */
    uint8_t* packed; /* this operator's packed weights, or NULL */
    uint32_t words_kept; /* packing: words of this operator that lie there already are to be kept */
    uint32_t n;
    uint32_t row_tile;
} sf_call;

SF_INLINE const int32_t* sf_rescale_pair(const sf_program* program, const sf_op* op, uint32_t index)
{
    return program->constants + op->rescale_first + 2 * (int32_t)index;
}

SF_INLINE size_t sf_element_bytes(const sf_tensor* activation) { return activation->dtype == SF_S16 ? 2 : 1; }

SF_INLINE void sf_store(void* data, int32_t dtype, size_t index, int32_t value)
{
    if (dtype == SF_S16)
        ((int16_t*)data)[index] = (int16_t)value;
    else
        ((int8_t*)data)[index] = (int8_t)value;
}

/* Half-open range of kernel taps whose input position lies inside [0, size): tap t reads origin + t * dilation. */
SF_INLINE void sf_taps(int32_t origin, int32_t dilation, int32_t kernel, int32_t size, int32_t* first, int32_t* last)
{
    if (origin >= 0 && origin + (kernel - 1) * dilation < size) { /* the inside of the image, without a division */
        *first = 0;
        *last = kernel;
        return;
    }
    *first = origin >= 0 ? 0 : (-origin + dilation - 1) / dilation;
    *last = origin >= size ? 0 : (size - 1 - origin) / dilation + 1;
    if (*last > kernel)
        *last = kernel;
    if (*first > *last)
        *first = *last;
}

/* weights.c: where a parameter lies (stepforward.h, Weights), and what it takes in a buffer of trained ones. */
const uint8_t* sf_weight_at(const sf_program* program, const sf_plan* plan, const void* weights, uint32_t tensor);
size_t sf_moving_bytes(const sf_tensor* t);

/* stage.c: a parameter of up to 16 bits, where it lies and how it is perturbed. Looked up once for all pieces of it. */
typedef struct sf_source {
    const sf_pass* pass;
    uint32_t tensor;
    const sf_trainable* entry; /* NULL: not perturbed */
    const uint8_t* data;
} sf_source;

sf_source sf_source_of(const sf_pass* pass, uint32_t tensor);

/* stage.c: elements first .. first+count-1 of a parameter, widened and perturbed; count <= SF_CHUNK where they are 16 bits. */
void sf_stage_s16(const sf_source* source, uint32_t first, uint32_t count, int16_t* out);
void sf_stage_s32(const sf_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int32_t* out);

/* stage.c: the same for any count, on hosts; twin: NULL, or receives the elements perturbed the other way. */
void sf_stage_twins_s16(const sf_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int16_t* out, int16_t* twin);
void sf_stage_twins_s32(const sf_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int32_t* out, int32_t* twin);

/* stage.c: where elements from `first` on lie, if they can be used as they are: of this type, and not perturbed. NULL otherwise. */
const int16_t* sf_stored_s16(const sf_pass* pass, uint32_t tensor, uint32_t first);
const int32_t* sf_stored_s32(const sf_pass* pass, uint32_t tensor, uint32_t first);

/* stage.c: the scaler of element e, and in *run how many elements from e on (at most count) share it. */
const sf_scaler* sf_scaler_at(const sf_plan* plan, const sf_trainable* entry, const sf_tensor* t, uint32_t e, uint32_t count,
                              uint32_t* run);

/* rows.c: how rows (output channels) turn accumulators into outputs. */
typedef struct sf_rows {
    int32_t* bias;
    int32_t* mult;
    int32_t* half; /* rounding term of the 32-bit path */
    int32_t* shift;
    int64_t* reach; /* largest magnitude an accumulator of this row can have */
    int32_t zero_point;
    int32_t lo;
    int32_t hi;
    int32_t dtype;
    int32_t narrow; /* the whole row set is proven to stay inside int32 */
    int32_t fused;  /* and so it does with the zero point added before the shift; hosts only */
    int32_t fused_four; /* and all that for four times the sums, shifted by two more (winograd.h) */
} sf_rows;

uint64_t sf_rows_bytes(uint32_t rows);
uint8_t* sf_rows_carve(sf_rows* rows, uint8_t* memory, uint32_t count);
void sf_rows_prepare(sf_rows* rows, const sf_call* call, uint32_t first_row, uint32_t count);
/* The same, where bias[] is staged and reach[] counts in units of `unit`. */
void sf_rows_scale(sf_rows* rows, const sf_call* call, uint32_t first_row, uint32_t count, int32_t unit);
/* The way of devices: four rows and one patch at a time. Freestanding builds hold no other, so there this is a constant that the
 * compiler sees even when it does not optimize. */
#define sf_for_device(row_tile) (!__STDC_HOSTED__ || (row_tile) == SF_DEVICE_ROWS)

/* forward.c: a block of samples through operators first .. last-1; nothing is checked. pass->packed: of operator `first`. */
void sf_run(const sf_pass* pass, const sf_scratch* scratch, const int8_t* x, uint32_t n, uint32_t first, uint32_t last);

/* forward.c: working memory of the operators, behind the activations. */
void* sf_work(const sf_program* program, const sf_scratch* scratch);

/* Where packed weights lie: those of the operators before the cut, and of the others once per probe. All NULL: packed on the way. */
typedef struct sf_packed {
    uint8_t* prefix;
    uint8_t* suffix;
    size_t step; /* from one probe to the next */
} sf_packed;

/* forward.c: what sf_losses() and sf_logits() ask of their arguments, and what they do with one block. */
sf_status sf_check_losses(const sf_pass* pass, const sf_scratch* scratch, const int8_t* x, const int32_t* labels, uint32_t n,
                          const sf_perturbation* perturbations, uint32_t count, const int64_t* losses);
sf_status sf_check_logits(const sf_pass* pass, const sf_scratch* scratch, const int8_t* x, const int32_t* logits);
void sf_block_losses(const sf_pass* plain, const sf_scratch* scratch, const int8_t* x, const int32_t* labels, uint32_t n,
                     const sf_perturbation* perturbations, uint32_t count, const sf_packed* packed, int64_t* losses);
void sf_block_logits(const sf_pass* plain, const sf_scratch* scratch, const int8_t* x, uint32_t n, const sf_packed* packed,
                     int32_t* logits);

/* forward.c: sf_scratch_bytes() with kernels that are chosen. */
size_t sf_scratch_need(const sf_kernels* kernels, const sf_program* program, uint32_t block, uint32_t row_tile);

/* The packed memory of an operator: its tiles one after the other. */
typedef struct sf_packing {
    uint32_t tiles;
    uint64_t tile_bytes; /* a multiple of a cache line */
} sf_packing;

#if __STDC_HOSTED__
/* packing.c: packed weights of operators first .. last-1. */
uint64_t sf_packed_bytes(const sf_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first, uint32_t last);
uint32_t sf_packed_tiles(const sf_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first, uint32_t last);

/* An operator with packed weights, and how many tiles and bytes those before it have. */
typedef struct sf_place {
    uint32_t op, tiles;
    size_t bytes;
} sf_place;

/* packing.c: pack one tile of operators place->op .. for each of some passes, at passes[i].packed, and leave in *place the operator that it
 * belongs to, from where the next one is not far. Where kept[i] says that the tiles there were packed before, what the plan does not move
 * is left as it is. Any number of threads may pack different tiles. */
void sf_pack_tile(const sf_pass* passes, const uint32_t* kept, uint32_t count, uint32_t tile, sf_place* place, const sf_scratch* scratch,
                  void* work);
#endif

/* update.c: one step of the weights. */
typedef struct sf_moving {
    const sf_kernels* kernels;
    const sf_program* program;
    const sf_plan* plan;
    void* weights;
    int16_t* momentum;
    uint32_t step;
    const int8_t* votes;
    sf_drawn drawn; /* z of this step that passes have kept; the rest is drawn again */
} sf_moving;

sf_status sf_check_update(const sf_moving* moving);

/* Moves elements first .. first+count-1 of one trainable tensor; first is a multiple of SF_CHUNK. Pieces of a tensor may be moved in any
 * order, and at the same time. */
void sf_update_elements(const sf_moving* moving, const sf_trainable* entry, uint32_t first, uint32_t count);

/* loss.c: like sf_cross_entropy(). */
int64_t sf_cross_entropy_s16(const int16_t* logits, uint32_t classes, uint32_t label, uint32_t mult, uint32_t shift);
int64_t sf_cross_entropy_s8(const int8_t* logits, uint32_t classes, uint32_t label, uint32_t mult, uint32_t shift);

/* tables.c (written by tools/make_tables.py) */
extern const int32_t sf_table_exp2[257];
extern const int32_t sf_table_log2[257];
extern const int32_t sf_table_cos[257];
extern const uint16_t sf_table_alias[256]; /* KEEP + 256 * (ALIAS + 128) */
#if SF_X86
extern const uint8_t sf_table_keep_steps[256]; /* KEEP, entry i exclusive or entry i-16, anew from 128 on */
extern const uint8_t sf_table_alias_steps[256]; /* ALIAS + 128, likewise */
#endif

#endif
