/* The shapes of tile registers: those of one operator are the same for all samples. To load shapes, and to release the
 * registers, takes as long as ten products. */
#include "base/machine.h"
#include "multiply/host/amx/amx.h"
#include "multiply/host/amx/tiles.h"

#if SFI_X86

/* Registers 0 .. 3 hold sums, 4 and 5 inputs and weights of a whole part of a segment, 6 and 7 of its rest. Where a
 * segment is less than a whole part, 4 and 5 hold weights as 7 does (columns_amx.c). */
#define WHOLE_X 4
#define WHOLE_W 5
#define REST_X 6
#define REST_W 7

void sfi_shapes_load_amx(uint32_t pairs)
{
    const uint32_t rest = pairs * 4 % SFI_TILE_BYTES;
    sfi_tile_shapes s;
    sfi_fill(&s, 0, sizeof s);
    s.palette = 1;
    for (uint32_t t = 0; t < 8; t++) {
        s.row_bytes[t] = SFI_TILE_BYTES;
        s.rows[t] = SFI_SIDE;
    }
    if (rest > 0) {
        s.row_bytes[REST_X] = (uint16_t)rest;
        s.rows[REST_W] = (uint8_t)(rest / 4);
        if (pairs * 4 < SFI_TILE_BYTES)
            s.rows[WHOLE_X] = s.rows[WHOLE_W] = s.rows[REST_W];
    }
    SFI_TILE_SHAPES(&s);
}

void sfi_shapes_release_amx(void) { SFI_TILE_RELEASE(); }

#endif
