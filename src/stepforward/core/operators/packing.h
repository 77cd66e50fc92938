/* Packed weights of a program's operators, on hosts. */
#ifndef SFI_PACKING_H
#define SFI_PACKING_H

#include "base/pass.h"
#include "stepforward.h"

/* Packed weights of operators first .. last-1. */
uint64_t sfi_packed_bytes(const sfi_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first,
                          uint32_t last);
uint32_t sfi_packed_tiles(const sfi_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first,
                          uint32_t last);

/* An operator with packed weights, and how many tiles and bytes those before it have. */
typedef struct sfi_place {
    uint32_t op, tiles;
    size_t bytes;
} sfi_place;

/* Pack one tile of operators place->op .. for each of some passes, at passes[i].packed, and leave in *place the
 * operator that it belongs to, from where the next one is not far. Where kept[i] says that the tiles there were packed
 * before, what the plan does not move is left as it is. Any number of threads may pack different tiles. */
void sfi_pack_tile(const sfi_pass* passes, const uint32_t* kept, uint32_t count, uint32_t tile, sfi_place* place,
                   const sf_scratch* scratch, void* work);

#endif
