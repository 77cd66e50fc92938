/* The samples of a batch and the packing of weights, shared out over threads. Sums of integers do not depend on who
 * adds them. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200112L
#endif
#include <pthread.h>

#include "base/integers.h"
#include "base/pass.h"
#include "multiply/choose.h"
#include "operators/packing.h"
#include "stepforward.h"
#include "stepforward_host.h"
#include "threads/crew.h"
#include "threads/kept_z.h"
#include "threads/turns.h"
#include "train/curvature.h"
#include "train/forward.h"

#define AT_ONCE 64u /* trials of a group: their losses lie on the stack of a thread */

typedef struct job_sizes {
    uint64_t prefix, suffix; /* bytes of packed weights, before and after the cut */
} job_sizes;

/* What all threads share. Trials come in groups: those whose weights are packed together, from the same tiles, and that
 * share the run of the operators before the cut where they have the same samples. */
typedef struct job {
    sfi_pass pass; /* of plain weights */
    const int8_t* x;
    const int32_t* labels;
    uint32_t rows; /* samples */
    uint32_t step;
    const sf_trial* trials;
    uint32_t count;
    int64_t* losses;           /* NULL: logits are wanted */
    sfi_tail* tail;            /* NULL: no gradient is wanted */
    int32_t* logits;           /* wanted alone, or of all trials on all samples where losses are wanted too */
    sf_packs* packs;           /* NULL: packed on the way */
    const sf_scratch* scratch; /* of thread 0; the others' follow */
    size_t need, slice;        /* bytes: of a pass, and of a thread */
    uint32_t together;         /* trials of a group */
    job_sizes sizes;
    sfi_packed packed;                   /* where packed weights lie */
    uint32_t keeps_z;                    /* of the trials' directions, for the update */
    uint32_t prefix_tiles, suffix_tiles; /* before the cut, packed once with the first group, and after it */
    sfi_turns turns;
} job;

static uint32_t first_trial(const job* j, uint32_t group) { return group * j->together; }

static uint32_t trials_of(const job* j, uint32_t group)
{
    return sfi_min_u32(j->together, j->count - first_trial(j, group));
}

/* Copy of the packed weights that belongs to a group's first trial; the others follow. */
static uint32_t first_copy(const job* j, uint32_t group) { return group % j->turns.slot_count * j->together; }

/* Whether frozen weights lie in a copy already, from a call or a group before. */
static int is_filled(const job* j, uint32_t group, uint32_t copy)
{
    return group >= j->turns.slot_count || j->packs->filled > copy + 1;
}

static uint64_t tiles_of(const void* shared, uint32_t group)
{
    const job* j = (const job*)shared;
    if (j->packs == NULL)
        return 0;
    if (j->pass.plan == NULL && is_filled(j, group, first_copy(j, group) + trials_of(j, group) - 1))
        return 0; /* nothing moves, and everything is packed */
    return (uint64_t)(group > 0 || j->packs->filled > 0 ? 0 : j->prefix_tiles) + j->suffix_tiles;
}

/* Trials of a group that follow one another and have the same samples, in blocks of about the same size. */
typedef struct bunch {
    uint32_t first, count; /* trials */
    uint32_t block, blocks;
} bunch;

static int have_same_rows(const sf_trial* a, const sf_trial* b)
{
    return a->first == b->first && a->stride == b->stride && a->rows == b->rows;
}

static uint32_t parts(uint32_t whole, uint32_t part) { return whole / part + (whole % part != 0); }

static bunch bunch_of(const job* j, uint32_t first, uint32_t end)
{
    const sf_trial* t = j->trials + first;
    bunch b = {first, 1, 1, 0};
    while (first + b.count < end && have_same_rows(t, t + b.count))
        b.count++;
    if (t->rows > 0) {
        b.block = parts(t->rows, parts(t->rows, j->scratch->block));
        b.blocks = parts(t->rows, b.block);
    }
    return b;
}

/* Whether trials of a block are units of their own: where no operators before the cut are run once for all of them. Two
 * threads then tend to run one trial each, and read half as many of the weights that the other one has just packed. */
static int is_apart(const job* j) { return j->losses != NULL && j->pass.program->cut == 0; }

static uint64_t units_in(const job* j, const bunch* b) { return (uint64_t)b->blocks * (is_apart(j) ? b->count : 1); }

static uint64_t units_of(const void* shared, uint32_t group)
{
    const job* j = (const job*)shared;
    const uint32_t end = first_trial(j, group) + trials_of(j, group);
    uint64_t units = 0;
    for (bunch b = bunch_of(j, first_trial(j, group), end);; b = bunch_of(j, b.first + b.count, end)) {
        units += units_in(j, &b);
        if (b.first + b.count == end)
            return units;
    }
}

/* Whether the trials are the two sides of directions that follow one another, and follow what is kept. */
static int continues(const job* j)
{
    const sf_trial* t = j->trials;
    if (j->count % 2 != 0 || (t->direction > 0 && (j->packs->drawn != 1 + j->step || j->packs->held != t->direction)))
        return 0;
    for (uint32_t i = 0; i < j->count; i++)
        if (t[i].amount == 0 || t[i].ascent != 0 || t[i].amount != (i % 2 == 0 ? 1 : -1) * t[i & ~1u].amount ||
            t[i].direction != t->direction + i / 2)
            return 0;
    return 1;
}

/* Whether packing draws all of z that an update wants of these trials, both sides of a direction at once. */
static int keeps_z(const job* j)
{
    if (j->packs->directions == 0 || j->together % 2 != 0 || j->pass.plan == NULL ||
        j->pass.plan->perturbation != SF_EXACT || !continues(j))
        return 0;
    for (uint32_t i = j->pass.program->cut; i < j->pass.program->op_count; i++)
        if (j->pass.program->ops[i].weight >= 0 &&
            sfi_packed_tiles(j->pass.kernels, j->pass.program, j->scratch->row_tile, i, i + 1) == 0)
            return 0;
    return 1;
}

static void lay_out(job* j)
{
    const sf_program* program = j->pass.program;
    const uint32_t cut = program->cut, last = program->op_count, row_tile = j->scratch->row_tile;
    if (j->packs == NULL)
        return;
    j->packed.prefix = (uint8_t*)j->packs->memory + j->packs->directions * sfi_kept_z_bytes(program);
    j->packed.suffix = j->packed.prefix + j->sizes.prefix;
    j->packed.step = (size_t)j->sizes.suffix;
    j->prefix_tiles = sfi_packed_tiles(j->pass.kernels, program, row_tile, 0, cut);
    j->suffix_tiles = sfi_packed_tiles(j->pass.kernels, program, row_tile, cut, last);
    j->keeps_z = (uint32_t)keeps_z(j);
    if (j->keeps_z && j->trials->direction == 0)
        j->packs->drawn = 0; /* until it is there */
}

static sf_perturbation move_of(const job* j, uint32_t trial)
{
    const sf_perturbation p = {j->step, j->trials[trial].direction, j->trials[trial].amount, j->trials[trial].ascent};
    return p;
}

/* Late operators first: they tend to be the largest, and what is left at the end should be small. */
static void pack(const job* j, const sf_scratch* scratch, uint32_t group, uint32_t tile, sfi_place* place)
{
    void* work = sfi_work(j->pass.program, scratch);
    if (tile >= j->suffix_tiles) {
        sfi_pass plain = j->pass;
        plain.packed = j->packed.prefix;
        const uint32_t kept = 0;
        sfi_place first = {0, 0, 0};
        sfi_pack_tile(&plain, &kept, 1, tile - j->suffix_tiles, &first, scratch, work);
        return;
    }
    const uint32_t count = trials_of(j, group), copy = first_copy(j, group);
    sfi_pass passes[AT_ONCE];
    sf_perturbation moves[AT_ONCE];
    uint32_t kept[AT_ONCE];
    for (uint32_t i = 0; i < count; i++) {
        moves[i] = move_of(j, first_trial(j, group) + i);
        passes[i] = j->pass;
        passes[i].perturbation = moves + i;
        passes[i].packed = j->packed.suffix + (copy + i) * j->packed.step;
        if (j->keeps_z && moves[i].direction < j->packs->directions)
            passes[i].z = (int8_t*)j->packs->memory + moves[i].direction * sfi_kept_z_bytes(j->pass.program);
        kept[i] = (uint32_t)is_filled(j, group, copy + i);
    }
    sfi_pack_tile(passes, kept, count, j->suffix_tiles - 1 - tile, place, scratch, work);
}

/* Samples of a trial, where they lie or brought together after the thread's working memory. */
typedef struct samples {
    const int8_t* x;
    const int32_t* labels;
    uint32_t count;
} samples;

static samples gather(const job* j, const sf_scratch* scratch, const sf_trial* t, uint32_t first, uint32_t count)
{
    const size_t bytes = j->pass.program->input_bytes, from = t->first + (size_t)first * t->stride;
    samples s = {j->x + from * bytes, j->labels + from, count};
    if (t->stride > 1 && count > 1) {
        int32_t* labels = (int32_t*)(void*)((uint8_t*)scratch->memory + j->need);
        int8_t* x = (int8_t*)(labels + scratch->block);
        for (uint32_t i = 0; i < count; i++) {
            labels[i] = s.labels[(size_t)i * t->stride];
            sfi_copy(x + i * bytes, s.x + (size_t)i * t->stride * bytes, bytes);
        }
        s.x = x;
        s.labels = labels;
    }
    return s;
}

/* One block of samples with `count` trials from `first` on. */
static void run_losses(job* j, const sf_scratch* scratch, uint32_t group, const samples* s, uint32_t first,
                       uint32_t count)
{
    sf_perturbation moves[AT_ONCE] = {{0, 0, 0, 0}};
    int64_t part[AT_ONCE] = {0};
    sfi_tail tail = SFI_NO_TAIL;
    sfi_packed packed = j->packed;
    if (packed.suffix != NULL)
        packed.suffix += (first_copy(j, group) + first - first_trial(j, group)) * packed.step;
    sfi_seen seen = {j->logits, (size_t)j->rows * j->pass.program->classes};
    if (j->logits != NULL)
        seen.logits +=
            first * seen.step + (size_t)(s->x - j->x) / j->pass.program->input_bytes * j->pass.program->classes;
    for (uint32_t i = 0; i < count; i++)
        moves[i] = move_of(j, first + i);
    if (j->tail != NULL) {
        tail = *j->tail;
        tail.rows = 0;
    }
    sfi_block_losses(&j->pass, scratch, s->x, s->labels, s->count, moves, count, &packed,
                     j->tail != NULL ? &tail : NULL, part, j->logits != NULL ? &seen : NULL);
    pthread_mutex_lock(&j->turns.lock);
    if (j->tail != NULL)
        j->tail->rows += tail.rows;
    for (uint32_t i = 0; i < count; i++)
        j->losses[first + i] += part[i];
    pthread_mutex_unlock(&j->turns.lock);
}

static void run_unit(job* j, const sf_scratch* scratch, uint32_t group, uint64_t unit)
{
    const uint32_t end = first_trial(j, group) + trials_of(j, group);
    bunch b = bunch_of(j, first_trial(j, group), end);
    for (uint64_t units; unit >= (units = units_in(j, &b)); unit -= units)
        b = bunch_of(j, b.first + b.count, end);
    const uint32_t apart = is_apart(j) ? b.count : 1, first = (uint32_t)(unit / apart) * b.block;
    const sf_trial* t = j->trials + b.first;
    if (j->losses == NULL) {
        sfi_block_logits(&j->pass, scratch, j->x + (size_t)first * j->pass.program->input_bytes,
                         sfi_min_u32(b.block, t->rows - first), &j->packed,
                         j->logits + (size_t)first * j->pass.program->classes);
        return;
    }
    const samples s = gather(j, scratch, t, first, sfi_min_u32(b.block, t->rows - first));
    run_losses(j, scratch, group, &s, b.first + (uint32_t)(unit % apart), b.count / apart);
}

static void work(void* shared, uint32_t index)
{
    job* j = (job*)shared;
    sf_scratch scratch = *j->scratch;
    scratch.memory = (uint8_t*)scratch.memory + index * j->slice;
    scratch.bytes = j->need;
    sfi_place place = {j->pass.program->cut, 0, 0};
    sfi_turn turn = {0, 0, 0};
    for (int finished = 0; sfi_take_turn(&j->turns, finished, &turn); finished = 1) {
        if (turn.is_tile)
            pack(j, &scratch, turn.group, (uint32_t)turn.number, &place);
        else
            run_unit(j, &scratch, turn.group, turn.number);
    }
}

static job_sizes sizes_of(const sfi_kernels* kernels, const sf_program* program, uint32_t row_tile)
{
    const job_sizes s = {sfi_packed_bytes(kernels, program, row_tile, 0, program->cut),
                         sfi_packed_bytes(kernels, program, row_tile, program->cut, program->op_count)};
    return s;
}

static size_t packs_bytes(const sf_program* program, const job_sizes* s, uint32_t copies, uint32_t directions)
{
    if (copies == 0 || s->prefix > SIZE_MAX / 4 || s->suffix > SIZE_MAX / 4 / copies ||
        (directions > 0 && sfi_kept_z_bytes(program) > SIZE_MAX / 4 / directions))
        return 0;
    return (size_t)(s->prefix + copies * s->suffix) + directions * sfi_kept_z_bytes(program) +
           64; /* a program may have no weights at all */
}

/* row_tile is known to be allowed. */
static sf_status check_packs(job* j)
{
    if (j->packs == NULL)
        return SF_OK;
    if (j->packs->memory == NULL || sfi_for_device(j->scratch->row_tile))
        return SF_BAD_ARGUMENT;
    j->sizes = sizes_of(j->pass.kernels, j->pass.program, j->scratch->row_tile);
    const size_t need = packs_bytes(j->pass.program, &j->sizes, j->packs->copies, j->packs->directions);
    if (need == 0)
        return SF_BAD_ARGUMENT;
    if (((uintptr_t)j->packs->memory & 63u) != 0)
        return SF_MISALIGNED;
    return j->packs->bytes < need ? SF_SCRATCH_TOO_SMALL : SF_OK;
}

static size_t round_up(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Bytes of a pass, and of a thread, which may have to bring samples together; 0 where they do not fit. */
static size_t thread_bytes(const sfi_kernels* kernels, const sf_program* program, uint32_t block, uint32_t row_tile,
                           size_t* need)
{
    *need = round_up(sfi_scratch_need(kernels, program, block, row_tile));
    if (*need == 0 || block > SIZE_MAX / 4 / ((size_t)program->input_bytes + sizeof(int32_t)))
        return 0;
    return *need + round_up((program->input_bytes + sizeof(int32_t)) * block);
}

/* Trials of a group: the two sides of a direction; all that there is room for where they share the operators before the
 * cut. The rest of the room is for packing ahead, which one thread alone does not do. */
static void form_groups(job* j, const sf_crew* crew)
{
    const uint32_t copies = j->packs != NULL ? j->packs->copies : AT_ONCE;
    int share = j->pass.program->cut > 0;
    for (uint32_t i = 1; i < j->count; i++)
        share = share && have_same_rows(j->trials, j->trials + i);
    j->together = sfi_min_u32(share ? AT_ONCE : 2, copies);
    j->turns.job = j;
    j->turns.tiles = tiles_of;
    j->turns.units = units_of;
    j->turns.groups = parts(j->count, j->together);
    j->turns.slot_count = sfi_crew_size(crew) > 1 ? sfi_min_u32(SFI_MOST_SLOTS, copies / j->together) : 1;
}

static void note_packed(const job* j)
{
    const sf_trial* last = j->trials + j->count - 1;
    if (j->packs == NULL)
        return;
    j->packs->filled = sfi_max_u32(j->packs->filled, 1 + sfi_min_u32(j->count, j->turns.slot_count * j->together));
    if (j->keeps_z) {
        j->packs->drawn = 1 + j->step;
        j->packs->held = sfi_min_u32(j->packs->directions, last->direction + 1);
    }
}

/* Runs the job, whose arguments are checked. */
static sf_status run(job* j, const sf_scratch* scratch, sf_crew* crew)
{
    j->slice = thread_bytes(j->pass.kernels, j->pass.program, scratch->block, scratch->row_tile, &j->need);
    if (j->slice == 0)
        return SF_BAD_ARGUMENT;
    if (j->slice > scratch->bytes / sfi_crew_size(crew))
        return SF_SCRATCH_TOO_SMALL;
    j->scratch = scratch;
    const sf_status status = check_packs(j);
    if (status != SF_OK || j->count == 0)
        return status;
    if (pthread_mutex_init(&j->turns.lock, NULL) != 0)
        return SF_NO_THREAD;
    if (j->losses != NULL)
        sfi_fill(j->losses, 0, j->count * sizeof *j->losses);
    form_groups(j, crew);
    lay_out(j);
    uint64_t pieces = tiles_of(j, 0), units = 0;
    for (uint32_t group = 0; group < j->turns.groups && units < SFI_MAX_THREADS; group++)
        units += units_of(j, group);
    pieces = units > pieces ? units : pieces;
    sfi_crew_run(crew, pieces < SFI_MAX_THREADS ? (uint32_t)pieces : SFI_MAX_THREADS, work, j);
    note_packed(j);
    pthread_mutex_destroy(&j->turns.lock);
    return SF_OK;
}

size_t sf_packs_bytes(const sf_program* program, uint32_t row_tile, uint32_t copies, uint32_t directions)
{
    const sfi_kernels kernels = sfi_choose();
    if (sfi_for_device(row_tile) || sfi_scratch_need(&kernels, program, 1, row_tile) == 0)
        return 0;
    const job_sizes sizes = sizes_of(&kernels, program, row_tile);
    return packs_bytes(program, &sizes, copies, directions);
}

size_t sf_thread_bytes(const sf_program* program, uint32_t block, uint32_t row_tile)
{
    const sfi_kernels kernels = sfi_choose();
    size_t need;
    return thread_bytes(&kernels, program, block, row_tile, &need);
}

static sf_status check_trials(const sf_trial* trials, uint32_t count, uint32_t n)
{
    if (count > 0 && trials == NULL)
        return SF_BAD_ARGUMENT;
    for (const sf_trial* t = trials; t < trials + count; t++)
        if (t->amount < -1 || t->amount > 1 || t->ascent < -127 || t->ascent > 127 || t->stride == 0 ||
            (t->rows > 0 && t->first + (uint64_t)(t->rows - 1) * t->stride >= n))
            return SF_BAD_ARGUMENT;
    return SF_OK;
}

static uint64_t rows_of(const sf_trial* trials, uint32_t count)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < count; i++)
        rows += trials[i].rows;
    return rows;
}

/* gathered: NULL, or the state, to which the samples add the tail's gradient. */
static sf_status losses_of(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                           void* gathered, const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                           const int32_t* labels, uint32_t n, uint32_t step, const sf_trial* trials, uint32_t count,
                           int64_t* losses, int32_t* logits)
{
    const sfi_kernels kernels = sfi_choose();
    const sfi_pass pass = {&kernels, program, plan, (const uint8_t*)weights, (const uint8_t*)state, NULL,
                           NULL,     NULL,    NULL};
    sf_status status = sfi_check_losses(&pass, scratch, x, labels, n, losses);
    if (status == SF_OK)
        status = check_trials(trials, count, n);
    const int gathers = gathered != NULL && sfi_has_tail(plan);
    if (status == SF_OK && gathers)
        status = sfi_tail_admits(program, plan, gathered, rows_of(trials, count));
    if (status != SF_OK)
        return status;
    sfi_tail tail = SFI_NO_TAIL;
    if (gathers)
        tail = sfi_tail_of(program, plan, gathered);
    tail.shared = crew != NULL;
    job j = {0};
    j.pass = pass;
    j.packs = packs;
    j.x = x;
    j.labels = labels;
    j.rows = n;
    j.logits = logits;
    j.step = step;
    j.trials = trials;
    j.count = count;
    j.losses = losses;
    j.tail = gathers ? &tail : NULL;
    status = run(&j, scratch, crew);
    if (status == SF_OK && gathers)
        sfi_tail_note(plan, &tail, gathered);
    return status;
}

sf_status sf_losses_threaded(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                             const int32_t* labels, uint32_t n, uint32_t step, const sf_trial* trials, uint32_t count,
                             int64_t* losses)
{
    return losses_of(program, plan, weights, state, NULL, scratch, crew, packs, x, labels, n, step, trials, count,
                     losses, NULL);
}

sf_status sf_gather_threaded(const sf_program* program, const sf_plan* plan, const void* weights, void* state,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                             const int32_t* labels, uint32_t n, uint32_t step, const sf_trial* trials, uint32_t count,
                             int64_t* losses)
{
    return losses_of(program, plan, weights, state, state, scratch, crew, packs, x, labels, n, step, trials, count,
                     losses, NULL);
}

sf_status sf_curve_threaded(const sf_program* program, const sf_plan* plan, const void* weights, void* state,
                            const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                            const int32_t* labels, uint32_t n, uint32_t step, int64_t* losses, int32_t* logits,
                            int8_t* votes)
{
    if (plan == NULL || program == NULL || plan->votes != SF_CURVED || state == NULL || logits == NULL ||
        votes == NULL || n > SFI_MOST_CURVED_ROWS)
        return SF_BAD_ARGUMENT;
    sf_trial trials[1 + SFI_MOST_CURVED];
    const uint32_t count = 1 + plan->directions;
    for (uint32_t i = 0; i < count; i++) {
        const sf_trial trial = {i > 0 ? i - 1 : 0, i > 0, 0, 0, 1, n};
        trials[i] = trial;
    }
    const sf_status status = losses_of(program, plan, weights, state, state, scratch, crew, packs, x, labels, n, step,
                                       trials, count, losses, logits);
    if (status != SF_OK)
        return status;
    const sfi_curve sums = sfi_curve_of(plan, state);
    for (uint32_t s = 0; s < n; s++)
        sfi_curve_add(plan, &sums, logits + (size_t)s * program->classes, (size_t)n * program->classes,
                      program->classes, (uint32_t)labels[s]);
    sfi_curve_votes(plan, &sums, votes);
    sfi_curve_clear(plan, state);
    return SF_OK;
}

sf_status sf_logits_threaded(const sf_program* program, const sf_plan* plan, const void* weights,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x, uint32_t n,
                             int32_t* logits)
{
    const sf_trial plain = {0, 0, 0, 0, 1, n};
    const sfi_kernels kernels = sfi_choose();
    const sfi_pass pass = {&kernels, program, plan, (const uint8_t*)weights, NULL, NULL, NULL, NULL, NULL};
    const sf_status status = sfi_check_logits(&pass, scratch, x, logits);
    if (status != SF_OK)
        return status;
    job j = {0};
    j.pass = pass;
    j.packs = packs;
    j.x = x;
    j.trials = &plain;
    j.count = 1;
    j.logits = logits;
    return run(&j, scratch, crew);
}
