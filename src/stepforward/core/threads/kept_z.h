/* z that packing leaves for the update. */
#ifndef SFI_KEPT_Z_H
#define SFI_KEPT_Z_H

#include "base/machine.h"
#include "stepforward.h"

/* Of one direction, of 16-bit weights; that of all kept directions lies before the packed weights. */
SFI_INLINE size_t sfi_kept_z_bytes(const sf_program* program)
{
    return (program->weights_bytes / 2 + 63) & ~(size_t)63;
}

#endif
