/* Whether a plan's exact tail is one that its program can have. */
#ifndef SFI_TAIL_FITS_H
#define SFI_TAIL_FITS_H

#include "stepforward.h"

/* For a plan whose other words are checked; without a tail it fits. */
int sfi_tail_fits(const sf_plan* plan, const sf_program* program);

#endif
