/* Symmetric systems by elimination without pivots, of numbers with 32 bits of fraction (contract, section 13): what a
 * closed-form start of the last layer solves. Hosts with integers of 128 bits. */
#include "stepforward_host.h"

#define FRACTION 32
#define BITS 126 /* of a sum or a product, so that one more addition fits */

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

/* Bits of the larger of |v| and of those given. */
static uwide joined(uwide bits, wide v) { return bits | (v < 0 ? -(uwide)v : (uwide)v); }

static int size_of(uwide v)
{
    const uint64_t high = (uint64_t)(v >> 64), low = (uint64_t)v;
    return high != 0 ? 128 - __builtin_clzll(high) : low != 0 ? 64 - __builtin_clzll(low) : 0;
}

static int size_of_row(const wide* row, size_t count)
{
    uwide bits = 0;
    for (size_t i = 0; i < count; i++)
        bits = joined(bits, row[i]);
    return size_of(bits);
}

static wide floor_of(wide n, wide d) /* n / d for d > 0 */
{
    const wide q = n / d;
    return q * d > n ? q - 1 : q;
}

static wide widened(wide v) { return (wide)((uwide)v << FRACTION); }

static void less_row(wide* row, const wide* by, wide factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] -= (factor * by[i]) >> FRACTION;
}

static int fits(wide v) { return size_of(joined(0, v)) + FRACTION <= BITS; }

static int eliminate(wide* a, wide* b, size_t size, size_t columns)
{
    for (size_t j = 0; j < size; j++) {
        wide *row = a + j * size, *right = b + j * columns;
        const int left_bits = size_of_row(row + j, size - j), right_bits = size_of_row(right, columns);
        if (row[j] <= 0)
            return 0;
        for (size_t i = j + 1; i < size; i++) {
            wide* other = a + i * size;
            if (!fits(other[j]))
                return 0;
            const wide factor = floor_of(widened(other[j]), row[j]);
            const int bits = size_of(joined(0, factor));
            if (bits + (left_bits > right_bits ? left_bits : right_bits) > BITS)
                return 0;
            less_row(other + j + 1, row + j + 1, factor, size - j - 1);
            less_row(b + i * columns, right, factor, columns);
        }
    }
    return 1;
}

static int substitute(const wide* a, const wide* b, size_t size, size_t columns, wide* found)
{
    const int more = size_of(size);
    for (size_t j = size; j-- > 0;) {
        const wide* row = a + j * size;
        const int bits =
            size_of_row(row + j + 1, size - j - 1) + size_of_row(found + (j + 1) * columns, (size - j - 1) * columns);
        if (bits + more > BITS)
            return 0;
        for (size_t c = 0; c < columns; c++) {
            if (!fits(b[j * columns + c]))
                return 0;
            wide rest = widened(b[j * columns + c]);
            for (size_t k = j + 1; k < size; k++)
                rest -= row[k] * found[k * columns + c];
            found[j * columns + c] = floor_of(rest, row[j]);
        }
    }
    return 1;
}

sf_status sf_solve(void* a, void* b, uint32_t size, uint32_t columns, void* found)
{
    if (a == NULL || b == NULL || found == NULL)
        return SF_BAD_ARGUMENT;
    if ((((uintptr_t)a | (uintptr_t)b | (uintptr_t)found) & 15u) != 0)
        return SF_MISALIGNED;
    return eliminate((wide*)a, (wide*)b, size, columns) && substitute((wide*)a, (wide*)b, size, columns, (wide*)found)
               ? SF_OK
               : SF_TOO_LARGE;
}
#else
sf_status sf_solve(void* a, void* b, uint32_t size, uint32_t columns, void* found)
{
    (void)a, (void)b, (void)size, (void)columns, (void)found;
    return SF_TOO_LARGE;
}
#endif
