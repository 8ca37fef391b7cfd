/// PL011 against its manual: reset values, access kinds, interrupts, hostile scripts.
#include "dev/pl011.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { DR = 0x00, FR = 0x18, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30, IFLS = 0x34,
       IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, DMACR = 0x48 };
enum { INT_RX = 0x10, INT_TX = 0x20, INT_RT = 0x40, FEN = 0x10, RXFE = 0x10, RXFF = 0x40, TXFE = 0x80 };

struct fixture {
    struct chr *chr;
    struct pl011 *uart;
    bool line;
    unsigned rises;
};

static void set_line(void *ctx, unsigned n, bool level)
{
    struct fixture *f = ctx;
    f->rises += level && !f->line;
    f->line = level;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    f->chr = chr_ring_new(256);
    f->uart = pl011_new(f->chr, (struct irq_line){set_line, f, 0});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pl011_free(f->uart);
    chr_free(f->chr);
    free(f);
    return 0;
}

static u32 get(struct fixture *f, u64 off)
{
    u64 v = ~0ULL;
    assert_true(pl011_ops.io.read(f->uart, off, 4, &v));
    return (u32)v;
}
static void put(struct fixture *f, u64 off, u32 v) { assert_true(pl011_ops.io.write(f->uart, off, 4, v)); }

static void type(struct fixture *f, const char *s)
{
    chr_ring_input(f->chr, (const u8 *)s, strlen(s));
    pl011_ready(f->uart);
}

static void reset_values_are_those_of_the_manual(void **state)
{
    struct fixture *f = *state;
    put(f, IBRD, 0x1234);
    put(f, IMSC, 0x7ff);
    pl011_ops.reset(f->uart);
    assert_int_equal(get(f, DR), 0);
    assert_int_equal(get(f, FR), TXFE | RXFE);
    assert_int_equal(get(f, IBRD), 0);
    assert_int_equal(get(f, LCR_H), 0);
    assert_int_equal(get(f, CR), 0x300);
    assert_int_equal(get(f, IFLS), 0x12);
    assert_int_equal(get(f, IMSC), 0);
    assert_int_equal(get(f, RIS), 0);
    static const u8 id[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(get(f, 0xfe0 + i * 4), id[i]);
}

static void registers_keep_only_their_bits(void **state)
{
    struct fixture *f = *state;
    static const struct { u32 off, mask; } r[] = {
        {IBRD, 0xffff}, {FBRD, 0x3f}, {LCR_H, 0xff}, {IFLS, 0x3f}, {IMSC, 0x7ff}, {DMACR, 7}};
    for (unsigned i = 0; i < ARRAY_LEN(r); i++) {
        put(f, r[i].off, ~0U);
        assert_int_equal(get(f, r[i].off), r[i].mask);
    }
    put(f, FR, 0xff);
    put(f, RIS, 0x7ff);
    assert_int_equal(get(f, FR), TXFE | RXFE);
    assert_int_equal(get(f, RIS), 0);
    put(f, CR, 0);
    assert_int_equal(get(f, ICR), 0);
}

static void narrow_accesses_see_their_lane(void **state)
{
    struct fixture *f = *state;
    u64 v;
    put(f, IBRD, 0xabcd);
    assert_true(pl011_ops.io.read(f->uart, IBRD + 1, 1, &v));
    assert_int_equal(v, 0xab);
    assert_true(pl011_ops.io.write(f->uart, IBRD + 1, 1, 0x12));
    assert_int_equal(get(f, IBRD), 0x12cd);
    assert_true(pl011_ops.io.write(f->uart, DR, 1, 'x'));
    assert_true(pl011_ops.io.write(f->uart, DR + 1, 1, 'y')); /* not the data lane */
    u8 out[4];
    assert_int_equal(chr_ring_output(f->chr, out, 4), 1);
    assert_int_equal(out[0], 'x');
}

static void output_reaches_the_back_end_and_raises_tx(void **state)
{
    struct fixture *f = *state;
    put(f, IMSC, INT_TX);
    assert_false(f->line); /* an idle transmitter does not interrupt */
    put(f, DR, 'h');
    put(f, DR, 'i');
    u8 out[8];
    assert_int_equal(chr_ring_output(f->chr, out, 8), 2);
    assert_memory_equal(out, "hi", 2);
    assert_true(f->line);
    assert_int_equal(get(f, MIS), INT_TX);
    put(f, ICR, INT_TX);
    assert_false(f->line);
}

static void input_waits_in_the_fifo_in_order(void **state)
{
    struct fixture *f = *state;
    put(f, LCR_H, FEN);
    type(f, "abcdefghijklmnopqrst"); /* 20: 16 fit, four wait at the host */
    assert_int_equal(get(f, FR) & (RXFF | RXFE), RXFF);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(get(f, DR), 'a' + i);
    assert_int_equal(get(f, FR) & (RXFF | RXFE), RXFE);
    assert_int_equal(get(f, DR), 0);
}

static void without_fifo_one_byte_is_held(void **state)
{
    struct fixture *f = *state;
    put(f, IMSC, INT_RX);
    type(f, "ab");
    assert_int_equal(get(f, FR) & RXFF, RXFF);
    assert_true(f->line);
    assert_int_equal(get(f, DR), 'a');
    assert_true(f->line); /* the second byte moved up */
    assert_int_equal(get(f, DR), 'b');
    assert_false(f->line);
}

static void rx_interrupt_follows_the_trigger_level(void **state)
{
    struct fixture *f = *state;
    put(f, LCR_H, FEN);
    put(f, IFLS, 2 << 3); /* half full: 8 */
    put(f, IMSC, INT_RX);
    type(f, "1234567");
    assert_false(f->line);
    type(f, "8");
    assert_true(f->line);
    get(f, DR);
    assert_false(f->line);
}

static void rx_timeout_raises_interrupt_once(void **state)
{
    struct fixture *f = *state;
    put(f, LCR_H, FEN);
    put(f, IMSC, INT_RT);
    type(f, "ab");
    assert_true(f->line);
    put(f, ICR, INT_RT);
    assert_false(f->line);
    get(f, DR);
    assert_false(f->line); /* one byte is left, nothing new came */
    type(f, "c");
    assert_true(f->line);
    get(f, DR);
    get(f, DR);
    assert_false(f->line); /* empty: cleared by reading */
    assert_int_equal(f->rises, 2);
}

static void loopback_turns_output_into_input(void **state)
{
    struct fixture *f = *state;
    put(f, LCR_H, FEN);
    put(f, CR, 0x380);
    put(f, DR, 'L');
    assert_int_equal(get(f, DR), 'L');
    u8 out[2];
    assert_int_equal(chr_ring_output(f->chr, out, 2), 0);
}

static void masked_interrupts_show_in_ris_only(void **state)
{
    struct fixture *f = *state;
    put(f, DR, 'x');
    assert_int_equal(get(f, RIS), INT_TX);
    assert_int_equal(get(f, MIS), 0);
    assert_false(f->line);
    assert_false(pl011_can_wake(f->uart));
    put(f, IMSC, INT_RX);
    assert_false(pl011_can_wake(f->uart)); /* a ring that was promised no input */
    chr_ring_promise_input(f->chr, true);
    assert_true(pl011_can_wake(f->uart));
}

static void state_survives_saving_and_bad_state_is_told(void **state)
{
    struct fixture *f = *state;
    put(f, LCR_H, FEN);
    put(f, IMSC, INT_RT);
    type(f, "xyz");
    struct state s = {0};
    pl011_ops.state(f->uart, &s);
    size_t len = s.pos;
    pl011_ops.reset(f->uart);
    assert_false(f->line);
    s.is_loading = true;
    s.pos = 0;
    s.len = len;
    pl011_ops.state(f->uart, &s);
    assert_false(s.is_bad);
    assert_true(f->line);
    assert_int_equal(get(f, DR), 'x');
    memset(s.data, 0xff, len); /* lengths beyond the FIFO */
    s.pos = 0;
    pl011_ops.state(f->uart, &s);
    assert_true(s.is_bad);
    s.pos = 0;
    s.len = 7;
    s.is_bad = false;
    pl011_ops.state(f->uart, &s);
    assert_true(s.is_bad);
    for (unsigned i = 0; i < 40; i++)
        get(f, DR);
    free(s.data);
}

/// Any access leaves the line equal to what MIS says and never harms the host (run under ASan).
static void hostile_scripts_keep_the_line_true_to_mis(void **state)
{
    struct fixture *f = *state;
    u64 rng = 88172645463325252ULL;
    for (unsigned i = 0; i < 200000; i++) {
        u64 r = rng_next(&rng), v;
        unsigned size = 1U << (r >> 40 & 1 ? 2 : r >> 41 & 1);
        u64 off = r & 0xfff & ~(u64)(size - 1);
        if (r >> 44 & 7)
            off &= 0x7f;
        if (r >> 48 & 1)
            pl011_ops.io.write(f->uart, off, size, r >> 16);
        else
            pl011_ops.io.read(f->uart, off, size, &v);
        if (!(r >> 50 & 15))
            type(f, "hostile");
        assert_int_equal(f->line, get(f, MIS) != 0);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(reset_values_are_those_of_the_manual), T(registers_keep_only_their_bits),
        T(narrow_accesses_see_their_lane),       T(output_reaches_the_back_end_and_raises_tx),
        T(input_waits_in_the_fifo_in_order),     T(without_fifo_one_byte_is_held),
        T(rx_interrupt_follows_the_trigger_level), T(rx_timeout_raises_interrupt_once),
        T(loopback_turns_output_into_input),     T(masked_interrupts_show_in_ris_only),
        T(state_survives_saving_and_bad_state_is_told),
        T(hostile_scripts_keep_the_line_true_to_mis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
