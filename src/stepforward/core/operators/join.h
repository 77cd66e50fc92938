/* Joining two tensors element by element. A dimension of either may be 1: then its only part meets all of the other's.
 */
#ifndef SFI_JOIN_H
#define SFI_JOIN_H

#include "base/pass.h"
#include "stepforward.h"

/* Joins `count` elements of either input, which lie one after the other, to call->y. */
typedef void (*sfi_joining)(const sfi_call* call, const int8_t* a, const int8_t* b, size_t count);

/* All elements, by as few calls of `join` as their order allows: one, where the shapes are equal. */
void sfi_join(const sfi_call* call, sfi_joining join);

/* Whether both inputs and the output have such shapes. */
int sfi_joins(const sf_program* program, const sf_op* op);

#endif
