/// PL061 GPIO: eight pins.
#ifndef BRUIN_DEV_PL061_H
#define BRUIN_DEV_PL061_H

#include "dev/dev.h"

struct pl061;
extern const struct device_ops pl061_ops;
struct pl061 *pl061_new(struct dev_host *host, struct irq_line irq);
void pl061_free(struct pl061 *g);
/// Drives an input pin from outside.
void pl061_set_input(struct pl061 *g, unsigned pin, bool level);
/// Drives it high for 100 ms: a button.
void pl061_pulse(struct pl061 *g, unsigned pin);

#endif
