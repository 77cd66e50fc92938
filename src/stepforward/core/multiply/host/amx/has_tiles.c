/* Whether there are tiles. Their state is large, so a process has to ask the system before it may use them. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* syscall() */
#endif
#include "multiply/host/amx/tiles.h"

#if SFI_X86
#include <sys/syscall.h>
#include <unistd.h>

#if !defined(SFI_TILES_ALLOWED)
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
#define SFI_TILES_ALLOWED() (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0)
#endif

int sfi_has_tiles(void)
{
    return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8") && SFI_TILES_ALLOWED();
}

#endif
