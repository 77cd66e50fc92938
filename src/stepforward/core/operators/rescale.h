/* Rescaling, which concat does with each of its inputs. */
#ifndef SFI_RESCALE_H
#define SFI_RESCALE_H

#include "base/pass.h"

/* `count` elements, less zero_x and times a pair, to call->y from `at` on. */
void sfi_rescale_elements(const int8_t* x, size_t count, int32_t zero_x, const int32_t* pair, const sfi_call* call,
                          size_t at);

#endif
