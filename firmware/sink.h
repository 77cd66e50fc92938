/* What a journal is written to: memory of a fixed size, which a test or a host reads. */
#ifndef SINK_H
#define SINK_H

#include <stddef.h>
#include <stdint.h>

typedef struct sink {
    uint8_t* bytes;
    size_t room, used;
} sink;

/* Takes bytes of a journal; context: a `sink`. Returns 1 if there is no room for them. */
static inline int keep(void* context, const void* bytes, size_t count)
{
    sink* to = context;
    if (count > to->room - to->used)
        return 1;
    __builtin_memcpy(to->bytes + to->used, bytes, count);
    to->used += count;
    return 0;
}

#endif
