/* Rooms carved out of one caller's buffer lie side by side, where no address sanitizer sees what runs from one into the
 * next. Sanitizer builds therefore leave a forbidden gap after every room; other builds have neither the gap nor a
 * trace of it. */
#ifndef SFI_GUARD_H
#define SFI_GUARD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SFI_GUARDED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SFI_GUARDED)
#define SFI_GUARDED 1
#endif

#if defined(SFI_GUARDED)
void __asan_poison_memory_region(const volatile void* memory, size_t bytes);
void __asan_unpoison_memory_region(const volatile void* memory, size_t bytes);
#define SFI_GAP 64u /* bytes: rooms stay aligned to a cache line */
#define sfi_forbid(memory, bytes) __asan_poison_memory_region(memory, bytes)
#define sfi_allow(memory, bytes) __asan_unpoison_memory_region(memory, bytes)
#else
#define SFI_GAP 0u
#define sfi_forbid(memory, bytes) ((void)(memory), (void)(bytes))
#define sfi_allow(memory, bytes) ((void)(memory), (void)(bytes))
#endif

/* Takes a room of `bytes` at *at and moves *at past it and its gap. */
static inline void* sfi_room(uint8_t** at, uint64_t bytes)
{
    uint8_t* room = *at;
    *at += (size_t)bytes + SFI_GAP;
    sfi_forbid(room + (size_t)bytes, SFI_GAP);
    return room;
}

#endif
