#include "stepforward.h"

uint32_t sf_interface(void) { return SF_INTERFACE; }

const char* sf_status_text(sf_status status)
{
    switch (status) {
    case SF_OK: return "ok";
    case SF_MISALIGNED: return "a pointer is not aligned as documented";
    case SF_TRUNCATED: return "the file is truncated";
    case SF_BAD_MAGIC: return "not a file of this kind";
    case SF_BAD_VERSION: return "a format version this code does not know";
    case SF_BAD_CHECKSUM: return "the file is damaged: a checksum does not match";
    case SF_BAD_HEADER: return "the file's header contradicts itself";
    case SF_BAD_TENSOR: return "a tensor record is not valid";
    case SF_BAD_OPERATOR: return "an operator record does not fit its tensors";
    case SF_UNSUPPORTED: return "an operator has no kernel for these types";
    case SF_TOO_LARGE: return "the program is too large for this core";
    case SF_BAD_PLAN: return "the training plan is not valid";
    case SF_PLAN_MISMATCH: return "the training plan belongs to another program";
    case SF_SCRATCH_TOO_SMALL: return "not enough scratch memory";
    case SF_BAD_LABEL: return "a label is outside 0 .. classes-1";
    case SF_BAD_ARGUMENT: return "an argument is not valid";
    case SF_SINK_FAILED: return "the journal could not be written";
    case SF_NO_THREAD: return "the system gave no lock for threads";
    case SF_UNKNOWN: return "the file needs a feature or a section that this code does not know";
    }
    return "unknown status";
}
