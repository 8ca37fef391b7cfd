/// Names for the addresses of a guest: from files (--symbols, the kernel's own ELF) and, for Linux, from the
/// kallsyms that the kernel carries in memory, looked for when they are first needed.
#ifndef BRUIN_SYMBOLS_H
#define BRUIN_SYMBOLS_H

#include "board/machine.h"
#include "boot/boot.h"

struct symbols;

struct symbols *symbols_new(struct machine *m);
void symbols_free(struct symbols *s);
/// Another kernel was loaded: forgets where the last one ran. plan: copied; may be NULL
void symbols_loaded(struct symbols *s, const struct boot_plan *plan);
/// Adds a table, which becomes the property of s. shift: to be added to its addresses.
void symbols_add(struct symbols *s, struct symtab *t, u64 shift);
/// Whether look-ups may take the time (a tenth of a second, once) to look for kallsyms. At first they may not.
void symbols_allow_search(struct symbols *s, bool allow);
/// ret  whether there is any table; looks for kallsyms if need be
bool symbols_any(struct symbols *s);

/// "memcpy+0x14", or "" for an address without a name.
const char *symbols_name(struct symbols *s, u64 addr, char *buf, size_t size);
/// out  addr  where it is for the guest as it stands: virtual, or physical before the MMU is on
/// out  physical  may be NULL; true when only the physical address is known yet
bool symbols_find(struct symbols *s, const char *name, u64 *addr, bool *physical);
/// The symbol most like a mistyped one. ret  NULL when none is near
const char *symbols_nearest(struct symbols *s, const char *name);

#endif
