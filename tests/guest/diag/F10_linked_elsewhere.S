// An ELF file for another board's memory map.
// bad: ldflags=-Wl,-Ttext=0x80000 exit=126
// good: exit=0
#include "diag.inc"
    power_off
