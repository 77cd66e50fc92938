/* Packed weights of a whole program, for hosts: which operators have any, where they lie, and packing them piece by piece. */
#include "base/guard.h"
#include "base/pass.h"
#include "operators/operator.h"
#include "operators/packing.h"
#include "stepforward.h"

static sf_packing packing_of(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_packing none = {0, 0};
    const sf_packable* packable = sf_operator_of(op->kind)->packable;
    return packable != NULL ? packable->packing(kernels, program, op, row_tile) : none;
}

uint64_t sf_packed_bytes(const sf_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first, uint32_t last)
{
    uint64_t bytes = 0;
    for (uint32_t i = first; i < last; i++) {
        const sf_packing p = packing_of(kernels, program, program->ops + i, row_tile);
        bytes += p.tiles * p.tile_bytes;
    }
    return bytes;
}

uint32_t sf_packed_tiles(const sf_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t first, uint32_t last)
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

static sf_call make_call(const sf_pass* pass, const sf_op* op, const sf_scratch* scratch, void* work, size_t at)
{
    sf_call call = {0};
    call.pass = pass;
    call.op = op;
    call.in = pass->program->tensors + op->inputs[0];
    call.out = pass->program->tensors + op->output;
    call.work = work;
    call.packed = pass->packed + at;
    call.row_tile = scratch->row_tile;
    return call;
}

static int are_twins(const sf_pass* a, const sf_pass* b)
{
    const sf_perturbation *p = a->perturbation, *q = b->perturbation;
    return p != NULL && q != NULL && p->step == q->step && p->direction == q->direction && p->sign == -q->sign && p->sign != 0;
}

/* Walk to the operator of a tile. */
static void find(const sf_kernels* kernels, const sf_program* program, uint32_t row_tile, uint32_t tile, sf_place* place)
{
    while (tile < place->tiles) {
        const sf_packing p = packing_of(kernels, program, program->ops + --place->op, row_tile);
        place->tiles -= p.tiles;
        place->bytes -= (size_t)(p.tiles * p.tile_bytes);
    }
    for (;; place->op++) {
        const sf_packing p = packing_of(kernels, program, program->ops + place->op, row_tile);
        if (tile - place->tiles < p.tiles)
            return;
        place->tiles += p.tiles;
        place->bytes += (size_t)(p.tiles * p.tile_bytes);
    }
}

void sf_pack_tile(const sf_pass* passes, const uint32_t* kept, uint32_t count, uint32_t tile, sf_place* place, const sf_scratch* scratch,
                  void* work)
{
    find(passes[0].kernels, passes[0].program, scratch->row_tile, tile, place);
    const sf_op* op = passes[0].program->ops + place->op;
    const int words_frozen = is_frozen(passes[0].plan, op->weight), all_frozen = words_frozen && is_frozen(passes[0].plan, op->bias);
    for (uint32_t j = 0; j < count; j++) {
        /* twins always go together: packing one alone would not keep z */
        const uint32_t pair = j + 1 < count && are_twins(passes + j, passes + j + 1), are_kept = kept[j] && kept[j + pair];
        sf_call call = make_call(passes + j, op, scratch, work, place->bytes);
        call.words_kept = words_frozen && are_kept;
        if (!(all_frozen && are_kept)) {
            const sf_call twin = make_call(passes + j + pair, op, scratch, work, place->bytes);
            sf_operator_of(op->kind)->packable->pack(&call, pair ? &twin : NULL, tile - place->tiles);
            sf_allow(scratch->memory, scratch->bytes);
        }
        j += pair;
    }
}
