/* Which kernels this machine gets. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/choose.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/neon/neon.h"
#include "multiply/host/plain/plain.h"
#include "multiply/max_line.h"
#include "random/draw.h"

sf_kernels sf_choose(int level)
{
    sf_kernels k = {0};
    k.dot = sf_block_dot;
    k.window = sf_block_window;
    k.bytes = sf_block_bytes;
    k.row = sf_winograd_row;
    k.picture = sf_winograd_picture;
    k.rows = sf_rows_each;
    k.interleave = sf_interleave;
    k.add = sf_sum_s8;
    k.sums = sf_sums;
    k.twins = sf_twins;
    k.max_line = sf_max_line_any;
#if SF_X86
    if (level >= SF_HOST_AVX2 && __builtin_cpu_supports("avx2")) {
        k.dot = sf_block_dot_avx2;
        k.bytes = NULL; /* VPMADDUBSW saturates */
        k.window = sf_block_window_avx2;
        k.grid_dot = sf_grid_dot_avx2;
        k.grid_window = sf_grid_window_avx2;
        k.row = sf_winograd_row_avx2;
        k.picture = sf_winograd_picture_avx2;
        k.winograd = sf_winograd_avx2;
        k.interleave = sf_interleave_avx2;
        k.max_line = sf_max_line_avx2;
        sf_directions_avx2(&k.draw);
    }
    if (level >= SF_HOST_VNNI && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl")) {
        k.dot = sf_block_dot_vnni;
        k.bytes = sf_block_bytes_vnni;
        k.byte_flip = 128;
        k.grid_bytes = sf_grid_bytes_vnni;
        k.window = sf_block_window_vnni;
        k.grid_dot = sf_grid_dot_vnni;
        k.grid_window = sf_grid_window_vnni;
        k.grid_few = sf_grid_few_vnni;
        k.picture = sf_winograd_picture_avx512;
        k.winograd = sf_winograd_vnni;
        k.rows = sf_rows_avx512;
        k.interleave = sf_interleave_avx512;
        k.add = sf_sum_vnni;
        k.sums = sf_sums_vnni;
        k.twins = sf_twins_avx512;
        k.moves = sf_moves_avx512;
    }
    if (level >= SF_HOST_VNNI && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw"))
        sf_directions_avx512(&k.draw);
#elif SF_NEON
    if (level > SF_HOST_PLAIN) {
        k.dot = sf_block_dot_neon;
        k.bytes = sf_has_dot_neon() ? sf_block_bytes_neon : NULL;
        k.window = sf_block_window_neon;
        sf_directions_neon(&k.draw);
    }
#else
    (void)level;
#endif
    return k;
}
