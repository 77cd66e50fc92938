/* Weights on their way into a kernel: widened, and perturbed where the plan trains them (contract, section 7). */
#ifndef SFI_STAGE_H
#define SFI_STAGE_H

#include "base/fractions.h"
#include "base/machine.h"
#include "base/pass.h"
#include "stepforward.h"

/* delta = (z*mult + half) >> shift stays in 32 bits: |z*mult| < 2^23, so every shift from 24 up gives 0 like 24 does.
 */
SFI_INLINE int32_t sfi_exact_delta(int32_t z, int32_t mult, int32_t half, int32_t shift)
{
    return (z * mult + half) >> shift;
}

/* A parameter of up to 16 bits, where it lies and how it is perturbed. Looked up once for all pieces of it. */
typedef struct sfi_source {
    const sfi_pass* pass;
    uint32_t tensor;
    const sf_trainable* entry; /* NULL: not perturbed */
    const uint8_t* data;
    sfi_fractions fractions;
} sfi_source;

sfi_source sfi_source_of(const sfi_pass* pass, uint32_t tensor);

/* Elements first .. first+count-1 of a parameter, widened and perturbed; count <= SFI_CHUNK where they are 16 bits. */
void sfi_stage_s16(const sfi_source* source, uint32_t first, uint32_t count, int16_t* out);
void sfi_stage_s32(const sfi_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int32_t* out);

/* The same for any count, on hosts; twin: NULL, or receives the elements perturbed the other way. */
void sfi_stage_twins_s16(const sfi_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int16_t* out,
                         int16_t* twin);
void sfi_stage_twins_s32(const sfi_pass* pass, uint32_t tensor, uint32_t first, uint32_t count, int32_t* out,
                         int32_t* twin);

/* Elements of a parameter of up to 16 bits, as they are stored. */
void sfi_widen_weights(const sf_tensor* t, const uint8_t* data, uint32_t first, uint32_t count, int16_t* out);

/* Where elements from `first` on lie, if they can be used as they are: of this type, and not perturbed. NULL otherwise.
 */
const int16_t* sfi_stored_s16(const sfi_pass* pass, uint32_t tensor, uint32_t first);
const int32_t* sfi_stored_s32(const sfi_pass* pass, uint32_t tensor, uint32_t first);

/* The scaler of element e, and in *run how many elements from e on (at most count) share it. */
const sf_scaler* sfi_scaler_at(const sf_plan* plan, const sf_trainable* entry, const sf_tensor* t, uint32_t e,
                               uint32_t count, uint32_t* run);

#endif
