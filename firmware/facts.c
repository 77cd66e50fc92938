#include "facts.h"
#include "print.h"
#include "semihost.h"

void check(sf_status status, const char* what)
{
    if (status == SF_OK)
        return;
    print_text("failed ");
    print_text(what);
    print_text(": ");
    print_text(sf_status_text(status));
    print_line();
    semihost_exit(1);
}

void print_fact(const char* name, int64_t value)
{
    print_text(name);
    print_number(value);
    print_line();
}

uint32_t parse_number(const char* text)
{
    uint32_t value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10u + (uint32_t)(*text++ - '0');
    return value;
}
