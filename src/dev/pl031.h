/// PL031 real-time clock.
#ifndef BRUIN_DEV_PL031_H
#define BRUIN_DEV_PL031_H

#include "dev/dev.h"

struct pl031;
extern const struct device_ops pl031_ops;
struct pl031 *pl031_new(struct dev_host *host, struct irq_line irq);
void pl031_free(struct pl031 *r);
/// True when the alarm is armed and would raise the interrupt.
bool pl031_can_wake(const struct pl031 *r);

#endif
