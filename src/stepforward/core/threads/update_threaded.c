/* The update of the weights, shared out over threads in pieces of a tensor. */
#include "base/integers.h"
#include "base/pass.h"
#include "multiply/choose.h"
#include "stepforward.h"
#include "stepforward_host.h"
#include "threads/crew.h"
#include "threads/kept_z.h"
#include "train/tail.h"
#include "train/update.h"

/* Elements, a multiple of SFI_CHUNK. */
#if !defined(SF_UPDATE_UNIT)
#define SF_UPDATE_UNIT 4096u
#endif

typedef struct update {
    sfi_moving moving;
    uint32_t next; /* unit over all trainable tensors */
} update;

static uint32_t units_in(const sfi_moving* m, uint32_t entry)
{
    const uint32_t elements = (uint32_t)m->program->tensors[m->plan->trainables[entry].tensor].elements;
    return elements / SF_UPDATE_UNIT + (elements % SF_UPDATE_UNIT != 0);
}

static void move(void* shared, uint32_t index)
{
    update* u = (update*)shared;
    const sfi_moving* m = &u->moving;
    uint32_t entry = 0, before = 0; /* units of the entries in front of this one */
    (void)index;
    for (;;) {
        const uint32_t unit = __atomic_fetch_add(&u->next, 1, __ATOMIC_RELAXED);
        while (entry < m->plan->trainable_count && unit - before >= units_in(m, entry))
            before += units_in(m, entry++);
        if (entry == m->plan->trainable_count)
            return;
        const sf_trainable* t = m->plan->trainables + entry;
        const uint32_t elements = (uint32_t)m->program->tensors[t->tensor].elements,
                       first = (unit - before) * SF_UPDATE_UNIT;
        sfi_update_elements(m, t, first, sfi_min_u32(SF_UPDATE_UNIT, elements - first));
    }
}

sf_status sf_update_threaded(const sf_program* program, const sf_plan* plan, void* weights, void* state, uint32_t step,
                             const int8_t* votes, sf_crew* crew, const sf_packs* packs)
{
    const sfi_kernels kernels = sfi_choose();
    update u = {{&kernels, program, plan, weights, state, step, votes, step, {NULL, 0, 0}}, 0};
    const sf_status status = sfi_check_update(&u.moving);
    if (status == SF_OK && !sfi_hold_votes(&u.moving))
        return SF_OK;
    if (status == SF_OK && packs != NULL && packs->drawn > 0 && packs->drawn == 1 + step) {
        const sfi_drawn drawn = {(const int8_t*)packs->memory, sfi_kept_z_bytes(program), packs->held};
        u.moving.drawn = drawn;
    }
    uint32_t units = 0;
    for (uint32_t i = 0; status == SF_OK && i < plan->trainable_count; i++)
        units += (uint32_t)program->tensors[plan->trainables[i].tensor].elements /
                 SF_UPDATE_UNIT; /* what is less does not pay */
    if (status == SF_OK)
        sfi_tail_settle(program, plan, state);
    if (status == SF_OK)
        sfi_crew_run(crew, units / 2, move, &u);
    if (status == SF_OK)
        sfi_tail_clear(plan, state);
    return status;
}
