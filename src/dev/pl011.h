/// PL011 UART.
#ifndef BRUIN_DEV_PL011_H
#define BRUIN_DEV_PL011_H

#include "chr/chr.h"
#include "dev/dev.h"

struct pl011;
extern const struct device_ops pl011_ops;

/// chr: back end, or NULL (output vanishes, no input). tap sees every byte sent; may be NULL.
struct pl011 *pl011_new(struct chr *chr, struct irq_line irq);
void pl011_free(struct pl011 *u);
void pl011_set_tap(struct pl011 *u, void (*tap)(void *ctx, u8 byte), void *ctx);
/// The back end has input or room: takes what fits. Under the machine lock.
void pl011_ready(struct pl011 *u);
/// True when input from the host would raise the interrupt: its sources are not masked.
bool pl011_can_wake(const struct pl011 *u);

#endif
