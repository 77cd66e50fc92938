/* Start-up of a Cortex-M without an assembler file: vector table, memory, SysTick, stack paint, then main().
 * The floating-point unit stays off, so a float instruction anywhere in this firmware would end in a fault; only
 * Helium, which shares its registers, turns it on. */
#include "board.h"
#include "semihost.h"

#define CPACR (*(volatile uint32_t*)0xE000ED88u)
#define SYST_CSR (*(volatile uint32_t*)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t*)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t*)0xE000E018u)
#define SYST_TOP 0x00FFFFFFu
#define STACK_PAINT 0xA5A5A5A5u
#define FAULT_STATUS 99 /* a crash must not look like a failed check or a time-out */

/* From the linker script. */
extern uint32_t __data_load[], __data_start[], __data_end[], __bss_start[], __bss_end[], __stack_limit[], __stack_top[];

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);
void SysTick_Handler(void);

static volatile uint32_t wraps;

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t* stack_top;
    vector handlers[15];
} vectors = {
    __stack_top,
    {
        Reset_Handler,
        Fault_Handler, /* NMI */
        Fault_Handler, /* HardFault */
        Fault_Handler, /* MemManage */
        Fault_Handler, /* BusFault */
        Fault_Handler, /* UsageFault */
        NULL,
        NULL,
        NULL,
        NULL,
        Fault_Handler, /* SVCall */
        Fault_Handler, /* DebugMonitor */
        NULL,
        Fault_Handler, /* PendSV */
        SysTick_Handler,
    },
};

void Reset_Handler(void)
{
#ifdef __ARM_FEATURE_MVE
    CPACR |= 0xFu << 20; /* coprocessors 10 and 11, before the first vector instruction */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    const uint32_t* from = __data_load;
    for (uint32_t* to = __data_start; to != __data_end;)
        *to++ = *from++;
    for (uint32_t* to = __bss_start; to != __bss_end;)
        *to++ = 0;
    const volatile uint32_t* here = __builtin_frame_address(0);
    for (volatile uint32_t* to = __stack_limit; to < here - 16; to++)
        *to = STACK_PAINT;

    SYST_RVR = SYST_TOP;
    SYST_CVR = 0;
    SYST_CSR = 7; /* processor clock, interrupt at each wrap, on */
    while (SYST_CVR == 0) {
    }
    semihost_exit(main());
}

void Fault_Handler(void)
{
    semihost_write("fault\n");
    semihost_exit(FAULT_STATUS);
}

void SysTick_Handler(void) { wraps++; }

uint64_t board_ticks(void)
{
    uint32_t high, low;
    do {
        high = wraps;
        low = SYST_TOP - SYST_CVR;
    } while (high != wraps);
    return (uint64_t)high * (SYST_TOP + 1u) + low;
}

uint32_t board_stack_used(void)
{
    const volatile uint32_t* untouched = __stack_limit;
    while (untouched < __stack_top && *untouched == STACK_PAINT)
        untouched++;
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)untouched);
}
