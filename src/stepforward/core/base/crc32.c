#include "stepforward.h"

/* Half a byte at a time: 64 bytes of table are enough for flash, and files are read once. */
uint32_t sf_crc32(uint32_t check, const void* bytes, size_t count)
{
    static const uint32_t table[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
                                       0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                       0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    const uint8_t* data = (const uint8_t*)bytes;
    check = ~check;
    for (size_t i = 0; i < count; i++) {
        check ^= data[i];
        check = (check >> 4) ^ table[check & 15u];
        check = (check >> 4) ^ table[check & 15u];
    }
    return ~check;
}
