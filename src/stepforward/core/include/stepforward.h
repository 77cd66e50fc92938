/* stepforward.h - adapt a quantized network by forward passes only, in integer arithmetic.
 *
 * Freestanding C99: no heap, no global state, no floating point; every buffer belongs to the caller. The arithmetic is
 * docs/arithmetic.md and the files are docs/file-formats.md. Little-endian machines only.
 *
 * A device adapts its network like this (every call returns a status, which a firmware should look at):
 *
 *     sf_program program;
 *     sf_plan plan;
 *     sf_program_open(&program, sfp, sfp_bytes);                             // both files may stay in flash
 *     sf_plan_open(&plan, &program, sft, sft_bytes);
 *     sf_plan_weights(&plan, &program, weights);                             // RAM, plan.weights_bytes, 4-byte aligned
 *
 *     // bytes: sf_scratch_bytes(&program, 1, SF_DEVICE_ROWS)
 *     // state: plan.state_bytes zeros, 4-byte aligned, or NULL where there are none
 *     sf_scratch scratch = {memory, bytes, 1, SF_DEVICE_ROWS};
 *     sf_trainer trainer = {&program, &plan, weights, state, scratch, NULL, 0, {0}};
 *     while (trainer.step < plan.steps)
 *         sf_train_step(&trainer, samples, labels, count);
 *     sf_logits(&program, &plan, weights, &scratch, sample, 1, logits);
 *
 * On a host the calls of stepforward_host.h do the same on many threads, with weights packed once per step.
 */
#ifndef STEPFORWARD_H
#define STEPFORWARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
/* The library is built with -fvisibility=hidden: it shows what is declared here. */
#pragma GCC visibility push(default)
#endif

/* Raised whenever a declaration of this file or stepforward_host.h changes: callers who load the core at run time
 * compare it. */
#define SF_INTERFACE 23u
#define SF_DEVICE_ROWS 4u     /* row_tile for devices: the smallest scratch */
#define SF_MAX_RANK 6         /* dimensions of one tensor */
#define SF_MAX_INPUTS 16      /* inputs of one operator */
#define SF_MAX_DIRECTIONS 255 /* directions of one step */
#define SF_SHA256_BYTES 32
#define SF_ASCENT 0xFFFFFFFCu /* the direction that a sharpness-aware step moves uphill along */

/* ---------------------------------------------------------------------------------------------------- status */

typedef enum sf_status {
    SF_OK = 0,
    SF_MISALIGNED,        /* a pointer is not aligned as documented */
    SF_TRUNCATED,         /* fewer bytes than the file says it has */
    SF_BAD_MAGIC,         /* not a file of this kind */
    SF_BAD_VERSION,       /* a version this code does not know */
    SF_BAD_CHECKSUM,      /* a stored CRC-32 does not match */
    SF_BAD_HEADER,        /* sections or header fields contradict each other */
    SF_BAD_TENSOR,        /* a tensor record contradicts itself or its section */
    SF_BAD_OPERATOR,      /* an operator record contradicts its tensors */
    SF_UNSUPPORTED,       /* a valid combination that this core has no kernel for */
    SF_TOO_LARGE,         /* sizes beyond what this core, or this machine's address space, can hold */
    SF_BAD_PLAN,          /* a training plan contradicts itself */
    SF_PLAN_MISMATCH,     /* a training plan was made for another program */
    SF_SCRATCH_TOO_SMALL, /* fewer scratch bytes than sf_scratch_bytes() asks for */
    SF_BAD_LABEL,         /* a label is not in 0 .. classes-1 */
    SF_BAD_ARGUMENT,      /* a null pointer or a number out of range */
    SF_SINK_FAILED,       /* the journal's sink refused a record */
    SF_NO_THREAD,         /* the operating system gave no lock for threads */
    SF_UNKNOWN            /* the file needs a feature or a section that this code does not know */
} sf_status;

/* One English phrase for a status; never NULL. */
const char* sf_status_text(sf_status status);

/* SF_INTERFACE of the header that the core was compiled with. */
uint32_t sf_interface(void);

/* --------------------------------------------------------------------------------------------------- program */

enum { SF_S8 = 0, SF_S16 = 1, SF_S4 = 2, SF_S32 = 3 };

/* One tensor record, as it lies in the file. */
typedef struct sf_tensor {
    int32_t dtype;
    int32_t rank;
    int32_t dims[SF_MAX_RANK];
    int32_t zero_point;
    int32_t offset;
    int32_t bytes;
    int32_t elements;
    int32_t channel_rule;
    int32_t channel_divisor;
    int32_t flags; /* SF_FROZEN or 0 */
    int32_t base;  /* -1 */
} sf_tensor;

enum { SF_FROZEN = 4 }; /* a parameter that no plan may train */

/* One operator record, as it lies in the file. Its inputs, outputs (one), (mult, shift) pairs and attributes are ranges
 * of the constants. */
typedef struct sf_op {
    int32_t kind;
    int32_t flags; /* how it rounds (docs/arithmetic.md, section 2) */
    int32_t inputs_first;
    int32_t input_count;
    int32_t outputs_first;
    int32_t output_count;
    int32_t weight;
    int32_t bias;
    int32_t rescale_first;
    int32_t rescale_count;
    int32_t lo;
    int32_t hi;
    int32_t attributes_first;
    int32_t attribute_count;
    int32_t tables; /* of a lookup: its first constant; else -1 */
    int32_t work;   /* devices: where working memory may begin, in bytes of one sample's arena; 0: after the arena */
} sf_op;

/* An opened program: pointers into the file plus the header's numbers. Read it, do not write it. */
typedef struct sf_program {
    const uint8_t* file;
    const sf_tensor* tensors;
    const sf_op* ops;
    const int32_t* constants;
    uint32_t file_bytes;
    uint32_t tensor_count;
    uint32_t op_count;
    uint32_t constant_count;
    uint32_t parameter_count;
    uint32_t weights_offset;
    uint32_t weights_bytes; /* of the whole weights section */
    uint32_t metadata_offset;
    uint32_t metadata_bytes;
    uint32_t input;
    uint32_t output;
    uint32_t arena_bytes; /* activations of one sample */
    uint32_t cut;         /* leading operators that no perturbation touches */
    uint32_t classes;     /* elements of the output tensor */
    uint32_t input_bytes; /* bytes of one sample: s8, or s16 at an even address */
    uint32_t unknown;     /* 0, or after SF_UNKNOWN the lowest bit of the features that this code does not know */
} sf_program;

/* Parse and check a .sfp file in place. Every index, offset and shape is checked here, so that nothing a file contains
 * can make a later call read or write outside the caller's buffers.
 * file: 4-byte aligned, stays readable and unchanged as long as the program is used. bytes: at least the file's size.
 */
sf_status sf_program_open(sf_program* program, const void* file, size_t bytes);

/* The weights section inside the file: program->weights_bytes bytes. */
const void* sf_program_weights(const sf_program* program);

/* ---------------------------------------------------------------------------------------------- training plan */

enum { SF_CROSS_ENTROPY = 1 };
enum { SF_NORMAL = 0, SF_RADEMACHER = 1, SF_BINOMIAL = 2 };
enum { SF_EXACT = 0, SF_PAPER = 1 };
enum { SF_NEAREST = 0, SF_FLOOR = 1, SF_STOCHASTIC = 2 };
enum { SF_CONSTANT = 0, SF_LINEAR = 1, SF_COSINE = 2 };
enum { SF_SIGN = 0, SF_GRADED = 1, SF_CURVED = 2 };

/* One trainable tensor record, as it lies in the file. */
typedef struct sf_trainable {
    uint32_t tensor;
    uint32_t scaler_first;
    uint32_t scaler_count;
    uint32_t element_first; /* how many trainable elements lie in the tensors before it */
} sf_trainable;

/* One scaler record, as it lies in the file. */
typedef struct sf_scaler {
    uint32_t perturb_mult; /* eps_q when the perturbation is the paper's */
    uint32_t perturb_shift;
    uint32_t update_mult;
    uint32_t update_shift;
} sf_scaler;

/* One mask record, as it lies in the file: which elements of a trainable tensor votes move. */
typedef struct sf_mask {
    uint32_t trainable; /* its index in the plan */
    uint32_t form;      /* 1 random, 2 by the size of the base weight, 3 bits */
    uint32_t first;     /* of its words */
    uint32_t count;
} sf_mask;

/* An opened training plan. Read it, do not write it. */
typedef struct sf_plan {
    const sf_trainable* trainables;
    const sf_scaler* scalers;
    uint64_t seed;
    uint32_t trainable_count;
    uint32_t scaler_count;
    uint32_t directions;
    uint32_t distribution;
    uint32_t perturbation;
    uint32_t rounding;
    uint32_t beta;
    uint32_t fraction_bits;
    uint32_t schedule;
    uint32_t steps;
    uint32_t warmup;
    uint32_t first_step; /* at which the schedule begins */
    uint32_t first_op;
    uint32_t delta_mult;
    uint32_t delta_shift;
    uint32_t share_batch; /* 1: each direction is tried on its own share of the batch */
    uint32_t elements;    /* of all trainable tensors */
    uint32_t objective;   /* SF_CROSS_ENTROPY */
    uint32_t loss_mult;   /* of the objective, at its temperature */
    uint32_t loss_shift;
    uint32_t weights_bytes;  /* size of the weights buffer a caller provides: the trainable tensors alone */
    uint32_t state_bytes;    /* size of the state buffer a caller provides: what a step leaves for the next one, zero
                                before the first; 0 where nothing needs one */
    uint32_t momentum_first; /* byte of the state where momentum begins, an int16 for each element that votes move */
    uint32_t momentum_bytes;
    const uint32_t* weight_fractions; /* of each trainable tensor, the bits below its weights: 0, 2, 4 or 8; or NULL */
    uint32_t fractions_first;         /* byte of the state where they begin, whole bytes for each tensor */
    uint32_t fractions_bytes;
    uint32_t accumulate; /* steps whose votes move the weights together; 0 and 1: every step moves them */
    uint32_t held_first; /* byte of the state where the votes of such steps are held, accumulate * directions of them */
    uint32_t held_bytes;
    uint32_t votes;       /* SF_SIGN, SF_GRADED or SF_CURVED */
    uint32_t scale_first; /* byte of the state where a little-endian uint64 is that graded votes are measured by */
    uint32_t scale_bytes;
    uint32_t voted_count; /* trainable tensors that votes move; those after them are the tail's, which moves by its
                             exact gradient */
    uint32_t tail_op;     /* its operator, the last one */
    uint32_t tail_bits;   /* fraction bits of an error */
    uint32_t tail_inputs; /* its inputs, if its weights move */
    uint32_t tail_first;  /* byte of the state where its sums begin */
    uint32_t tail_bytes;
    uint32_t before_count; /* of the tail's tensors, those of the layer before it, which come first; 0: votes move it */
    uint32_t before_op;    /* its operator */
    uint32_t before_bits;  /* of an error at its outputs */
    uint32_t before_shift; /* that brings errors there */
    uint32_t guide_share;  /* of what guides a direction, Q15; 0: directions are as they are drawn */
    uint32_t drawn_share;
    uint32_t guide_first; /* byte of the state where the guide begins, an int8 for each element that votes move */
    uint32_t guide_bytes;
    uint32_t sharpness;     /* steps of epsilon uphill before the directions are tried, 0 .. 127 */
    uint32_t decay;         /* of the mean squares that Adam divides by, 1 .. 16; 0: moves are not divided */
    uint32_t squares_first; /* byte of the state where they begin, a uint32 for each element that votes move */
    uint32_t squares_bytes;
    uint32_t curve_mult; /* of curved votes: what a logit's step is, in shares of epsilon */
    uint32_t curve_shift;
    uint32_t curve_classes;
    uint32_t curve_first; /* byte of the state where they add up */
    uint32_t curve_bytes;
    const sf_mask* masks; /* of each tensor that votes move, or NULL: all of it moves */
    const uint32_t* mask_words;
    uint32_t mask_count;
    uint32_t mask_word_count;
    const uint32_t*
        sites; /* words of the operators that are matched, as they lie in the file; NULL: a plan that trains */
    uint32_t site_count;
    uint32_t match_window;  /* samples after which sums are halved */
    uint32_t match_prior;   /* samples of the reference among those that were seen */
    uint32_t match_slight;  /* how far statistics may be without being corrected, 2^8: what is usual */
    uint32_t match_plain;   /* how far they are where all is corrected */
    uint32_t match_caution; /* as many samples count half */
    uint32_t match_first;   /* byte of the state where the samples begin, then each site's sums and constants */
    uint32_t match_bytes;
    uint32_t unknown; /* 0, or after SF_UNKNOWN the section that this code does not know */
} sf_plan;

/* Parse and check a .sft file in place, against the program it was made for.
 * file: 4-byte aligned, stays readable and unchanged as long as the plan is used. */
sf_status sf_plan_open(sf_plan* plan, const sf_program* program, const void* file, size_t bytes);

/* Weights: what the calls below take as `weights` depends on what they take as `plan`.
 *
 * - With a plan, `weights` holds the tensors that it trains and nothing else: plan->weights_bytes of RAM, 4-byte
 * aligned, the tensors in the plan's order, each beginning at a multiple of 4. All others are read where they are: in
 * the program's file, which may be flash.
 * - Without a plan (NULL), `weights` is a whole weights section: that of the file, sf_program_weights(), or a copy of
 * it. */

/* Fill `weights` with the trained tensors as they are in the program's file, to start from. */
void sf_plan_weights(const sf_plan* plan, const sf_program* program, void* weights);

/* ----------------------------------------------------------------------------------------------- forward passes */

/* Working memory of one caller (or one thread): holds no state between calls. Results depend on none of its fields. */
typedef struct sf_scratch {
    void* memory;      /* 8-byte aligned; 64 bytes are faster on a host */
    size_t bytes;      /* at least sf_scratch_bytes(program, block, row_tile) */
    uint32_t block;    /* samples run together; 1 on a device */
    uint32_t row_tile; /* rows of weights staged together: SF_DEVICE_ROWS, or a multiple of 16 */
} sf_scratch;

/* Add sign * eps * z(plan seed, step, direction) to the trainable weights, and ascent * eps * z(.., SF_ASCENT), the
 * move uphill of a sharpness-aware step. sign is +1, -1 or 0; ascent -127 .. 127. Both 0 leave them as they are. */
typedef struct sf_perturbation {
    uint32_t step;
    uint32_t direction;
    int32_t sign;
    int32_t ascent;
} sf_perturbation;

/* Bytes of working memory for every call below. More bytes make a device faster where it would otherwise stage weights
 * in pieces; they change no result. 0 when block or row_tile is not allowed, the activations of a block take 2 GiB or
 * more, or the sum does not fit into size_t. */
size_t sf_scratch_bytes(const sf_program* program, uint32_t block, uint32_t row_tile);

/* Bytes with which sf_logits() is content on a device (row_tile SF_DEVICE_ROWS): without room for weights of 16 bits,
 * which it reads in place. */
size_t sf_inference_bytes(const sf_program* program, uint32_t block);

/* Run operators first .. last-1 on n <= scratch->block samples.
 * plan and perturbation may be NULL: plain weights. state: plan->state_bytes, as steps leave it; NULL where there are
 * none. x: n * input_bytes. Activations stay in scratch->memory. */
sf_status sf_forward(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                     const sf_scratch* scratch, const int8_t* x, uint32_t n, uint32_t first, uint32_t last,
                     const sf_perturbation* perturbation);

/* Integer logits of n samples (any number): logits[n * classes]. */
sf_status sf_logits(const sf_program* program, const sf_plan* plan, const void* weights, const sf_scratch* scratch,
                    const int8_t* x, uint32_t n, int32_t* logits);

/* Summed loss of n samples under each of `count` perturbations: losses[count], in 2^-16 bit. Operators before
 * program->cut run once per block. state as above. labels[n] in 0 .. classes-1. The loss is the plan's objective. */
sf_status sf_losses(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                    const sf_scratch* scratch, const int8_t* x, const int32_t* labels, uint32_t n,
                    const sf_perturbation* perturbations, uint32_t count, int64_t* losses);

/* Integer cross-entropy of one sample: logits[classes], the loss multiplier and shift of a plan. */
int64_t sf_cross_entropy(const int32_t* logits, uint32_t classes, uint32_t label, uint32_t mult, uint32_t shift);

/* -------------------------------------------------------------------------------------------------- directions */

/* Philox4x32-10. */
void sf_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4]);

/* z for elements first .. first+count-1 of one parameter tensor, into z[count]. */
void sf_directions(uint32_t distribution, uint64_t seed, uint32_t step, uint32_t direction, uint32_t tensor,
                   uint32_t first, uint32_t count, int8_t* z);

/* The uniform half-words under the same elements (stochastic rounding uses direction 0xFFFFFFFF), into u[count]. */
void sf_halfwords(uint64_t seed, uint32_t step, uint32_t direction, uint32_t tensor, uint32_t first, uint32_t count,
                  uint16_t* u);

/* ------------------------------------------------------------------------------------------------------ update */

/* Learning-rate schedule in Q15 (0 .. 32768) at one step. */
uint32_t sf_rate(const sf_plan* plan, uint32_t step);

/* The votes of one step, votes[plan->directions], signs or graded, from its losses on either side of each direction, +
 * before -: losses[2 * plan->directions]. state as below; the scale of graded votes moves. */
sf_status sf_votes(const sf_plan* plan, void* state, const int64_t* losses, int8_t* votes);

/* Move the trainable weights by one step: votes[plan->directions].
 * state: plan->state_bytes, 4-byte aligned, zero before the first step; NULL when there are none. */
sf_status sf_update(const sf_program* program, const sf_plan* plan, void* weights, void* state, uint32_t step,
                    const int8_t* votes);

/* ---------------------------------------------------------------------------------------------------- matching */

/* A plan that matches (docs/arithmetic.md, section 12) moves no weights: while the network is used, without labels, the
 * requantizers of its sites follow what is seen.
 *
 *     // state: plan.state_bytes zeros, 4-byte aligned; zeros again are a reset
 *     // bytes: sf_match_bytes(&program)
 *     sf_scratch scratch = {memory, bytes, 1, SF_DEVICE_ROWS};
 *     for (;;) {
 *         sf_match_logits(&program, &plan, state, &scratch, sample, 1, 1, logits);
 *         sf_match_refresh(&program, &plan, state);   // after each sample, or now and then
 *     }
 */

/* Bytes of working memory for sf_match_logits: those of sf_inference_bytes(), and the sums of the rows at work. */
size_t sf_match_bytes(const sf_program* program);

/* Integer logits of n samples (any number) with the present constants: logits[n * classes]. counted: 1, every sample
 * adds to the sums; 0, the state stays as it is. scratch: block 1, row_tile SF_DEVICE_ROWS. */
sf_status sf_match_logits(const sf_program* program, const sf_plan* plan, void* state, const sf_scratch* scratch,
                          const int8_t* x, uint32_t n, uint32_t counted, int32_t* logits);

/* The constants that the sums lead to become the present ones. */
sf_status sf_match_refresh(const sf_program* program, const sf_plan* plan, void* state);

/* ----------------------------------------------------------------------------------------------------- journal */

/* Receives whole pieces of a journal file, in order. Returns 0 when the bytes are kept, anything else to stop. */
typedef int (*sf_sink)(void* context, const void* bytes, size_t count);

/* A journal writer. Fill it with sf_journal_open(). */
typedef struct sf_journal {
    sf_sink sink;
    void* context;
    uint8_t* buffer;
    uint64_t scale; /* of graded votes, after the last step held */
    uint32_t check;
    uint32_t directions;
    uint32_t steps_per_record;
    uint32_t steps_held;
} sf_journal;

/* Bytes of the buffer a journal needs. steps_per_record: 1 .. 255; a step is lost with power at most that late. */
size_t sf_journal_buffer_bytes(uint32_t directions, uint32_t steps_per_record);

/* Begin a journal: writes the header with the caller's settings (canonical JSON, docs/file-formats.md, section 3). */
sf_status sf_journal_open(sf_journal* journal, uint32_t directions, uint32_t steps_per_record, void* buffer,
                          const void* settings, uint32_t settings_bytes, sf_sink sink, void* context);

/* Continue a journal after its last complete record, without a header: the way back after power was lost.
 * check: what that record ends with. Walk the file from its start (docs/file-formats.md, section 3): the header ends
 * with sf_crc32(0, header), and every record with sf_crc32(the check before it, the record without its own four bytes).
 * The first record that is cut short or does not end with that number, and all after it, never happened: cut the file
 * there, pass the check before it, apply the votes of the records that are left with sf_update(), step by step, and set
 * trainer.step to their number. Graded votes: copy the scale, the last 8 bytes of the last record of votes, to its
 * place in the state. */
sf_status sf_journal_resume(sf_journal* journal, uint32_t directions, uint32_t steps_per_record, void* buffer,
                            uint32_t check, sf_sink sink, void* context);

/* Keep the votes of one step; writes a record when steps_per_record are held. scale: of graded votes after the step, 0
 * for others. */
sf_status sf_journal_votes(sf_journal* journal, const int8_t* votes, uint64_t scale);

/* Write what is held. */
sf_status sf_journal_flush(sf_journal* journal);

/* Flush, then record a validation after the steps so far. */
sf_status sf_journal_evaluation(sf_journal* journal, uint32_t correct, int64_t loss);

/* Flush, then record the parameters that the plan's tail has in `weights` and `state`, which are those after `step`
 * steps: no vote says how they moved. Before the end, those that are kept. Several sink calls: if one fails, cut the
 * file after its last complete record. To be able to resume before the end, flush, and write the record through a copy
 * of `*journal` with a sink to another place, where the next one may replace it: the journal does not grow. */
sf_status sf_journal_tail(sf_journal* journal, const sf_program* program, const sf_plan* plan, const void* weights,
                          const void* state, uint32_t step);

/* Flush, then record the present constants of every site that has others than the base (a plan that matches): a
 * snapshot, from which a host makes the matched model. Once, before any votes; several sink calls, as above. */
sf_status sf_journal_matching(sf_journal* journal, const sf_program* program, const sf_plan* plan, const void* state);

/* Flush, then record the end: the step whose weights were kept, and why the run stopped (0 all steps, 1 early stop). */
sf_status sf_journal_end(sf_journal* journal, uint32_t kept_step, uint8_t reason);

/* -------------------------------------------------------------------------------------------------------- step */

/* Everything a training loop holds. The caller fills it once; step counts up by itself. */
typedef struct sf_trainer {
    const sf_program* program;
    const sf_plan* plan;
    void* weights; /* plan->weights_bytes, 4-byte aligned */
    void* state;   /* plan->state_bytes, 4-byte aligned, or NULL */
    sf_scratch scratch;
    sf_journal* journal; /* or NULL */
    uint32_t step;
    int8_t votes[SF_MAX_DIRECTIONS + 1]; /* of the last step */
} sf_trainer;

/* One whole step on n samples: for each direction two forward passes over the samples, or over its share of them, and
 * one vote; then the update and the journal. The journal is written first: a step that is not in the journal did not
 * happen, and on SF_SINK_FAILED the weights are as they were. */
sf_status sf_train_step(sf_trainer* trainer, const int8_t* x, const int32_t* labels, uint32_t n);

/* ---------------------------------------------------------------------------------------------------- checksums */

/* CRC-32 (IEEE 802.3) of bytes, continuing from `check` (0 to start). */
uint32_t sf_crc32(uint32_t check, const void* bytes, size_t count);

/* SHA-256 of bytes, e.g. of the weights section. */
void sf_sha256(const void* bytes, size_t count, uint8_t digest[SF_SHA256_BYTES]);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
