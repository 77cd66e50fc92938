/* What a firmware is told and prints: numbers, facts, and what went wrong. */
#ifndef FACTS_H
#define FACTS_H

#include "stepforward.h"

/* Ends the program where a call was refused. what: in words. */
void check(sf_status status, const char* what);

void print_fact(const char* name, int64_t value);

/* The decimal number that a text begins with. */
uint32_t parse_number(const char* text);

#endif
