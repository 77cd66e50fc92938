/* The files of make_stream.py, linked into flash and read in place. */
#include "files.inc"

    .section .rodata.inputs, "a", %progbits
    run stream
