/* What the int16 multiply-add of this machine can do: operations per second of independent chains in registers, on one thread.
 * The floor under every figure of the core.      cc -O2 benchmarks/micro_peak.c -o build/micro_peak && build/micro_peak */
#define _POSIX_C_SOURCE 199309L
#include <immintrin.h>
#include <stdio.h>
#include <time.h>

#define CHAINS 12
#define ROUNDS 500000L /* some milliseconds: the best of many short runs is one that nothing disturbed */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static double vnni(void)
{
    __m512i sum[CHAINS], x = _mm512_set1_epi16(3), w = _mm512_set1_epi16(5);
    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_setzero_si512();
    const double start = seconds();
    for (long r = 0; r < ROUNDS; r++) {
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sum[i] = _mm512_dpwssd_epi32(sum[i], x, w);
        __asm__ volatile("" : "+v"(x), "+v"(w));
    }
    const double took = seconds() - start;
    for (int i = 0; i < CHAINS; i++)
        __asm__ volatile("" : : "v"(sum[i]));
    return 64.0 * CHAINS * ROUNDS / took;
}

__attribute__((target("avx2"))) static double avx2(void)
{
    __m256i sum[CHAINS], x = _mm256_set1_epi16(3), w = _mm256_set1_epi16(5);
    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm256_setzero_si256();
    const double start = seconds();
    for (long r = 0; r < ROUNDS; r++) {
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++)
        {
            __asm__ volatile("" : "+x"(x)); /* the product is made anew for every chain */
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(x, w));
        }
    }
    const double took = seconds() - start;
    for (int i = 0; i < CHAINS; i++)
        __asm__ volatile("" : : "x"(sum[i]));
    return 32.0 * CHAINS * ROUNDS / took;
}

static double best(double (*run)(void))
{
    double most = 0;
    for (int i = 0; i < 200; i++) {
        const double rate = run();
        most = rate > most ? rate : most;
    }
    return most * 1e-9;
}

int main(void)
{
    if (__builtin_cpu_supports("avx512vnni"))
        printf("vpdpwssd, 512 bits:          %6.1f GOP/s\n", best(vnni));
    if (__builtin_cpu_supports("avx2"))
        printf("vpmaddwd + vpaddd, 256 bits: %6.1f GOP/s\n", best(avx2));
    return 0;
}
