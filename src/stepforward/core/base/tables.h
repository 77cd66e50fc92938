/* The constant tables (tables.c, written by tools/make_constants.py). */
#ifndef SFI_TABLES_H
#define SFI_TABLES_H

#include "base/machine.h"

extern const int32_t sfi_table_exp2[257];
extern const int32_t sfi_table_log2[257];
extern const int32_t sfi_table_cos[257];
extern const int16_t sfi_table_tanh[513];   /* of i/64, in steps of 2^-15 */
extern const uint16_t sfi_table_alias[256]; /* KEEP + 256 * (ALIAS + 128) */
#if SFI_X86
extern const uint8_t sfi_table_keep_steps[256];  /* KEEP, entry i exclusive or entry i-16, again from 128 on */
extern const uint8_t sfi_table_alias_steps[256]; /* ALIAS + 128, likewise */
#endif

#endif
