/* The kernels for NEON. */
#ifndef SFI_NEON_H
#define SFI_NEON_H

#include "base/machine.h"
#include "multiply/host/block.h"

#if SFI_NEON
void sfi_block_dot_neon(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                        size_t acc_stride);
int sfi_has_dot_neon(void); /* SDOT, from Armv8.2 on */
void sfi_block_bytes_neon(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                          size_t acc_stride);
void sfi_block_window_neon(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                           size_t acc_stride);
#endif

#endif
