/* Whether there are tiles. Their state is large, so a process has to ask the system before it may use them. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* syscall() */
#endif
#include "multiply/host/amx/tiles.h"

#if SFI_X86
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LEAF = 7, EDX_AMX_TILE = 1 << 24, EDX_AMX_INT8 = 1 << 25 };
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

#if !defined(SFI_TILES_ALLOWED)
#define SFI_TILES_ALLOWED() (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0)
/* Not every compiler's __builtin_cpu_supports() knows these two. */
static int are_known(void)
{
    const unsigned needed = EDX_AMX_TILE | EDX_AMX_INT8;
    unsigned a, b, c, d;
    return __get_cpuid_count(LEAF, 0, &a, &b, &c, &d) && (d & needed) == needed;
}
#else
static int are_known(void) { return 1; }
#endif

/* CPUID leaves a virtual machine, which takes longer than a small network: so it is asked once, and whoever asks at the
 * same time finds the same. */
int sfi_has_tiles(void)
{
    static int known; /* 0: not asked yet */
    int k = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (k == 0) {
        k = are_known() ? 1 : -1;
        __atomic_store_n(&known, k, __ATOMIC_RELAXED);
    }
    return k > 0 && SFI_TILES_ALLOWED();
}

#endif
