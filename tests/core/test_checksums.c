/* CRC-32 and SHA-256 against their published vectors. */
#include <string.h>

#include "check.h"
#include "stepforward.h"

static int digest_is(const char* text, size_t repeat, const char* expected)
{
    static char message[1000000];
    uint8_t digest[SF_SHA256_BYTES];
    char hex[65];
    const size_t length = strlen(text);
    for (size_t i = 0; i < repeat; i++)
        memcpy(message + i * length, text, length);
    sf_sha256(message, repeat * length, digest);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return strcmp(hex, expected) == 0;
}

int main(void)
{
    CHECK(sf_crc32(0, "", 0) == 0);
    CHECK(sf_crc32(0, "123456789", 9) == 0xcbf43926u);
    CHECK(sf_crc32(sf_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926u);

    CHECK(digest_is("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    CHECK(digest_is("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK(digest_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
    CHECK(digest_is("a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    puts("checksums: ok");
    return 0;
}
