/* The kernels for NEON. */
#ifndef SF_NEON_H
#define SF_NEON_H

#include "base/machine.h"
#include "multiply/host/block.h"

#if SF_NEON
void sf_block_dot_neon(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
int sf_has_dot_neon(void); /* SDOT, from Armv8.2 on */
void sf_block_bytes_neon(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_window_neon(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
#endif

#endif
