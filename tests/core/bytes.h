/* Files of the example folder as bytes, and the words in them. */
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>
#include <string.h>

#include "check.h"

typedef struct blob {
    uint8_t* bytes;
    size_t size;
} blob;

static inline blob read_file(const char* folder, const char* name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE* f = fopen(path, "rb");
    CHECK(f != NULL && fseek(f, 0, SEEK_END) == 0);
    const long size = ftell(f);
    CHECK(size > 0 && fseek(f, 0, SEEK_SET) == 0);
    blob b = {malloc((size_t)size), (size_t)size};
    CHECK(b.bytes != NULL && fread(b.bytes, 1, b.size, f) == b.size);
    fclose(f);
    return b;
}

static inline uint32_t word(const uint8_t* at)
{
    uint32_t v;
    memcpy(&v, at, 4);
    return v;
}

static inline void put(uint8_t* at, uint32_t v) { memcpy(at, &v, 4); }

#endif
