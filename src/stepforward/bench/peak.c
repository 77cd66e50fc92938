/* Multiply-accumulates per second of 16-bit integers that one core can reach: chains of the widest multiply-add it has,
 * on registers only. Prints the instruction and the rate; the rate is 0 where this file knows no such instruction. */
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define CHAINS 12 /* more than latency times throughput anywhere */
#define ROUNDS 4000000
#define TRIES 7

#define UNROLL _Pragma("GCC unroll 12")

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Written as assembly so that no compiler finds out that all chains compute the same. */
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static int run_vnni(void)
{
    __m512i sum[CHAINS], a = _mm512_set1_epi16(3), b = _mm512_set1_epi16(5);
    UNROLL for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_setzero_si512();
    for (int round = 0; round < ROUNDS; round++) UNROLL
        for (int i = 0; i < CHAINS; i++)
            __asm__ volatile("vpdpwssd %2, %1, %0" : "+v"(sum[i]) : "v"(a), "v"(b));
    return _mm512_reduce_add_epi32(sum[0]);
}

__attribute__((target("avx2"))) static int run_avx2(void)
{
    __m256i sum[CHAINS], product, a = _mm256_set1_epi16(3), b = _mm256_set1_epi16(5);
    UNROLL for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm256_setzero_si256();
    for (int round = 0; round < ROUNDS; round++) UNROLL
        for (int i = 0; i < CHAINS; i++)
            __asm__ volatile("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
                             : "+x"(sum[i]), "=&x"(product)
                             : "x"(a), "x"(b));
    return _mm256_extract_epi32(sum[0], 0);
}

static const char* choose(int (**run)(void), int* width)
{
    if (__builtin_cpu_supports("avx512vnni")) {
        *run = run_vnni, *width = 32;
        return "vpdpwssd-512";
    }
    *run = run_avx2, *width = 16;
    return __builtin_cpu_supports("avx2") ? "vpmaddwd-256" : NULL;
}

#else

static const char* choose(int (**run)(void), int* width)
{
    (void)run, (void)width;
    return NULL;
}

#endif

int main(void)
{
    int (*run)(void) = NULL;
    int width = 0;
    const char* name = choose(&run, &width);
    if (name == NULL) {
        printf("unknown 0\n");
        return 0;
    }
    volatile int keep = 0;
    double best = 1e9;
    for (int try = 0; try < TRIES; try++) {
        const double started = seconds();
        keep += run();
        const double took = seconds() - started;
        best = took < best ? took : best;
    }
    printf("%s %.0f\n", name, (double)ROUNDS * CHAINS * width / best);
    return 0;
}
