/// The inside of the explainer, shared by the files of this folder.
#ifndef BRUIN_DEBUG_PRIV_H
#define BRUIN_DEBUG_PRIV_H

#include "a64/insn.h"
#include "debug/debug.h"
#include "os/os.h"

enum { NOTES_MAX = 24, CPUS_WATCHED = MACHINE_CPUS_MAX, CONSOLE_TAIL = 8192 };

/// An access that nothing answered, as bad_access told it.
struct bad_access {
    bool valid, write;
    gva_t va;
    gpa_t pa;
    unsigned size; ///< 0: a fetch
    u64 val;
};

/// Everything about an exception at the moment it was taken.
struct fault {
    bool valid, full; ///< full: registers and trail were kept too
    unsigned cpu;
    u32 kind; ///< vector offset
    u64 vector; ///< where it went
    unsigned el; ///< that took it
    u64 pc;   ///< of the instruction that was interrupted
    u64 esr, far, elr, spsr;
    u64 x[31], sp;
    u64 sr_sctlr, sr_tcr, sr_ttbr0, sr_ttbr1, sr_mair, sr_vbar, sr_cpacr;
    u64 icount;
    struct trail trail;
    struct bad_access bad;
};

/// Exceptions in a row that may never end (loop.c).
struct exc_loop {
    /* Without a return between them. */
    unsigned nested;     ///< exceptions since root
    unsigned same_count; ///< the last ones came from same_pc, each deeper in the stack
    unsigned deeper;     ///< each deeper in the stack, wherever from
    u64 same_pc, sp, lowest_sp;
    u64 seen[8];         ///< what the last ones were like (hashes)
    unsigned repeats;    ///< so many in a row were like one of those
    u64 repeats_since_ns;
    /* Each at the instruction to which the last one returned. */
    u64 retry_pc, retry_far, retry_esr;
    u32 retry_word;      ///< the instruction
    unsigned retry_count;
    u64 retry_since_ns;
    bool retry_moves;    ///< not always the same instruction: the handler skips
};

struct cpu_watch {
    struct trail trail; ///< of this CPU, resolved for the report
    struct fault root; ///< first exception since the last exception return
    struct fault last;
    u64 erets_seen;
    struct exc_loop loop;
    struct fault retried; ///< the fault that the handler returned from first
    struct fault again;   ///< a fault that came back at the same instruction, perhaps with interrupts and other tasks between
    unsigned again_count;
    struct bad_access bad;
    struct bad_access first_bad; ///< of Linux: what it touched first where nothing is
    u64 mmu_on_pc;     ///< of the write that set SCTLR_EL1.M; 0: never
    u64 mmu_on_ttbr0, mmu_on_old_sctlr;
    u64 smc_fn;        ///< function of the last SMC, when smc_pc
    gva_t smc_pc;
    u64 ticks, samples, stuck_samples, input_samples;
    u64 sample_pc;
    unsigned long_proofs;
    unsigned patience;  ///< how long the next proof may take, in steps; 0: the usual
    u64 vbar_written;   ///< a VBAR_EL1 whose low bits were not 0; else 0
    u64 tables_pc;      ///< of the last write to TTBR0, TTBR1 or TCR while the MMU was on; 0: never
    u64 mmu_off_pc;     ///< of the write that cleared SCTLR_EL1.M; 0: never
    struct {
        u64 pc, fn, arg, entry, ret;
        bool failed;
    } psci;             ///< the last firmware call, when it failed
    u64 met; ///< the last meeting it came to
    u64 stays_pc, stays_ns;     ///< the loop it is in, and since when
    u64 died_ns, died_printed;  ///< it hangs in a fault handler: since when nothing else happened
    unsigned stuck_streak; ///< samples in a row at which that was proved
    bool ran_el0;
    struct {
        bool is_root; ///< the outstanding exception came from a register write that had not taken effect
        u32 id;
        u64 pc, went_to;
    } unsynced;
    unsigned storm;    ///< interrupts in a row taken right at the ERET of the one before
    unsigned irq_nest; ///< interrupts in a row, each deeper in the stack than the one before
    u64 irq_sp;
    u32 storm_intid;
    bool checked_entry; ///< boot protocol was checked
    bool checked_waker;
    unsigned extra_erets; ///< times that more than one ERET came between two interrupts of EL1
};

struct note {
    char id[4];
    char text[640];
};

enum verdict {
    V_NONE, V_OFF, V_RESET, V_PANIC, V_DEADLOCK, V_STUCK, V_LOOP, V_FAULT, V_LINT, V_TIMEOUT, V_STOPPED,
    V_OTHER, V_STORM,
    V_INPUT, ///< waits for input, and the host's has ended: nothing is wrong
};

struct explain {
    struct machine *m;
    struct os_mutex busy; ///< with several CPUs: what their hooks share (explain_lock)
    struct explain_config cfg;
    struct cpu_watch *cpu; ///< [cpus]
    unsigned cpus;

    /* What was loaded. */
    struct boot_plan plan;
    bool has_plan, is_linux;
    char cmdline[512]; ///< its beginning
    gva_t stack_lo, stack_hi;
    bool stack_used; ///< the stack pointer was seen between them

    /* Findings. */
    struct note note[NOTES_MAX];
    unsigned note_count;
    u64 said;        ///< one bit per catalogue id (said_bit): said once
    bool polls_uart; ///< the loop proved endless reads UART flags
    struct {
        gva_t va; ///< of the last load from RAM in the loop proved endless; 0: none
        u64 val;
        unsigned size;
        bool exclusive;    ///< an exclusive or atomic access: a lock
        gpa_t device;      ///< ... and of the last load from a device; 0: none
        u64 device_val;
        bool acquires;        ///< a load-acquire: a lock or a flag
        u64 eret_pc;          ///< an ERET of it; 0: none
        enum sysreg_id timer; ///< CNTx_CTL of a timer that is off and whose ISTATUS it looks at; SYSREG_COUNT: none
    } loop;
    bool waits_input; ///< ... and input, which cannot come, would end it
    bool quiet;      ///< an EL0 instruction ran: early-boot lints are over

    char firmware_id[4], firmware_text[400]; ///< what the firmware said about a fatal exception

    /* The end. */
    enum verdict verdict;
    unsigned verdict_cpu;
    bool doomed;
    struct {
        bool open;
        u64 number, until_ns;
    } meeting; ///< stuck.c
    char line[256];
    char *text, *json;

    struct hot *hot; ///< hot.c
    struct tables *tables; ///< lint_tables.c
    struct cpu *store_cpu;   ///< made the last store to a page that holds code or tables
    struct aliases *aliases; ///< lint_alias.c
    struct handoff *handoff; ///< handoff.h; NULL: no firmware told of phases
    struct cpu *sim; ///< rehearsals (rehearse.c)
    struct copies *copies; ///< copies.c
    struct cpu_probe sim_probe; ///< what the last step of one accessed
    struct {
        gpa_t line; ///< 0: none
        u32 writer; ///< CPU that may still be about to do it
        unsigned samples;
        char text[400];
    } code_pending; ///< a finding of lint_code.c that maintenance may still take back
    struct {
        gpa_t line[16]; ///< of new code whose IC no DSB and ISB was seen to follow
        unsigned count, looks;
    } barriers; ///< lint_barriers.c
    char *log_tail;          ///< last lines of a printk ring found in guest memory

    struct os_thread sampler;
    struct os_mutex lock;
    struct os_cond wake;
    bool stop;
    char console[CONSOLE_TAIL]; ///< the end of what the guest printed, terminated
    unsigned console_len;
    _Atomic u64 console_bytes;  ///< printed so far
    u64 console_sampled;        ///< ... when last sampled
    unsigned silent_samples;
    u8 dtb_head[8]; ///< of the device tree, as loaded
    u64 ring;  ///< offset of the printk ring in the kernel's memory, plus 1; 0: not found yet
};

/* ---- explain.c ---- */

/// CPUs on threads of their own come through hooks at the same time. What is kept per CPU (watch_of) needs no
/// lock; all else does. It may be taken again by who has it, and comes before the machine's locks.
static inline void explain_lock(struct explain *x)
{
    if (x->cpus > 1)
        os_mutex_lock(&x->busy);
}
static inline void explain_unlock(struct explain *x)
{
    if (x->cpus > 1)
        os_mutex_unlock(&x->busy);
}
/// Says a finding once per id (when `once`), notes it for the report, and ends the machine under
/// --lint=error. Costs nothing when lints are off.
void explain_say(struct explain *x, struct cpu *c, const char *id, bool once, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
/// The bit of x->said for a catalogue id.
u64 said_bit(const char *id);
static inline bool is_said(const struct explain *x, const char *id) { return x->said & said_bit(id); }
/// Ends the machine with this verdict.
void explain_doom(struct explain *x, struct cpu *c, enum verdict v);
static inline bool is_strict(const struct explain *x) { return x->cfg.lint == MACHINE_LINT_STRICT; }
static inline struct cpu_watch *watch_of(struct explain *x, const struct cpu *c) { return &x->cpu[c->index]; }
/// The registers of translation, vectors and FP access of the level that runs.
void fault_registers(const struct cpu *c, struct fault *f);
/// Fills f from a CPU that just took an exception (or would: a machine that stopped).
void fault_fill(struct explain *x, struct cpu *c, struct fault *f, u32 kind, u64 from_pc);

/* ---- loop.c: exceptions in a row ---- */
/// The first exception since a return.
void loop_begin(struct cpu_watch *w, u64 from_pc);
/// One came from the same level before the last one returned: counts, and decides.
void loop_nested(struct explain *x, struct cpu *c, u64 from_pc);
/// A synchronous one from the same level after a return: is it where that went?
void loop_retried(struct explain *x, struct cpu *c, u64 from_pc, u64 far);
void loop_not_retried(struct cpu *c, struct cpu_watch *w);
void loop_eret(void *ctx, struct cpu *c);

/* ---- names.c: symbols, syndromes, boards ---- */

/// "memcpy+0x14" or "" for an address of the guest.
const char *name_addr(struct explain *x, u64 addr, char *buf, size_t size);
/// "0x40080014 memcpy+0x14".
const char *name_full(struct explain *x, u64 addr, char *buf, size_t size);
/// Symbol address in the guest. ret  false when there is no such symbol
bool name_find(struct explain *x, const char *symbol, u64 *addr);
const char *ec_name(u32 ec);
/// "translation fault, level 1".
const char *fsc_name(u32 fsc, char *buf, size_t size);
/// "UART 0 (PL011) of Raspberry Pi 3"; NULL when the address is of no board known here.
const char *board_at(gpa_t pa, char *buf, size_t size);
/// What lies at a physical address: "ram", "pl011", "kernel image", "device tree", "nothing".
const char *place_name(struct explain *x, gpa_t pa, char *buf, size_t size);
bool is_ram(struct explain *x, gpa_t pa);
/// Reads guest memory by a virtual address, and where the tables no longer map it from where it was loaded.
bool image_read(struct explain *x, struct cpu *c, gva_t va, void *dst, size_t len);
/// Where an address of the upper half most likely should lead: by the mapping of pc, or where the program was loaded.
/// ret  false when that cannot be told; an address of the lower half is its own
bool linear_pa(struct explain *x, struct cpu *c, gva_t pc, gva_t va, gpa_t *pa);
/// Name of a system register of any exception level, by its MRS/MSR encoding word.
const char *sysreg_word_name(u32 word, char *buf, size_t size);

/// "TLBI ALLE1" of a SYS word, or its general form.
const char *sys_op_name(u32 word, char *buf, size_t size);

/* ---- hooks.c ---- */

/// Tells a CPU of the hooks.
void hooks_install(struct explain *x, struct cpu *c);
/// A firmware tells of phases from here on: all fills and TLBIs are of interest.
void hooks_handoff(struct explain *x);
/// A timeout was set: its report shows where the time went.
bool explain_is_fine(const struct explain *x);
/// SVC, HVC or SMC.
bool is_call(u64 esr);

/* ---- rehearse.c ---- */

enum rehearsal_end {
    REH_LOOP,    ///< back in a state seen before: it never ends
    REH_IMPURE,  ///< an instruction with effects or inputs that cannot be rehearsed
    REH_LIMIT,
    REH_FAULT,   ///< would take an exception
};
/// Puts the rehearsal CPU into the state of c.
void rehearse_begin(struct explain *x, struct cpu *c);
/// Executes one instruction of the rehearsal. allow_store: stores are dropped, not refused.
/// ret  false when it cannot go on; end says why
bool rehearse_step(struct explain *x, bool allow_store, enum rehearsal_end *end);
/// The same for a look ahead: system instructions, which the lints look at themselves, are passed over. i: decoded at its pc.
/// ret  false: it cannot be known how it goes on
bool rehearse_over(struct explain *x, const struct insn *i);

/* ---- hot.c ---- */

enum { HOT_BLOCKS = 256 };
struct hot_block {
    u64 pc;
    u32 samples;
    u8 el;
};
void hot_count(struct explain *x, struct cpu *c);
/// Most samples first. ret  NULL when there were none
const struct hot_block *hot_top(struct explain *x, unsigned *count, u64 *total);

/* ---- trail.c ---- */
/// Turns the marks that translated code left in a trail into transfers. end: where the CPU is now, or 0 when an exception
/// was the last of them
void trail_resolve(struct cpu *c, struct trail *t, u64 end);
/// Every transfer is written down: true of interpreted code, and of translated code while cpu.full_trail.
bool trail_is_complete(struct explain *x, const struct cpu *c);
/// Whether control could go from one address to another without a transfer: false when some are missing between.
bool trail_is_straight(struct explain *x, struct cpu *c, u64 from, u64 to);

/* ---- prove.c ---- */

enum proof_result {
    PROOF_ENDS,    ///< it leaves the loop, or does what cannot be rehearsed
    PROOF_ENDLESS,
    PROOF_LIMIT,
};
enum { TOUCHED_MAX = 1024 };
/// The memory that a loop reads, and what it changes: sets of words of 8 bytes.
struct touched {
    gpa_t read[TOUCHED_MAX], write[TOUCHED_MAX];
    bool full;
};
/// ret  true when what one changes may be what the other reads
bool touched_meet(const struct touched *writer, const struct touched *reader);
/// Proves that c never leaves its loop unless an interrupt is taken or somebody else writes to memory.
/// out  reads_ram  the loop looks at memory that others might write
/// out  touched    or NULL
enum proof_result prove_endless(struct explain *x, struct cpu *c, unsigned steps_max, bool *reads_ram, struct touched *touched);

/* ---- stuck.c ---- */
void stuck_sample(struct explain *x, struct cpu *c);
/// At a sample: another CPU may have called all to stand still.
void stuck_meet(struct explain *x, struct cpu *c);

struct why;
/* ---- lint_*.c: one file a topic ---- */
/// Makes names of EL1 in a text those of EL2, in place.
void name_for_el2(char *text);
void lint_sysreg_write(struct explain *x, struct cpu *c, u32 sr, u64 old_val, u64 new_val); ///< F05
void lint_unsynced(struct explain *x, struct cpu *c, u32 kind, u64 esr, u64 from_pc);       ///< F05
void lint_entry(struct explain *x, struct cpu *c, gva_t va, gpa_t pa);                      ///< F07
void lint_cpu_on(struct explain *x, struct cpu *c);                                         ///< F07
void lint_table_registers(struct explain *x, struct cpu *c, gva_t va);                      ///< F08
void lint_waker(struct explain *x, struct cpu *c);                                          ///< F13
void lint_stack_fill(struct explain *x, struct cpu *c, gva_t va);                           ///< F14
void lint_stack_at(struct explain *x, struct cpu *c, u64 sp, u64 pc);                       ///< F14
void lint_atomic(struct explain *x, struct cpu *c, gva_t va, gpa_t pa);                     ///< F15
void lint_type(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr, bool ram);    ///< F16
void lint_share(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh);      ///< F16
void lint_alias(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh, bool write);      ///< F16
/// Fills of mappings that were seen here need not come back.
void lint_alias_publish(struct explain *x, struct cpu *c);
void lint_alias_free(struct explain *x);
void lint_tables_fill(struct explain *x, struct cpu *c, gva_t va);                          ///< F17
void lint_tables_fault(struct explain *x, struct cpu *c, gva_t va, u64 pc);                 ///< F17
void lint_tables_op(struct explain *x, struct cpu *c, u32 enc, u64 val);                    ///< F17
void lint_interrupt(struct explain *x, struct cpu *c, u32 kind, u64 from_pc, bool returned);               ///< F21
void why_storm(struct explain *x, struct why *out);
void lint_tables_free(struct explain *x);
void lint_code_fill(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr);         ///< F06
void lint_code_open(struct explain *x, gpa_t pa);
void lint_code_store(struct explain *x, struct cpu *c, gpa_t pa, unsigned size);
/// DC, IC of everything or by set and way. enc 0: caches were switched on or off, which counts as maintenance of
/// everything before.
void lint_code_op(struct explain *x, struct cpu *c, u32 enc);
void lint_code_line(struct explain *x, struct cpu *c, u32 enc, gpa_t pa);
void lint_code_run(struct explain *x, struct cpu *c, gpa_t pa);
void lint_code_load(struct explain *x, struct cpu *c, gpa_t pa, unsigned size);             ///< L1
void lint_code_host_write(struct explain *x, gpa_t pa, u64 len);                            ///< L1
void lint_code_sample(struct explain *x, struct cpu *c);
/// F06: the barriers after a DC (old bytes were cleaned from this line) or an IC (removed), both at c->pc.
void lint_barriers(struct explain *x, struct cpu *c, gpa_t line, bool ic);
/// What an instruction was before it was overwritten without cache maintenance, and by whom (0: not known).
/// ret  false when it was not
bool lint_code_was(struct explain *x, gpa_t pa, u32 *old, u64 *writer);

/* ---- handoff.c, lint_handoff.c ---- */

/// Between the start of an EFI application and the first instruction at EL0.
bool handoff_active(const struct explain *x);
/// The id to report under: in_handoff while handoff_active.
const char *handoff_id(const struct explain *x, const char *in_handoff, const char *otherwise);
void handoff_free(struct explain *x);
/// Exit code of an EFI application that came back with an error; 0: none did
int handoff_returned(const struct explain *x);
const char *handoff_returned_text(const struct explain *x);
/// "app.efi+0x1234", "(firmware)" or "" for an address while an EFI application runs.
const char *handoff_name(const struct explain *x, u64 addr, char *buf, size_t size);
void handoff_fill(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, bool write, bool exec);
void handoff_other_level(struct explain *x, struct cpu *c, u32 sr, u64 old_val, u64 new_val); ///< any register
void handoff_sysreg(struct explain *x, struct cpu *c, u32 sr, u64 old_val, u64 new_val);
void handoff_cache_op(struct explain *x, struct cpu *c, u32 enc);
void handoff_exception(struct explain *x, struct cpu *c, u32 kind, u64 esr, u64 far, u64 from_pc);
void handoff_load(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, unsigned size);

/* ---- why.c: from evidence to a catalogue entry ---- */

struct why {
    char id[4];
    char title[120];
    char cause[800];
    char fix[560];
};
void why_fault(struct explain *x, const struct cpu_watch *w, const struct fault *f, struct why *out);
void why_idle(struct explain *x, struct why *out); ///< deadlock and stuck without a fault
/// Group 0 is on in this CPU's interface: interrupts may come as FIQ.
bool fiq_may_come(struct explain *x, struct cpu *c);
/// " (INTID 27, the virtual timer)" of what is pending or active; "" when that is not known.
const char *pending_interrupt(struct explain *x, struct cpu *c, char *buf, size_t size);
void idle_state(struct explain *x, struct cpu *c, char *buf, size_t size);
bool why_panic(struct explain *x, struct why *out);
/// A program that stopped itself, as a panic of its own. ret  false when it is none
bool why_stopped(struct explain *x, struct why *out);

/* ---- linux.c ---- */

/// The last lines of a printk ring in guest memory, newline-separated, to be freed; or NULL.
char *linux_log_tail(struct explain *x, unsigned lines);
/// True when the printk ring in memory holds a panic.
/// thorough: all of the kernel's memory is searched, not only the ring found before.
bool linux_has_panic(struct explain *x, bool thorough);

/* ---- report.c ---- */
void report_write(struct explain *x, const struct machine_exit *e, int status, const struct why *w,
                  const struct fault *f);

const char *verdict_name(enum verdict v);

#endif
