/* Which kernels this machine gets. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/choose.h"
#include "multiply/host/amx/amx.h"
#include "multiply/host/amx/tiles.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/neon/neon.h"
#include "multiply/host/plain/plain.h"
#include "multiply/max_line.h"
#include "random/draw.h"

/* How much of a machine this build uses; tests build this file alone with less. */
#if !defined(SF_HOST_LEVEL)
#define SF_HOST_LEVEL SF_HOST_BEST
#endif

sfi_kernels sfi_choose(void) { return sfi_choose_up_to(SF_HOST_LEVEL); }

sfi_kernels sfi_choose_up_to(int level)
{
    sfi_kernels k = {0};
    k.dot = sfi_block_dot;
    k.window = sfi_block_window;
    k.bytes = sfi_block_bytes;
    k.row = sfi_winograd_row;
    k.band = sfi_winograd_band;
    k.rows = sfi_rows_each;
    k.interleave = sfi_interleave;
    k.add = sfi_sum_s8;
    k.sums = sfi_sums;
    k.twins = sfi_twins;
    k.max_line = sfi_max_line_any;
    k.look_up = sfi_look_up;
    k.norm = sfi_norm_row;
    k.powers = sfi_powers;
    k.quotients = sfi_quotients;
#if SFI_X86
    if (level >= SF_HOST_AVX2 && __builtin_cpu_supports("avx2")) {
        k.dot = sfi_block_dot_avx2;
        k.bytes = NULL; /* VPMADDUBSW saturates */
        k.window = sfi_block_window_avx2;
        k.grid_dot = sfi_grid_dot_avx2;
        k.grid_window = sfi_grid_window_avx2;
        k.row = sfi_winograd_row_avx2;
        k.band = sfi_winograd_band_avx2;
        k.winograd = sfi_winograd_avx2;
        k.large_row = sfi_large_row_avx2;
        k.large_band = sfi_large_band_avx2;
        k.large = sfi_large_avx2;
        k.large_sums = sfi_large_sums_avx2;
        k.interleave = sfi_interleave_avx2;
        k.add = sfi_sum_avx2;
        k.max_line = sfi_max_line_avx2;
        k.open_tile = sfi_open_tile_avx2;
        sfi_directions_avx2(&k.draw);
    }
    if (level >= SF_HOST_VNNI && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl")) {
        k.dot = sfi_block_dot_vnni;
        k.bytes = sfi_block_bytes_vnni;
        k.byte_flip = 128;
        k.grid_bytes = sfi_grid_bytes_vnni;
        k.window = sfi_block_window_vnni;
        k.grid_dot = sfi_grid_dot_vnni;
        k.grid_window = sfi_grid_window_vnni;
        k.grid_few = sfi_grid_few_vnni;
        k.band = sfi_winograd_band_avx512;
        k.winograd = sfi_winograd_vnni;
        k.rows = sfi_rows_avx512;
        k.interleave = sfi_interleave_avx512;
        k.add = sfi_sum_vnni;
        k.sums = sfi_sums_vnni;
        k.twins = sfi_twins_avx512;
        k.moves = sfi_moves_avx512;
        k.norm = sfi_norm_row_avx512;
        k.quotients = sfi_quotients_avx512;
    }
    if (level >= SF_HOST_VNNI && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) {
        sfi_directions_avx512(&k.draw);
        k.look_up = sfi_look_up_vbmi;
        k.powers = sfi_powers_vbmi;
    }
    if (level >= SF_HOST_AMX && k.grid_bytes == sfi_grid_bytes_vnni && sfi_has_tiles()) {
        k.begin = sfi_shapes_load_amx;
        k.end = sfi_shapes_release_amx;
        k.grid_bytes = sfi_grid_bytes_amx;
        k.split = sfi_block_split_amx;
        k.grid_split = sfi_grid_split_amx;
    }
#elif SFI_NEON
    if (level > SF_HOST_PLAIN) {
        k.dot = sfi_block_dot_neon;
        k.bytes = sfi_has_dot_neon() ? sfi_block_bytes_neon : NULL;
        k.window = sfi_block_window_neon;
        sfi_directions_neon(&k.draw);
    }
#else
    (void)level;
#endif
    return k;
}
