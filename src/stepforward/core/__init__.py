"""The C core: freestanding C99, no heap, caller-owned memory."""
