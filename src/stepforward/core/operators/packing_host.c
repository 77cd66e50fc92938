/* Packed weights of a whole program, for hosts: which operators have any, where they lie, and packing them piece by
 * piece. */
#include "base/guard.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/operator.h"
#include "operators/packing.h"
#include "stepforward.h"

static sfi_packing packing_of(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sfi_packing none = {0, 0};
    const sfi_packable* packable = sfi_operator_of(op->kind)->packable;
    return packable != NULL ? packable->packing(kernels, program, op, row_tile) : none;
}

uint64_t sfi_packed_bytes(const sfi_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first,
                          uint32_t last)
{
    uint64_t bytes = 0;
    for (uint32_t i = first; i < last; i++) {
        const sfi_packing p = packing_of(kernels, program, program->ops + i, row_tile);
        bytes += p.tiles * p.tile_bytes;
    }
    return bytes;
}

uint32_t sfi_packed_tiles(const sfi_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first,
                          uint32_t last)
{
    uint32_t tiles = 0;
    for (uint32_t i = first; i < last; i++)
        tiles += packing_of(kernels, program, program->ops + i, row_tile).tiles;
    return tiles;
}

static int is_frozen(const sf_plan* plan, int32_t tensor)
{
    for (uint32_t i = 0; plan != NULL && i < plan->trainable_count; i++)
        if ((int32_t)plan->trainables[i].tensor == tensor)
            return 0;
    return 1;
}

/* Whether an operator before this one reads the same weight. Only the first keeps z: threads that pack tiles of both
 * would write it to one place. */
static int is_read_before(const sf_program* program, uint32_t position)
{
    for (uint32_t i = 0; i < position; i++)
        if (program->ops[i].weight == program->ops[position].weight)
            return 1;
    return 0;
}

static sfi_call make_call(const sfi_pass* pass, const sf_op* op, const sf_scratch* scratch, void* work, size_t at)
{
    sfi_call call = {0};
    call.pass = pass;
    call.op = op;
    call.in = sfi_input(pass->program, op, 0);
    call.out = sfi_output(pass->program, op);
    call.work = work;
    call.packed = pass->packed + at;
    call.row_tile = scratch->row_tile;
    return call;
}

static int are_twins(const sfi_pass* a, const sfi_pass* b)
{
    const sf_perturbation *p = a->perturbation, *q = b->perturbation;
    return p != NULL && q != NULL && p->step == q->step && p->direction == q->direction && p->sign == -q->sign &&
           p->sign != 0 && p->ascent == q->ascent;
}

/* Walk to the operator of a tile. */
static void find(const sfi_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t tile,
                 sfi_place* place)
{
    while (tile < place->tiles) {
        const sfi_packing p = packing_of(kernels, program, program->ops + --place->op, row_tile);
        place->tiles -= p.tiles;
        place->bytes -= (size_t)(p.tiles * p.tile_bytes);
    }
    for (;; place->op++) {
        const sfi_packing p = packing_of(kernels, program, program->ops + place->op, row_tile);
        if (tile - place->tiles < p.tiles)
            return;
        place->tiles += p.tiles;
        place->bytes += (size_t)(p.tiles * p.tile_bytes);
    }
}

void sfi_pack_tile(const sfi_pass* passes, const uint32_t* kept, uint32_t count, uint32_t tile, sfi_place* place,
                   const sf_scratch* scratch, void* work)
{
    find(passes[0].kernels, passes[0].program, scratch->row_tile, tile, place);
    const sf_op* op = passes[0].program->ops + place->op;
    const int words_frozen = is_frozen(passes[0].plan, op->weight),
              all_frozen = words_frozen && is_frozen(passes[0].plan, op->bias),
              z_elsewhere = is_read_before(passes[0].program, place->op);
    for (uint32_t j = 0; j < count; j++) {
        /* twins always go together: packing one alone would not keep z */
        const uint32_t pair = j + 1 < count && are_twins(passes + j, passes + j + 1),
                       are_kept = kept[j] && kept[j + pair];
        sfi_pass pass = passes[j];
        pass.z = z_elsewhere ? NULL : pass.z;
        sfi_call call = make_call(&pass, op, scratch, work, place->bytes);
        call.words_kept = words_frozen && are_kept;
        if (!(all_frozen && are_kept)) {
            const sfi_call twin = make_call(passes + j + pair, op, scratch, work, place->bytes);
            sfi_operator_of(op->kind)->packable->pack(&call, pair ? &twin : NULL, tile - place->tiles);
            sfi_allow(scratch->memory, scratch->bytes);
        }
        j += pair;
    }
}
