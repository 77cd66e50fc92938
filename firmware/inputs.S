/* The files of make_inputs.py, linked into flash. Programs and plans are read in place, so they are aligned. */
    .macro file symbol, path
    .balign 16
    .global \symbol
    .global \symbol\()_end
\symbol:
    .incbin "\path"
\symbol\()_end:
    .endm

    .macro run name
    file \name\()_program, "\name/program.sfp"
    file \name\()_plan, "\name/plan.sft"
    file \name\()_settings, "\name/settings.json"
    file \name\()_samples, "\name/samples.bin"
    file \name\()_labels, "\name/labels.bin"
    .endm

    .section .rodata.inputs, "a", %progbits
    run plain
    run momentum
    run fractions
    run together
    run graded
    run masked
    run sampled
    run guided
    run tail
    run head
    run digits
    run kernels
    run long
