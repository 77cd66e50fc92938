/* Blocks of samples through a program. */
#ifndef SFI_FORWARD_H
#define SFI_FORWARD_H

#include "base/pass.h"
#include "stepforward.h"
#include "train/tail.h"

/* A block of samples through operators first .. last-1; nothing is checked. pass->packed: of operator `first`. */
void sfi_run(const sfi_pass* pass, const sf_scratch* scratch, const int8_t* x, uint32_t n, uint32_t first,
             uint32_t last);

/* Working memory of the operators, after the activations. */
void* sfi_work(const sf_program* program, const sf_scratch* scratch);

/* Where packed weights lie: those of the operators before the cut, and of the others once per probe. All NULL: packed
 * on the way. */
typedef struct sfi_packed {
    uint8_t* prefix;
    uint8_t* suffix;
    size_t step; /* from one probe to the next */
} sfi_packed;

/* Where the logits of a block go, those of each perturbation `step` numbers after those of the one before it. */
typedef struct sfi_seen {
    int32_t* logits;
    size_t step;
} sfi_seen;

/* What sf_losses() and sf_logits() ask of their arguments besides the size of the scratch, and what they do with one
 * block. tail: NULL, or what its samples add to. seen: NULL, or where its logits go. */
sf_status sfi_check_losses(const sfi_pass* pass, const sf_scratch* scratch, const int8_t* x, const int32_t* labels,
                           uint32_t n, const int64_t* losses);
sf_status sfi_check_logits(const sfi_pass* pass, const sf_scratch* scratch, const int8_t* x, const int32_t* logits);
void sfi_block_losses(const sfi_pass* plain, const sf_scratch* scratch, const int8_t* x, const int32_t* labels,
                      uint32_t n, const sf_perturbation* perturbations, uint32_t count, const sfi_packed* packed,
                      sfi_tail* tail, int64_t* losses, const sfi_seen* seen);
void sfi_block_logits(const sfi_pass* plain, const sf_scratch* scratch, const int8_t* x, uint32_t n,
                      const sfi_packed* packed, int32_t* logits);

/* sf_losses(); the samples also add to the gradient of the plan's tail, if it has one. seen: NULL, or of one block. */
sf_status sfi_gather(const sf_program* program, const sf_plan* plan, const void* weights, void* state,
                     const sf_scratch* scratch, const int8_t* x, const int32_t* labels, uint32_t n,
                     const sf_perturbation* perturbations, uint32_t count, int64_t* losses, const sfi_seen* seen);

/* sf_scratch_bytes() with kernels that are chosen. */
size_t sfi_scratch_need(const sfi_kernels* kernels, const sf_program* program, uint32_t block, uint32_t row_tile);

#endif
