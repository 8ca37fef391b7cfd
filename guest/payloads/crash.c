/// bruin demo crash: the classic of early bring-up, a call through a pointer that nobody set, with
/// no exception vectors installed. On hardware the machine just stops; here it is explained.
#include "payload.h"

struct driver {
    const char *name;
    void (*probe)(void);
};
static volatile struct driver console; /* zero: the driver was never registered */

__attribute__((noinline)) static void init_drivers(void)
{
    put("  probing the console driver ...\n");
    console.probe();
    put("  probed\n");
}

void main(void)
{
    put("\n  A kernel with a bug starts.\n");
    init_drivers();
}
