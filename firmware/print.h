/* Text output without printf. */
#ifndef PRINT_H
#define PRINT_H

#include <stddef.h>
#include <stdint.h>

void print_text(const char* text);
void print_number(int64_t value);
void print_hex(const uint8_t* bytes, size_t count);

/* End the line and send it. */
void print_line(void);

#endif
