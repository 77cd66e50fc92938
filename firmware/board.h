/* What main.c needs to know about the board; startup.c implements it. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* SysTick ticks since reset. On a real part these are processor cycles; under QEMU's `-icount shift=0` on mps2 boards
 * one tick is 40 executed instructions. */
uint64_t board_ticks(void);

/* The most bytes of stack used since reset. */
uint32_t board_stack_used(void);

#endif
