/* The ways that operators with weights go: on devices, and on hosts. What a host's way does not take goes that of
 * devices. */
#ifndef SFI_WAYS_H
#define SFI_WAYS_H

#include "base/pass.h"
#include "stepforward.h"

/* Devices. Bytes of working memory that these need at least; they are faster with more. plain: weights are never
 * perturbed, so that those of 16 bits are read where they lie. */
void sfi_conv_device(const sfi_call* call);
void sfi_depthwise_device(const sfi_call* call);
void sfi_fully_connected_device(const sfi_call* call);
uint64_t sfi_conv_device_bytes(const sf_program* program, const sf_op* op, int plain);
uint64_t sfi_depthwise_device_bytes(const sf_program* program, const sf_op* op, int plain);
uint64_t sfi_fully_connected_device_bytes(const sf_program* program, const sf_op* op, int plain);

/* Hosts: working memory, packed memory, packing one tile into call->packed, and running. A call without packed memory
 * packs on the way. twin: NULL, or the same call for the probe of opposite sign, which draws no z of its own. */
uint64_t sfi_conv_host_bytes(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
sfi_packing sfi_conv_host_packing(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                  uint32_t row_tile);
void sfi_conv_host_pack(const sfi_call* call, const sfi_call* twin, uint32_t tile);
void sfi_conv_host(const sfi_call* call);
uint64_t sfi_fully_connected_host_bytes(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                        uint32_t row_tile);
sfi_packing sfi_fully_connected_host_packing(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                             uint32_t row_tile);
void sfi_fully_connected_host_pack(const sfi_call* call, const sfi_call* twin, uint32_t tile);
void sfi_fully_connected_host(const sfi_call* call);
uint64_t sfi_depthwise_host_bytes(const sf_program* program, const sf_op* op, uint32_t row_tile);
sfi_packing sfi_depthwise_host_packing(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                       uint32_t row_tile);
void sfi_depthwise_host_pack(const sfi_call* call, const sfi_call* twin, uint32_t tile);
int sfi_depthwise_host(const sfi_call* call); /* 0, with nothing done: not this way */

#endif
