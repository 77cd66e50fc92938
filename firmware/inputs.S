/* The files of make_inputs.py. */
#include "files.inc"

    .section .rodata.inputs, "a", %progbits
    run plain
    run momentum
    run fractions
    run together
    run graded
    run curved
    run masked
    run sampled
    run salient
    run guided
    run sharp
    run adam
    run tail
    run head
    run digits
    run defaults
    run kernels
    run long
    run tokens
    run recurrent
