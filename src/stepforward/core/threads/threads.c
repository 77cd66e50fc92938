/* The samples of a batch, the packing of weights and their update, shared out over threads. Sums of integers do not
 * depend on who adds them. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200112L
#endif
#include <pthread.h>
#include <sched.h>

#include "base/integers.h"
#include "base/pass.h"
#include "multiply/choose.h"
#include "operators/packing.h"
#include "stepforward.h"
#include "stepforward_host.h"
#include "threads/crew.h"
#include "train/forward.h"
#include "train/update.h"

#define AT_ONCE 64u /* probes of one phase: their losses lie on the stack of a thread */

/* What all threads share. Work comes in phases: with packed weights, a phase that packs some probes' tiles and one that
 * runs all blocks of samples, for as many probes as fit, then the same for the next ones. A phase begins when every
 * unit of the last one is done. */
typedef struct job {
    sfi_pass pass; /* of plain weights */
    const int8_t* x;
    const int32_t* labels;
    uint32_t n;
    const sf_perturbation* perturbations;
    uint32_t count;
    int64_t* losses; /* NULL: logits are wanted */
    int32_t* logits;
    sf_packs* packs;           /* NULL: packed on the way */
    const sf_scratch* scratch; /* of thread 0; the others' follow */
    size_t slice;
    uint32_t block;
    uint32_t row_tile;
    uint32_t together;                   /* probes of a phase */
    sfi_packed packed;                   /* where packed weights lie */
    uint32_t keeps_z;                    /* of the probes' directions, for the update */
    uint32_t prefix_tiles, suffix_tiles; /* before the cut, packed once in the first phase, and after it */

    pthread_mutex_t lock; /* of what follows, and of losses */
    uint32_t phase, phases;
    uint32_t units, next, done; /* of this phase */
} job;

static uint32_t blocks(const job* j) { return j->n / j->block + (j->n % j->block != 0); }

static int is_packing(const job* j, uint32_t phase) { return j->packs != NULL && phase % 2 == 0; }

/* First probe of a phase, and how many it has. */
static uint32_t first_probe(const job* j, uint32_t phase)
{
    return (j->packs != NULL ? phase / 2 : phase) * j->together;
}
static uint32_t probes(const job* j, uint32_t phase)
{
    return sfi_min_u32(j->together, j->count - first_probe(j, phase));
}

/* Whether probes of a block are units of their own: where no operators before the cut are run once for all of them. Two
 * threads then tend to run one probe each, and read half as many of the weights that the other one has just packed. */
static int is_apart(const job* j)
{
    return j->losses != NULL && j->pass.program->cut == 0 && blocks(j) <= UINT32_MAX / AT_ONCE;
}

static uint32_t units_of(const job* j, uint32_t phase)
{
    if (!is_packing(j, phase))
        return blocks(j) * (is_apart(j) ? probes(j, phase) : 1);
    if (j->pass.plan == NULL && j->packs->filled > probes(j, phase))
        return 0; /* nothing moves, and everything is packed */
    return (j->packs->filled > 0 ? 0 : j->prefix_tiles) + j->suffix_tiles;
}

static void packed(job* j)
{
    j->packs->filled = sfi_max_u32(j->packs->filled, 1 + probes(j, j->phase));
    if (j->keeps_z) {
        j->packs->drawn = 1 + j->perturbations->step;
        j->packs->held = sfi_min_u32(j->packs->directions, j->perturbations->direction +
                                                               (first_probe(j, j->phase) + probes(j, j->phase)) / 2);
    }
}

/* Go to the next phase that has anything to do. */
static void advance(job* j)
{
    do {
        if (is_packing(j, j->phase))
            packed(j);
        j->phase++;
        j->next = j->done = 0;
        j->units = j->phase < j->phases ? units_of(j, j->phase) : 0;
    } while (j->phase < j->phases && j->units == 0);
}

/* The next unit of work, and its phase; 0 when all is done. `finished`: units that the caller has done since. */
static int take(job* j, uint32_t finished, uint32_t* phase, uint32_t* unit)
{
    for (uint32_t waited = 0;; waited++) {
        pthread_mutex_lock(&j->lock);
        j->done += finished;
        finished = 0;
        if (j->phase < j->phases && j->done == j->units)
            advance(j);
        const int over = j->phase == j->phases, has_one = !over && j->next < j->units;
        if (has_one) {
            *phase = j->phase;
            *unit = j->next++;
        }
        pthread_mutex_unlock(&j->lock);
        if (over || has_one)
            return has_one;
        if (waited > 64) /* another thread has the last unit of this phase */
            sched_yield();
    }
}

/* z of one direction, of 16-bit weights; that of all kept directions lies in front of the packed weights. */
static size_t z_bytes(const sf_program* program) { return (program->weights_bytes / 2 + 63) & ~(size_t)63; }

/* Whether the probes are those of directions that follow one another, two by two, and follow what is kept. */
static int continues(const job* j)
{
    const sf_perturbation* p = j->perturbations;
    if (j->count % 2 != 0 || (p->direction > 0 && (j->packs->drawn != 1 + p->step || j->packs->held != p->direction)))
        return 0;
    for (uint32_t i = 0; i < j->count; i++)
        if (p[i].sign == 0 || p[i].sign != (i % 2 == 0 ? 1 : -1) * p[i & ~1u].sign || p[i].step != p->step ||
            p[i].direction != p->direction + i / 2)
            return 0;
    return 1;
}

/* Whether packing draws all of z that an update wants of these probes, both of a direction at once. */
static int keeps_z(const job* j)
{
    if (j->packs->directions == 0 || j->together % 2 != 0 || j->pass.plan == NULL ||
        j->pass.plan->perturbation != SF_EXACT || !continues(j))
        return 0;
    for (uint32_t i = j->pass.program->cut; i < j->pass.program->op_count; i++)
        if (j->pass.program->ops[i].weight >= 0 &&
            sfi_packed_tiles(j->pass.kernels, j->pass.program, j->row_tile, i, i + 1) == 0)
            return 0;
    return 1;
}

static void lay_out(job* j)
{
    const uint32_t cut = j->pass.program->cut, last = j->pass.program->op_count;
    if (j->packs == NULL)
        return;
    j->packed.prefix = (uint8_t*)j->packs->memory + j->packs->directions * z_bytes(j->pass.program);
    j->packed.suffix = j->packed.prefix + sfi_packed_bytes(j->pass.kernels, j->pass.program, j->row_tile, 0, cut);
    j->packed.step = (size_t)sfi_packed_bytes(j->pass.kernels, j->pass.program, j->row_tile, cut, last);
    j->prefix_tiles = sfi_packed_tiles(j->pass.kernels, j->pass.program, j->row_tile, 0, cut);
    j->suffix_tiles = sfi_packed_tiles(j->pass.kernels, j->pass.program, j->row_tile, cut, last);
    j->keeps_z = (uint32_t)keeps_z(j);
    if (j->keeps_z && j->perturbations->direction == 0)
        j->packs->drawn = 0; /* until it is there */
}

/* Late operators first: they tend to be the largest, and what is left at the end should be small. */
static void pack(const job* j, const sf_scratch* scratch, uint32_t phase, uint32_t unit, sfi_place* place)
{
    const uint32_t count = probes(j, phase);
    const uint32_t tiles = j->suffix_tiles;
    const sfi_packed p = j->packed;
    void* work = sfi_work(j->pass.program, scratch);
    if (unit >= tiles) {
        sfi_pass plain = j->pass;
        plain.packed = p.prefix;
        const uint32_t kept = 0;
        sfi_place first = {0, 0, 0};
        sfi_pack_tile(&plain, &kept, 1, unit - tiles, &first, scratch, work);
        return;
    }
    sfi_pass passes[AT_ONCE];
    uint32_t kept[AT_ONCE];
    for (uint32_t i = 0; i < count; i++) {
        const sf_perturbation* probe = j->perturbations + first_probe(j, phase) + i;
        passes[i] = j->pass;
        passes[i].perturbation = probe;
        passes[i].packed = p.suffix + i * p.step;
        if (j->keeps_z && probe->direction < j->packs->directions)
            passes[i].z = (int8_t*)j->packs->memory + probe->direction * z_bytes(j->pass.program);
        kept[i] = j->packs->filled > i + 1;
    }
    sfi_pack_tile(passes, kept, count, tiles - 1 - unit, place, scratch, work);
}

static void run_block(job* j, const sf_scratch* scratch, uint32_t phase, uint32_t unit)
{
    const uint32_t here = probes(j, phase), apart = is_apart(j) ? here : 1, probe = unit % apart, count = here / apart;
    const uint32_t first = unit / apart * j->block, size = sfi_min_u32(j->block, j->n - first);
    const int8_t* x = j->x + (size_t)first * j->pass.program->input_bytes;
    if (j->losses == NULL) {
        sfi_block_logits(&j->pass, scratch, x, size, &j->packed, j->logits + (size_t)first * j->pass.program->classes);
        return;
    }
    int64_t part[AT_ONCE] = {0};
    const uint32_t from = first_probe(j, phase) + probe;
    sfi_packed packed = j->packed;
    if (packed.suffix != NULL)
        packed.suffix += probe * packed.step;
    sfi_block_losses(&j->pass, scratch, x, j->labels + first, size, j->perturbations + from, count, &packed, part);
    pthread_mutex_lock(&j->lock);
    for (uint32_t i = 0; i < count; i++)
        j->losses[from + i] += part[i];
    pthread_mutex_unlock(&j->lock);
}

static void work(void* shared, uint32_t index)
{
    job* j = (job*)shared;
    sf_scratch scratch = *j->scratch;
    scratch.memory = (uint8_t*)scratch.memory + index * j->slice;
    scratch.bytes = j->slice;
    sfi_place place = {j->pass.program->cut, 0, 0};
    uint32_t phase, unit;
    for (uint32_t finished = 0; take(j, finished, &phase, &unit); finished = 1) {
        if (is_packing(j, phase))
            pack(j, &scratch, phase, unit, &place);
        else
            run_block(j, &scratch, phase, unit);
    }
}

static size_t packs_bytes(const sfi_kernels* kernels, const sf_program* program, uint32_t row_tile,
                          uint32_t probe_count, uint32_t directions)
{
    if (program == NULL || probe_count == 0 || sfi_for_device(row_tile) ||
        sfi_scratch_need(kernels, program, 1, row_tile) == 0)
        return 0;
    const uint64_t prefix = sfi_packed_bytes(kernels, program, row_tile, 0, program->cut);
    const uint64_t suffix = sfi_packed_bytes(kernels, program, row_tile, program->cut, program->op_count);
    if (prefix > SIZE_MAX / 4 || suffix > SIZE_MAX / 4 / probe_count ||
        (directions > 0 && z_bytes(program) > SIZE_MAX / 4 / directions))
        return 0;
    return (size_t)(prefix + probe_count * suffix) + directions * z_bytes(program) +
           64; /* a program may have no weights at all */
}

static sf_status check_packs(const job* j)
{
    if (j->packs == NULL)
        return SF_OK;
    const size_t need =
        packs_bytes(j->pass.kernels, j->pass.program, j->row_tile, j->packs->probes, j->packs->directions);
    if (j->packs->memory == NULL || need == 0)
        return SF_BAD_ARGUMENT;
    if (((uintptr_t)j->packs->memory & 63u) != 0)
        return SF_MISALIGNED;
    return j->packs->bytes < need ? SF_SCRATCH_TOO_SMALL : SF_OK;
}

/* Runs the job, whose arguments are checked. */
static sf_status run(job* j, const sf_scratch* scratch, sf_crew* crew)
{
    j->slice =
        (sfi_scratch_need(j->pass.kernels, j->pass.program, scratch->block, scratch->row_tile) + 63) & ~(size_t)63;
    if (j->slice > scratch->bytes / sfi_crew_size(crew))
        return SF_SCRATCH_TOO_SMALL;
    j->scratch = scratch;
    j->block = scratch->block;
    j->row_tile = scratch->row_tile;
    const sf_status status = check_packs(j);
    if (status != SF_OK || j->n == 0 || j->count == 0)
        return status;
    if (pthread_mutex_init(&j->lock, NULL) != 0)
        return SF_NO_THREAD;
    j->together = sfi_min_u32(AT_ONCE, j->packs != NULL ? j->packs->probes : AT_ONCE);
    j->phases = (j->count + j->together - 1) / j->together * (j->packs != NULL ? 2 : 1);
    lay_out(j);
    j->units = units_of(j, 0);
    sfi_crew_run(crew, sfi_max_u32(j->units, units_of(j, j->phases - 1)), work, j);
    pthread_mutex_destroy(&j->lock);
    return SF_OK;
}

size_t sf_packs_bytes(const sf_program* program, uint32_t row_tile, uint32_t probe_count, uint32_t directions)
{
    const sfi_kernels kernels = sfi_choose(SF_HOST_LEVEL);
    return packs_bytes(&kernels, program, row_tile, probe_count, directions);
}

sf_status sf_losses_threaded(const sf_program* program, const sf_plan* plan, const void* weights,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                             const int32_t* labels, uint32_t n, const sf_perturbation* perturbations, uint32_t count,
                             int64_t* losses)
{
    const sfi_kernels kernels = sfi_choose(SF_HOST_LEVEL);
    const sfi_pass pass = {&kernels, program, plan, (const uint8_t*)weights, NULL, NULL, NULL};
    const sf_status status = sfi_check_losses(&pass, scratch, x, labels, n, perturbations, count, losses);
    if (status != SF_OK)
        return status;
    job j = {0};
    j.pass = pass;
    j.packs = packs;
    j.x = x;
    j.labels = labels;
    j.n = n;
    j.perturbations = perturbations;
    j.count = count;
    j.losses = losses;
    for (uint32_t i = 0; i < count; i++)
        losses[i] = 0;
    return run(&j, scratch, crew);
}

sf_status sf_logits_threaded(const sf_program* program, const sf_plan* plan, const void* weights,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x, uint32_t n,
                             int32_t* logits)
{
    static const sf_perturbation plain = {0, 0, 0};
    const sfi_kernels kernels = sfi_choose(SF_HOST_LEVEL);
    const sfi_pass pass = {&kernels, program, plan, (const uint8_t*)weights, NULL, NULL, NULL};
    const sf_status status = sfi_check_logits(&pass, scratch, x, logits);
    if (status != SF_OK)
        return status;
    job j = {0};
    j.pass = pass;
    j.packs = packs;
    j.x = x;
    j.n = n;
    j.perturbations = &plain;
    j.count = 1;
    j.logits = logits;
    return run(&j, scratch, crew);
}

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

sf_status sf_update_threaded(const sf_program* program, const sf_plan* plan, void* weights, int16_t* momentum,
                             uint32_t step, const int8_t* votes, sf_crew* crew, const sf_packs* packs)
{
    const sfi_kernels kernels = sfi_choose(SF_HOST_LEVEL);
    update u = {{&kernels, program, plan, weights, momentum, step, votes, {NULL, 0, 0}}, 0};
    const sf_status status = sfi_check_update(&u.moving);
    if (status == SF_OK && packs != NULL && packs->drawn > 0 && packs->drawn == 1 + step) {
        const sfi_drawn drawn = {(const int8_t*)packs->memory, z_bytes(program), packs->held};
        u.moving.drawn = drawn;
    }
    uint32_t units = 0;
    for (uint32_t i = 0; status == SF_OK && i < plan->trainable_count; i++)
        units += (uint32_t)program->tensors[plan->trainables[i].tensor].elements /
                 SF_UPDATE_UNIT; /* what is less does not pay */
    if (status == SF_OK)
        sfi_crew_run(crew, units / 2, move, &u);
    return status;
}
