/// State of one AArch64 processing element and the calls that change it. Sources: Arm ARM
/// (DDI 0487), "AArch64 System Level Programmers' Model".
#ifndef BRUIN_CPU_H
#define BRUIN_CPU_H

#include "base/base.h"
#include "mem/mem.h"
#include "os/os.h"

#include <stdatomic.h>

/// Indices of cpu.x beyond x0..x30. The decoder maps register number 31 to one of them, so that
/// instruction bodies never test for it.
enum { REG_SP = 31, REG_ZR = 32, REG_SINK = 33, REG_COUNT = 34 };

/// cpu.nzcv: the layout that `lahf; seto al` leaves in ax, with C in Arm polarity.
enum { FLAG_N = 1 << 15, FLAG_Z = 1 << 14, FLAG_C = 1 << 8, FLAG_V = 1 << 0 };

/// cpu.daif holds D, A, I, F at their DAIF-register positions 9..6.
enum { DAIF_D = 1 << 9, DAIF_A = 1 << 8, DAIF_I = 1 << 7, DAIF_F = 1 << 6 };

/// cpu.attention: reasons to leave straight-line execution; tested at loop edges.
enum {
    ATT_IRQ = 1 << 0,    ///< an interrupt wire may have risen
    ATT_KICK = 1 << 1,   ///< someone wants this vCPU out of run()
    ATT_TIMER = 1 << 2,  ///< a timer deadline passed: cpu_timer_update
    ATT_CODE = 1 << 3,   ///< code under the running block may have changed
    ATT_COUNT = 1 << 4,  ///< the instruction budget is used up (deterministic mode)
    ATT_DOOM = 1 << 5,   ///< the explainer declared the machine dead
    ATT_SAMPLE = 1 << 6, ///< the explainer wants to look: cpu_hooks.sample
    ATT_PEER = 1 << 7,   ///< another CPU waits for what it asked: cpu_serve_peers
};

/// What an instruction body returns.
enum exec_status {
    EXEC_NEXT = 0,   ///< continue at pc + 4 (the caller advances pc)
    EXEC_BRANCH = 1, ///< pc was set: branch, or an exception was taken
    EXEC_EXIT = 2,   ///< cpu.exit says why; pc is where execution resumes
};

enum cpu_exit_kind {
    EXIT_NONE,
    EXIT_KICK, ///< cpu_kick, or the instruction budget ran out
    EXIT_WFI,  ///< nothing to do until an interrupt wire rises
    EXIT_HVC,  ///< imm16 in exit.value; pc is after the instruction
    EXIT_SMC,
    EXIT_BRK,   ///< only when cpu.brk_exits; pc is at the BRK
    EXIT_HLT,   ///< semihosting HLT #0xf000 when cpu.semihosting; pc is after it
    EXIT_DEBUG, ///< breakpoint, watchpoint or step; exit.addr is its address
    EXIT_DOOM,  ///< the explainer's hook declared the machine dead
    EXIT_FAIL,  ///< the engine found itself wrong (--check); its report method says how
};
struct cpu_exit {
    enum cpu_exit_kind kind;
    u64 value;
    u64 addr;
    u32 syndrome;
};

union vreg {
    u8 b[16];
    u16 h[8];
    u32 s[4];
    u64 d[2];
    s8 sb[16];
    s16 sh[8];
    s32 ss[4];
    s64 sd[2];
};

/// One soft-TLB entry. tag is the virtual page address (low 12 bits clear) or empty (tlb_empty);
/// host address = virtual address + addend.
struct tlb_ent {
    u64 tag;
    u64 addend;
};
enum { TLB_BITS = 12, TLB_SIZE = 1 << TLB_BITS, SLOT_COUNT = 512, CTX_EL0_MAX = 8, CTX_BLOCKS = 8, CTX_COUNT = 6 + CTX_EL0_MAX };

/// The tag of an empty entry with index k. Translated code finds an access of n bytes in an entry when
/// va - tag <= 4096 - n, so no va that belongs to the entry may be that close to its tag.
static inline u64 tlb_empty(unsigned k) { return k == 0 || k == TLB_SIZE - 1 ? (u64)TLB_SIZE / 2 << GUEST_PAGE_SHIFT | 1 : ~0ULL; }
static inline bool tlb_is_empty(u64 tag) { return tag & 1; }

/// What a soft-TLB entry maps to, for slow paths: parallel to mmuctx.r, .w and .x.
struct tlb_info {
    gpa_t pa;  ///< page address
    u8 device; ///< memory type is Device
    u8 global; ///< nG = 0
};

/// A translation remembered by one instruction site of translated code: the site hits when
/// va - page < limit (unsigned), so limit 0 never hits and a span of n bytes has limit 4097 - n.
struct slot_ent {
    u64 addend, limit;
};

/// Translations of one translation regime, privilege and address space. Switching address
/// spaces swaps a pointer. Only RAM enters; Device memory always takes the slow path.
struct mmuctx {
    struct tlb_ent r[TLB_SIZE]; ///< first: translated code needs no displacement for it
    u64 slot_page[SLOT_COUNT]; ///< pages of the slots, together because TLBI searches them
    struct slot_ent slot[SLOT_COUNT]; ///< by instruction site: the translator's (slot_* below)
    struct tlb_ent w[TLB_SIZE], x[TLB_SIZE];
    struct tlb_info ri[TLB_SIZE], wi[TLB_SIZE], xi[TLB_SIZE];
    u64 ttbr0;         ///< EL0: the TTBR0_ELx value (with ASID) this context belongs to
    u64 vm;            ///< EL0: the tables below it: VM_NONE, VM_HOST, or VTTBR_EL2 | 1
    u64 code_gen;      ///< changes whenever a translation for execution may have changed
    u64 last_use;      ///< for replacement
    bool has_nonglobal; ///< EL1: an nG=1 entry was put here
    bool has_low;       ///< holds addresses of the lower half
    bool has_high;      ///< holds addresses of the upper half
    bool stale;         ///< must be emptied before it is selected again
    u64 used_r, used_w, used_x; ///< groups of TLB_SIZE / 64 entries that may hold something
    u64 x_lost[16];     ///< hashed set of pages whose execution entry was replaced by another's
    struct { u64 lo, hi; } block[CTX_BLOCKS]; ///< ranges that hold pieces of block mappings
    u8 block_count;
    u8 el;
    u8 number; ///< of the contexts of its CPU, below CTX_COUNT
    bool pan;
};

/// Slots are copies of r and w entries: whoever drops those drops these.
///
/// The rule of what may be dropped when: entries and slots may be dropped, replaced or emptied, and
/// cpu.ctx may change, in any slow path: in hooks, in devices, below cpu_ld and cpu_st. Translated code
/// relies on a check within one instruction, and within a block for the accesses around one base, whose
/// addend it keeps (jit/access.c). So whoever takes a translation away (as opposed to replacing an
/// entry by another one, which leaves what was copied from it true) sets cpu.tlb_dropped, and every way
/// from C back into the middle of a block tests it: the block is left after the instruction. C code uses
/// an entry at once or looks it up again. Only the thread that runs the CPU may do any of this, or
/// any thread while nobody runs it. BRUIN_JIT_DROP makes it happen (tlb_stress.c).
enum { DROPPED_DATA = 1, DROPPED_ALL = 2 }; ///< cpu.tlb_dropped: of loads and stores; and of execution, or another ctx
static inline void slot_clear(struct mmuctx *x) { memset(x->slot, 0, sizeof x->slot); }
/// Drops the slots of a virtual page, whatever their top byte (TBI).
void slot_drop_va(struct mmuctx *x, gva_t page);
/// Drops the slots that map the host page at `host` (a page that now holds code).
static inline void slot_drop_host(struct mmuctx *x, const void *host)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        if (x->slot_page[i] + x->slot[i].addend == (u64)(uintptr_t)host)
            x->slot[i].limit = 0;
}

/// Whose addresses stage 1 translates: no hypervisor below, the EL2&0 regime, else VTTBR_EL2 | 1.
enum { VM_NONE = 0, VM_HOST = 2 };

/// A page may run as translated code although its execution entry was replaced.
static inline unsigned x_lost_bit(gva_t page) { return (unsigned)((page << 8 >> 20) * 0x9e3779b97f4a7c15ULL >> 54); }

struct cpu;

/// Added to the encoding of an ICC_* register: EL2 has interrupts of that kind, so EL1 means the
/// virtual interface (ICV_*).
enum { CPU_ICC_VIRTUAL_IRQ = 1 << 16, CPU_ICC_VIRTUAL_FIQ = 1 << 17 };
/// The GIC CPU interface, reached through system registers ICC_*; attached by the board.
struct cpu_icc_ops {
    /// enc: SYSREG_ENC of the register. ret  false: UNDEFINED.
    bool (*read)(void *ctx, u32 enc, u64 *val);
    bool (*write)(void *ctx, u32 enc, u64 val);
    void *ctx;
};

/// Hooks of the explainer. Each may be NULL; all sit on slow paths.
struct cpu_hooks {
    void *ctx;
    /// After an exception was taken: PC, ELR, ESR, FAR of the target EL are set.
    /// kind: offset in the vector table (0x000 sync .. 0x780 SError).
    void (*exception)(void *ctx, struct cpu *c, u32 kind, u64 esr, u64 far, u64 from_pc);
    /// After an exception return, with the new state, while watches_eret.
    void (*eret)(void *ctx, struct cpu *c);
    /// Before a system register changes (after access checks). sr: enum sysreg_id.
    void (*sysreg_write)(void *ctx, struct cpu *c, u32 sr, u64 old_val, u64 new_val);
    /// After a translation was entered into the soft TLB, except as cpu_audited says. write/exec: kind of access.
    void (*tlb_fill)(void *ctx, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh, bool write,
                     bool exec);
    /// An access nothing answers (external abort follows).
    void (*bad_access)(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size, bool write,
                       u64 val);
    /// Known code is about to be executed although its bytes changed without IC IVAU.
    void (*stale_code)(void *ctx, struct cpu *c, gpa_t pa);
    /// An exclusive or atomic access to Device memory.
    void (*device_atomic)(void *ctx, struct cpu *c, gva_t va, gpa_t pa);
    /// Before DC and IC of everything, or by set and way.
    void (*cache_op)(void *ctx, struct cpu *c, u32 enc);
    /// DC and IC by address, where memory is MEM_SUSPECT_RUN.
    void (*cache_line)(void *ctx, struct cpu *c, u32 enc, gpa_t pa);
    /// Before TLBI; val as in the operand.
    void (*tlbi)(void *ctx, struct cpu *c, u32 enc, u64 val);
    /// Before a store or an atomic access to a page that holds known code.
    void (*code_store)(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size);
    /// Before a page that is MEM_SUSPECT_OPEN is entered into the soft TLB for writing: its stores are not told.
    void (*code_open)(void *ctx, struct cpu *c, gpa_t pa);
    /// RAM accessed through a Device mapping, or a device through a Normal one (MMU on).
    void (*wrong_type)(void *ctx, struct cpu *c, gva_t va, gpa_t pa, u8 attr, bool is_ram);
    /// A load from a page of mem_watch_loads, before it.
    void (*watched_load)(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size);
    /// At a loop edge after ATT_SAMPLE, before interrupts are taken: the state is exact.
    void (*sample)(void *ctx, struct cpu *c);
    void (*psci)(void *ctx, struct cpu *c, u64 fn, bool smc);
    /// After a firmware call, with its result.
    void (*psci_done)(void *ctx, struct cpu *c, u64 fn, u64 ret);
};

/// A CPU with a probe is a rehearsal: its stores go nowhere, loads read RAM only, and accesses are
/// written down here instead of raising exceptions or reaching devices.
struct cpu_probe {
    gva_t va;       ///< of the last access
    unsigned size;
    bool stored, loaded;
    bool blocked; ///< the last access cannot be rehearsed: device memory, a fault, an atomic
    /// Where not NULL: does an access of 1 to 16 bytes instead. ret  false: it cannot be rehearsed
    bool (*access)(struct cpu *c, struct cpu_probe *p, gva_t va, unsigned size, bool write, u64 *val);
    u64 atomic[2] __attribute__((aligned(16))); ///< with access: where a read-modify-write happens; to be stored when it is over
    bool is_atomic;
};

/// While two engines run the same instructions to be compared (accel/check.c): memory about to be
/// written is announced, and an access that would reach a device is not made.
struct cpu_twice {
    void (*page)(void *ctx, gpa_t page, u8 *host); ///< before the first store through each soft-TLB entry
    void *ctx;
    bool blocked; ///< the instruction at pc wants a device: nothing of it was done
};

/// What a user asks of the engine; borrowed for the life of the CPU.
struct cpu_engine_opts {
    bool check;   ///< run everything in the translator and in the interpreter, and compare
    bool profile; ///< count how often blocks run
    const char *perf_map; ///< file that names translated code for `perf`, or NULL
    /// "symbol+0x10" of an address. ret  false when nothing is known
    bool (*name)(void *ctx, gva_t va, char *buf, size_t size);
    void *name_ctx;
};

/// TRAIL_ENDING: code that is translated from now on does not; what there is goes on.
enum trail_mode { TRAIL_SPARSE, TRAIL_FULL, TRAIL_ENDING };
/// Last control transfers, newest at (head - 1) & (TRAIL_LEN - 1). from = TRAIL_MARK: a block of translated code began at
/// `to`; how it was reached is found out when someone asks (debug/trail.c).
enum { TRAIL_LEN = 64, TRAIL_MARK = 1 };
struct trail {
    struct { u64 from, to; } e[TRAIL_LEN];
    u32 head;
};

/// A system register that was written and takes effect at the next context synchronisation event.
enum { SYSREGS_PENDING_MAX = 16 };
struct sysreg_pending {
    u32 id; ///< enum sysreg_id
    gva_t pc; ///< of the first MSR since the last event
    u64 val;
};

/// Why a debugger stopped: id of the point, 0 none.
enum { DBG_SHOWN_MAX = 16 };
struct dbg_hit {
    u32 id;
    bool is_watch, write, physical;
    unsigned size;   ///< of the access that was seen first
    unsigned shown;  ///< bytes at `at` whose old value is known
    u64 pc, va, at;  ///< at: the first watched byte that was accessed, by the watchpoint's kind of address
    u8 old[DBG_SHOWN_MAX]; ///< before the instruction
};
struct dbg;

/// What CPUs ask of each other's soft TLBs (peers.c).
enum cpu_ask {
    ASK_TLBI,    ///< tlb_invalidate
    ASK_PROTECT, ///< val: a page was found to hold code
};
struct cpu_request {
    u8 what;    ///< enum cpu_ask
    u8 cls, op; ///< as tlb_invalidate takes them
    bool flag;
    bool has_asid; ///< it concerns addresses of one address space only
    u16 asid;
    u64 val;
};
enum { CPU_INBOX_MAX = 32, CPU_PEERS_MAX = 128 };
struct cpu_inbox {
    struct os_mutex lock;
    struct cpu_request r[CPU_INBOX_MAX];
    u32 count;
    bool is_full;               ///< more were posted: everything is dropped
    _Atomic u64 posted, served; ///< so many
};

#include "cpu/sysreg_id.h"
#include "cpu/trace.h"

/// Translation regimes. Arm ARM, "Translation regimes".
enum cpu_regime {
    REGIME_EL10, ///< EL1 and EL0
    REGIME_EL2,  ///< EL2 alone (HCR_EL2.E2H = 0)
    REGIME_EL20, ///< EL2, and EL0 when HCR_EL2.TGE = 1 (HCR_EL2.E2H = 1)
};
/// Registers of a regime, by enum cpu_regime.
struct cpu_regime_regs {
    u8 sctlr, tcr, ttbr0, ttbr1, mair;
};
extern const struct cpu_regime_regs cpu_regime_regs[3];
/// Registers of the exception level that takes an exception, by level (1 and 2).
struct cpu_el_regs {
    u8 spsr, elr, esr, far, vbar, sctlr;
};
extern const struct cpu_el_regs cpu_el_regs[3];

/// Guest time between two readings of cpu.now_ns, from os_cycles(): ns + (cycles - at) * rate / 2^64, less than
/// `window` cycles after `at`. It runs a little slow, so that it is never ahead of the clock.
struct cpu_clock {
    bool on; ///< the machine has one CPU, and time is the host's
    u64 at, ns, window, rate, window_max;
    u64 from_cycles, from_ns; ///< host time where the rate is being measured from
};

/// cpu.mode and cpu.align_strict as they were made of these registers at one level, with one stack pointer (cpu.c).
struct cpu_known_mode {
    u64 sctlr, tcr, cpacr;
    u32 fpcr, mode, align_strict;
    bool valid;
};

/// Fills that hooks.tlb_fill need not be told of: for loads and stores of a page of RAM whose byte here is the memory
/// attributes of the mapping.
struct cpu_audited {
    const u8 *attr; ///< [pages]; 0: no such mapping was told
    gpa_t base;
    u64 pages;      ///< 0: all are told
    bool shared;    ///< Non-shareable mappings are told all the same
};

struct cpu {
    /* Hot: emitted code addresses this struct from `(char *)cpu + 168` with 8-bit displacements. */
    u64 x[REG_COUNT]; ///< x0..x30, the current SP, zero, write sink
    u64 pc;
    u16 nzcv;
    u16 pad0;
    _Atomic u32 attention;
    u64 jit_page; ///< virtual page the translated code runs in
    u32 mode; ///< key of translated code: MODE_* bits, kept by cpu_update_mode
    u32 daif;
    struct mmuctx *ctx;        ///< translations for the current EL
    struct mmuctx *ctx_unpriv; ///< for LDTR/STTR: EL0's, or ctx at EL0
    u64 excl_va, excl_val[2];  ///< exclusive monitor: address (EXCL_NONE when open), value, size
    u32 excl_size;
    u32 align_strict; ///< all ones when every unaligned access faults (MMU off or SCTLR.A)
    u64 icount;       ///< instructions executed by the interpreter, or counted in deterministic mode
    union vreg v[32] __attribute__((aligned(16)));
    u32 fpcr, fpsr;
    u64 jit[32]; ///< the translator's hot words (jit/jit.h names them)

    /* Processor state. */
    u8 el, sp_sel, pan, ss, il;
    u8 has_el2, has_vhe; ///< the CPU has EL2, and FEAT_VHE (cpu_enable_el2)
    u8 regime; ///< enum cpu_regime of the current EL, kept by cpu_update_mode
    u8 stage2; ///< the current EL's addresses are translated by stage 2 too
    u64 sp_bank[4];          ///< SP_ELn, stale for the one that is live in x[REG_SP]
    u64 sr[SYSREG_COUNT];    ///< by enum sysreg_id

    /* Interrupt wires and events. */
    _Atomic u32 irq_lines; ///< CPU_LINE_* bits
    _Atomic u32 event;     ///< WFE event register

    /* Address translation. */
    struct mmuctx *ctx_off, *ctx_el1, *ctx_el1_pan;
    struct mmuctx *ctx_el2, *ctx_el2_pan; ///< NULL without EL2
    struct mmuctx *ctx_none;  ///< always empty: stands for an EL0 context not yet looked up
    struct mmuctx *ctx_user;  ///< of the current TTBR0 and ASID, or NULL when not yet looked up
    struct mmuctx *ctx_el0[CTX_EL0_MAX];
    u64 ctx_clock;
    u64 el1_vm;  ///< mmuctx.vm of what the EL1 contexts hold
    u64 user_vm; ///< mmuctx.vm that EL0 contexts must have now
    struct {
        u64 ipa;
        u8 is_set, in_walk; ///< in_walk: an access to the stage 1 tables
    } s2_fault; ///< the translation that failed last failed in stage 2
    u32 tlb_dropped; ///< DROPPED_*: translations were taken away since translated code was entered
    struct tlb_stress *tlb_stress; ///< tests: drops translations in slow paths, or NULL
    struct {
        gva_t page; ///< 0: none
        gpa_t pa;
    } op_page; ///< of cache maintenance: where mmu_op_pa found it last
    struct {
        gva_t page;
        gpa_t pa;
        const struct mmuctx *ctx; ///< NULL: none
    } code_page; ///< a page with code, which the TLB does not hold for writing: where the last store to one went
    u64 sp_set;         ///< where SP was put last by more than a step: a stack of its own begins near
    u64 sp_set_bank[4], sp_left[4]; ///< of the stack pointers that are not in use: the same, and their values when left
    u64 erets, eret_pc; ///< exception returns so far, and where the last one went
    bool watches_eret;  ///< call hooks.eret
    u64 eret_spsr;      ///< ... and with what state
    u64 eret_irq;       ///< value of erets at the last one that found an interrupt wire up
    u64 hook_calls; ///< of the explainer's checks that --lint off leaves out
    u64 tlb_fills, tlb_flushes, walks, exceptions, unknown_sysregs;

    /* The world around. */
    struct mem *mem;
    struct cpu_icc_ops icc;
    struct cpu_hooks hooks;
    struct cpu_audited audited;
    struct cpu_known_mode known_mode[4]; ///< [EL1, SPSel]
    struct cpu_exit exit;
    struct trail trail;
    u8 full_trail; ///< enum trail_mode: translated code writes every block it runs into the trail
    u32 index; ///< vCPU number
    /// All CPUs of the machine, this one too, for what must reach each (peers.c). NULL: alone.
    struct cpu *const *peers;
    u32 peer_count;
    bool on_thread;      ///< each of them runs on a thread of its own; else they take turns on one
    _Atomic bool in_run; ///< ... and this one may be using its TLB
    _Atomic u16 asid;    ///< ... of this address space
    struct cpu_inbox inbox;
    /// SEV: the other CPUs' events, with timer_ctx. NULL: alone
    void (*send_event)(void *ctx);
    bool watch_armed; ///< watchpoints: no access may use the soft TLB
    struct trace *trace; ///< event ring (trace.h), or NULL
    struct dbg *dbg;  ///< external debugger (dbg.h), or NULL
    bool dbg_watching; ///< it has watchpoints
    u64 dbg_resume_pc; ///< its breakpoint here is passed over once
    u64 dbg_pass_pc;   ///< accesses of the instruction here do not stop for gdb: it was told of them
    struct dbg_hit dbg_hit;
    bool brk_exits, semihosting;
    bool delays_sysregs; ///< strict checks: writes of translation and control registers wait for a
                         ///< context synchronisation event, as silicon may have it
    bool tells_uncached; ///< strict checks: exclusives and atomics on Non-cacheable memory, or while SCTLR.C is 0, call hooks.device_atomic
    u8 pending_count;
    u8 unsynced; ///< so many of pending[] were applied only by the exception just taken
    struct sysreg_pending pending[SYSREGS_PENDING_MAX];
    bool lenient;       ///< unaligned accesses to Device memory work, as on emulators
    bool single;        ///< stop after one instruction (EXIT_DEBUG)
    u64 budget;         ///< icount at which run() returns EXIT_KICK; ~0 = none
    /// Nanoseconds of guest time; deterministic machines derive it from icount.
    u64 (*now_ns)(void *ctx);
    void *now_ctx;
    struct cpu_clock clock;
    /// Called when the next timer deadline changed. deadline_ns ~0 = none.
    void (*timer_arm)(void *ctx, struct cpu *c, u64 deadline_ns);
    void *timer_ctx;
    /// Timer output wires to the interrupt controller: enum cpu_timer.
    void (*timer_irq)(void *ctx, struct cpu *c, unsigned which, bool level);
    u8 timer_level[4];
    u64 rng;
    void *engine; ///< private data of the accelerator
    struct cpu_probe *probe; ///< NULL in every CPU that really runs
    struct cpu_twice *twice; ///< NULL but in a stretch that is being compared
    const struct cpu_engine_opts *engine_opts; ///< NULL: nothing special
};
#define EXCL_NONE (~0ULL)

/// cpu.irq_lines. The virtual ones are for EL1 and EL0 when HCR_EL2 routes physical ones to EL2.
enum { CPU_LINE_IRQ = 1, CPU_LINE_FIQ = 2, CPU_LINE_VIRQ = 4, CPU_LINE_VFIQ = 8, CPU_LINE_HCR = 16 /* VI, VF or VSE */ };
/// Timers by number: of EL0 and EL1 (virtual, physical), of EL2.
enum cpu_timer { TIMER_VIRT, TIMER_PHYS, TIMER_HYP_PHYS, TIMER_HYP_VIRT, TIMER_COUNT };

/// HCR_EL2.
#define HCR_VM (1ULL << 0)
#define HCR_FMO (1ULL << 3)
#define HCR_IMO (1ULL << 4)
#define HCR_AMO (1ULL << 5)
#define HCR_VF (1ULL << 6)
#define HCR_VI (1ULL << 7)
#define HCR_VSE (1ULL << 8)
#define HCR_FB (1ULL << 9)
#define HCR_DC (1ULL << 12)
#define HCR_TWI (1ULL << 13)
#define HCR_TWE (1ULL << 14)
#define HCR_TID1 (1ULL << 16)
#define HCR_TID2 (1ULL << 17)
#define HCR_TID3 (1ULL << 18)
#define HCR_TSC (1ULL << 19)
#define HCR_TIDCP (1ULL << 20)
#define HCR_TACR (1ULL << 21)
#define HCR_TSW (1ULL << 22)
#define HCR_TPC (1ULL << 23)
#define HCR_TPU (1ULL << 24)
#define HCR_TTLB (1ULL << 25)
#define HCR_TVM (1ULL << 26)
#define HCR_TGE (1ULL << 27)
#define HCR_TDZ (1ULL << 28)
#define HCR_HCD (1ULL << 29)
#define HCR_TRVM (1ULL << 30)
#define HCR_RW (1ULL << 31)
#define HCR_CD (1ULL << 32)
#define HCR_ID (1ULL << 33)
#define HCR_E2H (1ULL << 34)
#define HCR_HOST (HCR_E2H | HCR_TGE)
/// The counter runs at this rate, as QEMU's virt board publishes.
#define CNTFRQ_HZ 62500000ULL
#define CNT_NS_SHIFT 4 /* 1e9 / CNTFRQ_HZ = 16 ns per tick */

/// cpu.mode bits.
enum {
    MODE_EL1 = 1 << 0, ///< EL1 or EL2: not EL0
    MODE_SPSEL = 1 << 1,
    MODE_MMU = 1 << 2,
    MODE_ALIGN = 1 << 3, ///< unaligned accesses fault
    MODE_FP = 1 << 4,    ///< FP and SIMD do not trap
    MODE_SA = 1 << 5,    ///< SP alignment is checked
    MODE_TBI0 = 1 << 6,
    MODE_TBI1 = 1 << 7,
    MODE_SS = 1 << 8, ///< software step or breakpoints: the interpreter runs instruction by instruction
    MODE_FPCR_SHIFT = 9, ///< {AHP, DN, FZ, RMode:2, FZ16}: 6 bits
    MODE_EL2 = 1 << 15,
    MODE_E2H = 1 << 16,  ///< the EL2&0 regime: at EL2, names of EL1 registers mean those of EL2
    MODE_TRAP = 1 << 17, ///< EL2 traps some system registers of this level
    MODE_UNCACHED = 1 << 18, ///< strict: atomics are to be told, since the data cache is off (cpu.tells_uncached)
};

/* ---- cpu.c: life cycle, PSTATE, exceptions ---- */

struct cpu *cpu_new(struct mem *m, unsigned index);
void cpu_free(struct cpu *c);
/// Gives the CPU EL2, which it then starts in, and FEAT_VHE if vhe. To be followed by cpu_reset.
void cpu_enable_el2(struct cpu *c, bool vhe);
/// Architectural reset: the highest EL, its own stack pointer, DAIF masked, MMU off; x0..x30 = 0.
/// pc is set by the caller.
void cpu_reset(struct cpu *c);
/// True when software step applies at the current EL.
bool cpu_step_enabled(const struct cpu *c);
/* debug.c: breakpoint and watchpoint registers */
bool cpu_breakpoints_armed(const struct cpu *c);
bool cpu_breakpoint_hit(const struct cpu *c, gva_t pc);
bool cpu_watchpoints_armed(const struct cpu *c);
bool cpu_watchpoint_hit(const struct cpu *c, gva_t va, unsigned size, bool write, bool user);

/// EL0, or EL2 with the EL2&0 regime: a host with Virtualization Host Extensions runs here.
static inline bool cpu_in_host(const struct cpu *c)
{
    return c->has_vhe && (c->sr[SYSREG_HCR_EL2] & HCR_HOST) == HCR_HOST && c->el != 1;
}
/// Where debug exceptions of this and lower levels go.
unsigned cpu_debug_el(const struct cpu *c);
/// Debug exceptions other than BRK are enabled at the current EL.
bool cpu_debug_enabled(const struct cpu *c);
/// The register of the current regime in the layout of TCR_EL1.
u64 cpu_tcr(const struct cpu *c);
static inline u64 cpu_sctlr(const struct cpu *c) { return c->sr[cpu_regime_regs[c->regime].sctlr]; }
/// The level that takes exceptions that nothing routes elsewhere: 1 or 2.
static inline unsigned cpu_target_el(const struct cpu *c)
{
    return c->el == 2 || (UNLIKELY(c->has_el2) && c->sr[SYSREG_HCR_EL2] & HCR_TGE) ? 2 : 1;
}
/// EL1 and EL0 are under the control of EL2's traps.
static inline bool cpu_el2_traps(const struct cpu *c)
{
    return UNLIKELY(c->has_el2) && c->el < 2 && !cpu_in_host(c);
}

/// Selects SP_EL0 or SP_ELx at ELx.
void cpu_set_spsel(struct cpu *c, u8 sp_sel);
/// Recomputes mode, ctx, align_strict and fp_ok from PSTATE and system registers.
void cpu_update_mode(struct cpu *c);
u64 cpu_pstate(const struct cpu *c); ///< in SPSR_EL1 layout
/// Sets PSTATE from an SPSR value; ret  false for an illegal exception return (then IL is set).
bool cpu_set_pstate(struct cpu *c, u64 spsr);
static inline u32 cpu_nzcv(const struct cpu *c) ///< in NZCV-register layout, bits 31..28
{
    u32 f = c->nzcv;
    return (f & FLAG_N) << 16 | (f & FLAG_Z) << 16 | (f & FLAG_C) << 21 | (f & FLAG_V) << 28;
}
static inline void cpu_set_nzcv(struct cpu *c, u32 v)
{
    c->nzcv = (u16)((v >> 16 & (FLAG_N | FLAG_Z)) | (v >> 21 & FLAG_C) | (v >> 28 & FLAG_V));
}

/// Exception classes of ESR_ELx.EC.
enum {
    EC_UNKNOWN = 0x00, EC_WFX = 0x01, EC_FP = 0x07, EC_ILLEGAL = 0x0e, EC_SVC64 = 0x15,
    EC_HVC64 = 0x16, EC_SMC64 = 0x17, EC_SYSREG = 0x18, EC_IABT_LOW = 0x20, EC_IABT = 0x21,
    EC_PC_ALIGN = 0x22, EC_DABT_LOW = 0x24, EC_DABT = 0x25, EC_SP_ALIGN = 0x26,
    EC_SERROR = 0x2f, EC_BKPT_LOW = 0x30, EC_BKPT = 0x31, EC_STEP_LOW = 0x32, EC_STEP = 0x33,
    EC_WATCH_LOW = 0x34, EC_WATCH = 0x35, EC_BRK = 0x3c,
};
/// Takes a synchronous exception to cpu_target_el with ESR {ec, IL=1, iss}; ELR = ret_pc.
/// ret  EXEC_BRANCH always.
int cpu_raise(struct cpu *c, u32 ec, u32 iss, u64 ret_pc) COLD;
/// As cpu_raise, with FAR = far.
int cpu_raise_far(struct cpu *c, u32 ec, u32 iss, u64 far, u64 ret_pc) COLD;
/// The same to a given level, which is not below the current one; with_far: FAR = far.
int cpu_raise_to(struct cpu *c, unsigned el, u32 ec, u32 iss, u64 ret_pc) COLD;
int cpu_raise_far_to(struct cpu *c, unsigned el, u32 ec, u32 iss, u64 far, u64 ret_pc) COLD;
/// A debug exception: to cpu_debug_el.
int cpu_raise_debug(struct cpu *c, u32 ec, u32 iss, u64 ret_pc) COLD;
/// UNDEFINED at the current pc.
int cpu_undef(struct cpu *c) COLD;
/// FP/SIMD access trap check: false when trapped (exception taken at the current pc).
static inline bool cpu_fp_enabled(const struct cpu *c) { return c->mode & MODE_FP; }
/// Raises it, where CPACR_EL1 or CPTR_EL2 sends it.
int cpu_fp_trap(struct cpu *c) COLD;
/// ERET: restores PSTATE and pc from SPSR_ELx, ELR_ELx. ret  EXEC_BRANCH.
int cpu_eret(struct cpu *c);
/// Takes a pending and unmasked interrupt, if any. ret  true when pc changed.
bool cpu_take_interrupts(struct cpu *c);
/// Tests: takes an IRQ that no device asked for, unless it is masked.
bool cpu_take_spurious(struct cpu *c);
/// True when a wire is up and, for WFI wake-up, regardless of masks.
static inline bool cpu_irq_wire(struct cpu *c) { return atomic_load_explicit(&c->irq_lines, memory_order_acquire) != 0; }
/// After what routes or masks interrupts changed: looks for them soon.
static inline void cpu_look_for_interrupts(struct cpu *c)
{
    if (atomic_load_explicit(&c->irq_lines, memory_order_relaxed))
        atomic_fetch_or(&c->attention, ATT_IRQ);
}
/// Sets a wire: 0 IRQ, 1 FIQ, 2 and 3 the virtual ones. Any thread. The board wakes a waiting vCPU
/// thread itself.
void cpu_set_wire(struct cpu *c, unsigned wire, bool level);
/// Serves c->attention: timers, samples, interrupts. ret  false when run() must return (c->exit is set).
bool cpu_serve_attention(struct cpu *c);
/// Asks the vCPU to leave run(). Any thread.
void cpu_kick(struct cpu *c);
static inline void cpu_trail(struct cpu *c, u64 from, u64 to)
{
    u32 h = c->trail.head++ & (TRAIL_LEN - 1);
    c->trail.e[h].from = from;
    c->trail.e[h].to = to;
}

/* ---- mmu.c, walk.c: memory access and translation ---- */

enum access { ACC_LOAD, ACC_STORE, ACC_FETCH };
/// Flags of a memory access.
enum {
    ACCF_UNPRIV = 1 << 0, ///< LDTR/STTR: as EL0
    ACCF_ATOMIC = 1 << 1, ///< exclusive or LSE: alignment required, Device faults
    ACCF_ALIGNED = 1 << 2, ///< acquire/release: alignment required
    ACCF_CM = 1 << 3,     ///< cache maintenance: ESR.CM and WnR = 1
    ACCF_QUIET = 1 << 4,  ///< debugger: no exception, no hooks, no flag updates
};
enum { MAIR_NON_CACHEABLE = 0x44 }; ///< Normal memory, Inner and Outer Non-cacheable
/// Result of a walk: stage 1, and stage 2 where it applies.
struct xlat {
    gpa_t pa;       ///< physical address of va
    u64 page_size;  ///< bytes mapped by the final descriptor
    u8 attr;        ///< MAIR byte
    u8 sh;          ///< shareability field
    bool device;
    bool global;    ///< nG = 0
    bool priv_r, priv_w, priv_x, user_r, user_w, user_x; ///< after hierarchy, WXN, PAN not applied
    u8 fault;       ///< 0, or fault status code (DFSC/IFSC) of the failing step
    int level;      ///< level of the last descriptor read
    u64 desc[4];    ///< descriptors read, by level
    gpa_t desc_pa[4];
    u8 desc_first;  ///< first level read
    u64 ipa;        ///< output of stage 1
    bool s2_r, s2_w, s2_x; ///< permissions of stage 2; all true without it
    u8 s2_level;
};
/// Walks the tables for va without permission checks. ret  false on a translation, access-flag or
/// address-size fault (then fault and level say which).
bool mmu_walk(struct cpu *c, gva_t va, struct xlat *x);
/// Translates for an access with all checks; va is any address. ret  false: *fsc is the fault
/// status code.
bool mmu_translate(struct cpu *c, gva_t va, enum access acc, unsigned flags, struct xlat *x, u8 *fsc);

/// Raises the abort of an access that mmu_translate refused: the one place that knows who takes it.
/// iss: fault status and the bits that describe the access. ret  EXEC_BRANCH.
int mmu_abort(struct cpu *c, bool is_fetch, u32 iss, gva_t va) COLD;
/// LDTR and STTR act as EL0 here.
static inline bool cpu_has_unpriv(const struct cpu *c) { return c->el == 1 || cpu_in_host(c); }

/// Slow paths behind cpu_ld/cpu_st. size_log2 0..4 (4 = 16 bytes, into val[0..1]).
/// ret  false when an exception was taken (at c->pc).
bool mmu_load_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, u64 *val) NOINLINE;
bool mmu_store_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, const u64 *val) NOINLINE;
/// Enters the translation of va for loads or stores into the soft TLB, if that is all an access needs.
/// ret  false when it has to be made the slow way; nothing happened then.
bool mmu_fill(struct cpu *c, gva_t va, bool write) NOINLINE;
/// Where cache maintenance takes place, without a walk for every line of a page.
/// ret  false: not such an address, or it does not translate; mmu_translate says more
bool mmu_op_pa(struct cpu *c, gva_t va, gpa_t *pa);
/// Host address for an atomic read-modify-write of RAM: naturally aligned, writable (the caller
/// calls mmu_rmw_done after a store). NULL when an exception was taken.
void *mmu_atomic_ptr(struct cpu *c, gva_t va, unsigned size_log2, bool write);
void mmu_rmw_done(struct cpu *c, void *host, unsigned size_log2);
/// Host address of the instruction at c->pc and its physical address; NULL when an exception was
/// taken. The bytes up to the end of the 4 KiB page are readable.
const u32 *mmu_fetch(struct cpu *c, gva_t pc, gpa_t *pa);
/// Debugger access through the current translation: never faults or logs. Up to len bytes.
bool mmu_debug_read(struct cpu *c, gva_t va, void *dst, u64 len);
bool mmu_debug_write(struct cpu *c, gva_t va, const void *src, u64 len);

/// Loads zero-extended. ret  false when an exception was taken.
static inline bool cpu_ld(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, u64 *val)
{
    struct mmuctx *ctx = flags & ACCF_UNPRIV ? c->ctx_unpriv : c->ctx;
    u64 mask = (1ULL << size_log2) - 1;
    struct tlb_ent *e = &ctx->r[va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    if (LIKELY(e->tag == ((va + mask) & ~0xfffULL)) && LIKELY(!((va & mask) && (flags & ~1u || c->align_strict)))) {
        const void *p = (const void *)(uintptr_t)(va + e->addend);
        switch (size_log2) {
        case 0: *val = *(const u8 *)p; return true;
        case 1: *val = ld16(p); return true;
        case 2: *val = ld32(p); return true;
        case 3: *val = ld64(p); return true;
        default: val[0] = ld64(p); val[1] = ld64((const u8 *)p + 8); return true;
        }
    }
    return mmu_load_slow(c, va, size_log2, flags, val);
}
/// Stores the low bytes of *val (16 bytes: val[0..1]).
static inline bool cpu_st(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, const u64 *val)
{
    struct mmuctx *ctx = flags & ACCF_UNPRIV ? c->ctx_unpriv : c->ctx;
    u64 mask = (1ULL << size_log2) - 1;
    struct tlb_ent *e = &ctx->w[va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    if (LIKELY(e->tag == ((va + mask) & ~0xfffULL)) && LIKELY(!((va & mask) && (flags & ~1u || c->align_strict)))) {
        void *p = (void *)(uintptr_t)(va + e->addend);
        switch (size_log2) {
        case 0: *(u8 *)p = (u8)*val; return true;
        case 1: st16(p, (u16)*val); return true;
        case 2: st32(p, (u32)*val); return true;
        case 3: st64(p, *val); return true;
        default: st64(p, val[0]); st64((u8 *)p + 8, val[1]); return true;
        }
    }
    return mmu_store_slow(c, va, size_log2, flags, val);
}

/* ---- peers.c ---- */

/// Asks all other CPUs, and waits until none can use what is dropped. May serve what others ask of this
/// one meanwhile: only where nothing relies on the soft TLB. ret  whether it had to wait
bool cpu_ask_peers(struct cpu *c, const struct cpu_request *r);
void cpu_serve_peers(struct cpu *c);
/// Makes a CPU that runs on another thread drop everything, soon.
void cpu_ask_flush(struct cpu *c);
/// Around the use of the soft TLB by a CPU on its own thread.
void cpu_enter(struct cpu *c);
void cpu_leave(struct cpu *c);
/// It goes to another address space.
void cpu_set_space(struct cpu *c, u16 asid);

/* ---- tlb.c ---- */

/// Invalidation by TLBI; va in bytes, asid as in the operand. Of EL1 and EL0, or of EL2 (and its EL0).
enum tlb_class { TLB_EL10, TLB_EL2 };
void tlb_flush_all(struct cpu *c); ///< both
void tlb_flush_class(struct cpu *c, enum tlb_class k);
void tlb_flush_va(struct cpu *c, enum tlb_class k, gva_t va, u16 asid, bool all_asids);
void tlb_flush_asid(struct cpu *c, enum tlb_class k, u16 asid);
/// One TLBI on this CPU, by CRm << 4 | op2 of the encoding for tlb_class EL10 (CRm 0), else of the EL2 set (cls
/// ASK_EL2; flag: the values carry ASIDs). ret  false: no such operation
bool tlb_invalidate(struct cpu *c, unsigned cls, unsigned op, u64 val, bool flag);
enum { ASK_EL2 = 0x80 };
/// Drops write entries that map the host page of pa, since code was found there: of all CPUs, or this one.
/// The page is marked (mem_mark_code) before. ret  others had to be waited for, and may have asked for changes
bool tlb_protect_page(struct cpu *c, gpa_t pa);
void tlb_protect_own(struct cpu *c, gpa_t page);
/// Tests: from now on drops translations in every drop-th slow path (0: none), and keeps at most `entries`
/// of them (0: no limit).
void tlb_stress_start(struct cpu *c, u32 drop, u32 entries);
/// For mmu.c: at the end of a slow access of va; after entry k of a table of t was filled.
void tlb_stress_access(struct cpu *c, gva_t va) COLD;
void tlb_stress_fill(struct cpu *c, struct mmuctx *t, enum access acc, unsigned k) COLD;
/// Takes an entry away as another one would that needs its place.
void tlb_evict(struct mmuctx *t, enum access acc, unsigned k);
/// Drops all entries for stores, so that the next store to each page takes the slow path.
void tlb_forget_writes(struct cpu *c);
/// Empties one context.
void mmuctx_flush(struct mmuctx *x);
/// The EL0 context of the current TTBR0 and ASID, found or made.
struct mmuctx *tlb_user_ctx(struct cpu *c);
/// To be called after TTBR0 or the ASID changed.
void tlb_address_space_changed(struct cpu *c, enum tlb_class k);
/// Selects ctx for the current EL, regime, PAN, TTBR0 and SCTLR.M.
void tlb_select(struct cpu *c);

/* ---- sysreg*.c, sysinsn.c ---- */

#define SYSREG_ENC(op0, op1, crn, crm, op2) ((u32)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))
/// MRS/MSR with all access checks at the current EL. ret  exec_status (EXEC_NEXT when done).
int sysreg_read(struct cpu *c, u32 enc, u64 *val);
int sysreg_write(struct cpu *c, u32 enc, u64 val);
/// True for registers whose writes wait when cpu.delays_sysregs. id: enum sysreg_id
bool sysreg_is_delayed(u32 id);
/// A context synchronisation event: what was written takes effect.
void cpu_context_sync_slow(struct cpu *c) COLD;
static inline void cpu_context_sync(struct cpu *c)
{
    if (UNLIKELY(c->pending_count))
        cpu_context_sync_slow(c);
}
/// SYS instructions: DC, IC, AT, TLBI. ret  exec_status.
int sysreg_sys(struct cpu *c, u32 enc, u64 val);
/// Sets PSTATE.DAIF (bits 9..6) and looks for interrupts that this unmasks.
void cpu_set_daif(struct cpu *c, u32 daif);
/// What a register of EL1 or a timer of EL0 means in the EL2&0 regime (often itself).
enum sysreg_id sysreg_redirect(enum sysreg_id id);
/// The encoding that a name with _EL12 or _EL02 stands for, or 0.
u32 sysreg_el12(u32 enc);
/// enum sysreg_id of an encoding, or -1; and its name.
int sysreg_id(u32 enc);
const char *sysreg_id_name(enum sysreg_id id);
/// Name of a register by encoding, or NULL; encoding by name (any case), or 0.
const char *sysreg_name(u32 enc);
/// ... or of one that this CPU has not, of a higher level; NULL: unknown.
const char *sysreg_any_name(u32 enc);
u32 sysreg_find(const char *name);
/// Access from debuggers and embedders: no checks, side effects applied.
bool sysreg_get(struct cpu *c, const char *name, u64 *val);
bool sysreg_set(struct cpu *c, const char *name, u64 val);

/* ---- timer.c: generic timer ---- */

u64 cpu_counter(struct cpu *c); ///< CNTPCT_EL0
/// Guest time stood still: cpu.clock says nothing until the time was read again.
static inline void cpu_clock_forget(struct cpu *c) { c->clock.window = 0; }
u64 cpu_timer_offset(const struct cpu *c, enum cpu_timer t); ///< of its counter from cpu_counter
/// Re-evaluates the timers: wires, and the next deadline through timer_arm.
void cpu_timer_update(struct cpu *c);

#endif
