/* The ways that operators with weights go: on devices, and on hosts. What a host's way does not take goes that of devices. */
#ifndef SF_WAYS_H
#define SF_WAYS_H

#include "base/pass.h"
#include "stepforward.h"

/* Devices. Bytes of working memory that these need at least; they are faster with more. plain: weights are never perturbed, so that those of
 * 16 bits are read where they lie. */
void sf_conv_device(const sf_call* call);
void sf_depthwise_device(const sf_call* call);
void sf_fully_connected_device(const sf_call* call);
uint64_t sf_conv_device_bytes(const sf_program* program, const sf_op* op, int plain);
uint64_t sf_depthwise_device_bytes(const sf_program* program, const sf_op* op, int plain);
uint64_t sf_fully_connected_device_bytes(const sf_program* program, const sf_op* op, int plain);

/* Hosts: working memory, packed memory, packing one tile into call->packed, and running. A call without packed memory packs
 * on the way. twin: NULL, or the same call for the probe of opposite sign, which draws no z of its own. */
uint64_t sf_conv_host_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
sf_packing sf_conv_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
void sf_conv_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile);
void sf_conv_host(const sf_call* call);
uint64_t sf_fully_connected_host_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
sf_packing sf_fully_connected_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
void sf_fully_connected_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile);
void sf_fully_connected_host(const sf_call* call);
uint64_t sf_depthwise_host_bytes(const sf_program* program, const sf_op* op, uint32_t row_tile);
sf_packing sf_depthwise_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
void sf_depthwise_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile);
int sf_depthwise_host(const sf_call* call); /* 0, with nothing done: not this way */

#endif
