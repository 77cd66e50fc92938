/* Integer cross-entropy against the real one: below 2^-12 bit per sample. */
#include <math.h>

#include "check.h"
#include "stepforward.h"

static double real_loss(const int32_t* logits, uint32_t classes, uint32_t label, double bits)
{
    double sum = 0;
    for (uint32_t j = 0; j < classes; j++)
        sum += exp2((logits[j] - logits[label]) * bits);
    return log2(sum);
}

int main(void)
{
    const int32_t equal[4] = {5, 5, 5, 5};
    CHECK(sf_cross_entropy(equal, 4, 2, 65535, 3) == 2 * 65536); /* log2(4) bits, whatever the scale */

    uint32_t state = 1;
    for (int trial = 0; trial < 20000; trial++) {
        int32_t logits[12];
        for (int j = 0; j < 12; j++) {
            state = state * 1664525u + 1013904223u;
            logits[j] = (int32_t)(state >> 16) % 20000 - 10000;
        }
        const uint32_t label = state % 12, mult = 40000, shift = 13; /* 2^-16 * mult / 2^shift bits per quantum */
        const double loss = (double)sf_cross_entropy(logits, 12, label, mult, shift) / 65536;
        CHECK(fabs(loss - real_loss(logits, 12, label, mult / 8192.0 / 65536)) < 1.0 / 4096);
    }
    const int32_t far[2] = {32767, -32768};
    CHECK(sf_cross_entropy(far, 2, 1, 65535, 0) == 65535ll * 65535); /* no overflow, no other class in sight */
    puts("loss: ok");
    return 0;
}
