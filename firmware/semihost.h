/* Semihosting on Cortex-M: text, arguments and the exit status travel through the debugger, or through QEMU.
 * A product replaces these three functions by its own console. */
#ifndef SEMIHOST_H
#define SEMIHOST_H

#include <stddef.h>
#include <stdint.h>

enum { SYS_WRITE0 = 0x04, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };

static inline intptr_t semihost(intptr_t operation, const void* argument)
{
    register intptr_t r0 __asm__("r0") = operation;
    register const void* r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory", "cc");
    return r0;
}

/* Print a text that ends with a zero byte. */
static inline void semihost_write(const char* text) { (void)semihost(SYS_WRITE0, text); }

/* The words of -semihosting-config arg=..., joined by blanks, into line[capacity]; empty when there are none. */
static inline void semihost_arguments(char* line, size_t capacity)
{
    struct {
        char* buffer;
        size_t length;
    } block = {line, capacity};
    if (semihost(SYS_GET_CMDLINE, &block) != 0)
        line[0] = '\0';
}

/* End the emulator with this exit status. */
static inline _Noreturn void semihost_exit(intptr_t status)
{
    const intptr_t block[2] = {0x20026, status}; /* ADP_Stopped_ApplicationExit */
    (void)semihost(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

#endif
