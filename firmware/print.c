#include "print.h"

#include "semihost.h"

static char line[128];
static size_t used;

static void send(void)
{
    line[used] = '\0';
    semihost_write(line);
    used = 0;
}

static void print_char(char c)
{
    line[used++] = c;
    if (c == '\n' || used == sizeof line - 1)
        send();
}

void print_text(const char* text)
{
    while (*text != '\0')
        print_char(*text++);
}

void print_number(int64_t value)
{
    char digits[20];
    size_t count = 0;
    uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    do
        digits[count++] = (char)('0' + rest % 10u);
    while ((rest /= 10u) != 0);
    print_char(' ');
    if (value < 0)
        print_char('-');
    while (count > 0)
        print_char(digits[--count]);
}

void print_hex(const uint8_t* bytes, size_t count)
{
    static const char digit[] = "0123456789abcdef";
    print_char(' ');
    for (size_t i = 0; i < count; i++) {
        print_char(digit[bytes[i] >> 4]);
        print_char(digit[bytes[i] & 15]);
    }
}

void print_line(void) { print_char('\n'); }
