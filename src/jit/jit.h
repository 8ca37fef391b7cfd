/// The translator's inner face: what the translation driver, the emitters of each instruction
/// family and the code cache share.
///
/// How to add an instruction: write `static int emit_FOO(struct jit *j, const struct insn *i)` in
/// the family's file, put it into the table in jit_init_<family>(), return 1 when code was emitted
/// and 0 to fall back to the exec_ body (then nothing may have been emitted). Example, ADD Vd.4S:
///
///     static int emit_add_v4s(struct jit *j, const struct insn *i)
///     {
///         int a = jit_vread(j, i->rn, X0), b = jit_vread(j, i->rm, X1);
///         int d = jit_vwrite(j, i->rd, X0);     // may equal a or b: VEX forms do not mind
///         x_v(&j->b, XV_PADDD, d, a, xr(b));
///         jit_vdone(j, i->rd, d);
///         return 1;
///     }
///
/// Rules. Scratch: rax rcx rdx and xmm0..xmm3; everything else is owned. EFLAGS may hold live guest
/// flags: call jit_clobber() before emitting anything that changes EFLAGS (mov, lea, movzx, bmi2
/// shifts, vector arithmetic without comparison do not). Code that leaves and comes back (calls of
/// C, slow paths) goes through the helpers below. FP and SIMD emitters run only when the access is
/// enabled in this mode; FPCR is constant in a block (j->mode, MODE_FPCR_SHIFT).
#ifndef BRUIN_JIT_JIT_H
#define BRUIN_JIT_JIT_H

#include "a64/insn.h"
#include "cpu/cpu.h"
#include "jit/x64.h"
#include "os/os.h"

/* ---- registers ---- */

/// rbp = cpu + CPU_BIAS, r15 = cpu->ctx, rsp = return-prediction stack.
enum { CPU_BIAS = 168, RENV = RBP, RCTX = R15 };
enum { X0, X1, X2, X3, XV_FIRST = 4, XV_COUNT = 12, XV_COUNT_SSE = 10 }; ///< scratch xmm; cached V registers

/// Host register of a guest register that lives in one all the time, else -1.
#define JIT_PINNED(P) P(0, RSI) P(1, RDI) P(2, RBX) P(3, R8) P(4, R9) P(19, R12) P(20, R13) P(REG_SP, R14)
/// Registers that cache other guest registers within one block, written through unless in a loop (jit.x_late). There
/// those of pinned registers that it does not name do so, too (jit.lent): cpu.x has their values meanwhile.
enum { XCACHE_A = R10, XCACHE_B = R11 };

/// A cpu field as a memory operand.
#define ENV(field) xm(RENV, (s32)offsetof(struct cpu, field) - CPU_BIAS)
#define ENV_X(n) xm(RENV, (s32)(offsetof(struct cpu, x) + 8 * (size_t)(n)) - CPU_BIAS)
#define ENV_V(n) xm(RENV, (s32)(offsetof(struct cpu, v) + 16 * (size_t)(n)) - CPU_BIAS)

/// Words of cpu.jit[].
enum {
    JW_GEN,       ///< identity of the current execution translations (mmuctx.code_gen)
    JW_JC,        ///< struct jc_ent *: jump cache of the current context and mode
    JW_RSP,       ///< base of the return-prediction stack
    JW_RSP_LIMIT, ///< below this no call is pushed
    JW_HOST_RSP,  ///< stack pointer to leave with
    JW_RESET,     ///< non-zero: the return-prediction stack must be emptied
    JW_MXCSR,     ///< for ldmxcsr
    JW_HOST_MXCSR,
    JW_TMP,       ///< scratch of thunks
    JW_TMP2,
    JW_SLOW_MEM, ///< slow-path counts, for --stats
    JW_SLOW_EXEC,
    JW_HASH_MISS,
    JW_PATIENCE, ///< s32[SITES]: misses a site may still have. Not beside its code: writing there
                 ///< would look like self-modification to the host
    JW_FROM, ///< page offset of the indirect branch that missed, plus 1 (0: none)
    JW_HEAT, ///< s32[SITES]: how often a branch back may still be taken before its loop is hot
    JW_PENDING, ///< instructions not yet in cpu.icount when a slow path runs a body, that one included
    JW_GUARDS, ///< struct jit_guard[GUARDS_MAX] by number of link: this CPU's, when there are several
    JW_GROUP, ///< addends of groups of accesses without a slot
    JW_GROUPS = 8, ///< as many
    JW_ATTEND = JW_GROUP + JW_GROUPS, ///< checks to pass before translated code is left (attend_every)
};
#define ENV_JW(w) xm(RENV, (s32)(offsetof(struct cpu, jit) + 8 * (size_t)(w)) - CPU_BIAS)

/// Link number of a branch that has no link: with its own page offset.
#define CROSS_UNLINKED 0x80000000u

/* ---- blocks and the cache ---- */

enum { JC_BITS = 10, JC_SIZE = 1 << JC_BITS, JC_TABLES = 24, BLOCK_INSNS_MAX = 64, BLOCK_HASH = 1 << 15 };
enum { SLOT_CLASSES = 10 };
enum { CODE_MARGIN = 4096 }; ///< room an instruction may need, hot and cold

/// Jump cache: guest virtual address to host code. va ~0 is empty.
struct jc_ent {
    u64 va;
    const u8 *host;
};

/// What a cross-page link holds for: a page and the value of JW_GEN. gen 0: nothing.
struct jit_guard {
    u64 page, gen;
};
enum { GUARDS_MAX = 1 << 20 }; ///< links with higher numbers are not made

struct jit_block;
/// A direct exit of a block.
struct jit_link {
    u8 *site; ///< the rel32 to patch
    u8 *stub; ///< where it goes while not linked
    u8 *miss; ///< where it goes when the guard does not hold
    u8 *guard; ///< cross-page: struct jit_guard compared before jumping; NULL when each CPU has its own
    struct jit_block *from, *to;
    struct jit_link *next_in; ///< of the same target
    gpa_t target; ///< with several CPUs: where a cross-page link led first and always will; 0: nowhere yet
    s32 delta;            ///< target page minus this block's page, bytes
    u16 off;              ///< target offset in its page
    u16 src;              ///< of the branch in its own page
    u8 *heat, *heat_jump; ///< a branch back: the way by its counter, and the jump that ends it; or NULL
    u32 number;           ///< of jit.link_of
    bool is_cross;        ///< to another page: guarded
    bool is_call;
    bool is_hot; ///< counted down: goes straight to its target
};

struct jit_block {
    gpa_t page;
    gva_t va; ///< where it was when it was translated
    u32 mode;
    u16 off, insns;
    u32 code_len;
    u8 *entry; ///< in the writable mapping
    u64 lines; ///< 64-byte lines of the page the translation depends on
    struct jit_block *hash_next, *page_next, *all_next;
    u8 *loop_top;  ///< where its own back edges go, or NULL
    u8 *loop_dead_stub; ///< what loop_top becomes when the block dies
    u8 *dead_stub; ///< in cold code: looks the block's address up again
    struct jit_link *in;
    struct jit_link *links;
    u16 link_count;
    bool is_dead;
    bool is_cut; ///< ends where another block begins
    u64 runs; ///< counted when asked for
};

/// A part of the code cache that is given up as a whole.
struct jit_segment {
    u8 *hot, *cold;
    struct jit_block *blocks;
};
enum { SEGMENTS_MAX = 32, SEGMENT_SIZE = 1 << 20, SEGMENT_MIN = 1 << 17 };

/// Stress and measurement knobs; zero means off or default.
struct jit_config {
    u64 code_size;      ///< bytes of code cache
    unsigned block_max; ///< instructions a block
    unsigned warm;      ///< runs in bodies, 0 to 2, before code is translated
    unsigned hot;       ///< rounds after which a loop is hot
    unsigned slots;     ///< site slots in use
    const char *cpu_off; ///< host features not to use, names of struct x_features, commas; or NULL
    bool v_through; ///< V registers are stored at once
    bool no_link, no_group, no_inline, no_rsb, count_runs, no_lookahead;
    bool check_again; ///< ... and nothing but those ends them
    bool check; ///< runs are being compared with the interpreter: end at exceptions and before what must not run twice
    bool smp;             ///< the machine has several CPUs
    bool delays_sysregs; ///< cpu.delays_sysregs: ISB and some registers go through their bodies
    bool trace_sysreg;  ///< system register accesses are being recorded
    bool count;         ///< cpu.icount counts instructions and cpu.budget ends a run
    bool precise_flags; ///< dead flags are right even when an exception shows them (SPSR)
    unsigned flush_every; ///< flush the cache after so many translations
    unsigned evict_every; ///< ... give up a random segment
    const char *fault;    ///< tests: name of an operation to translate wrongly, or NULL
    unsigned skip_lo, skip_hi; ///< do not emit these operations, to bisect
    bool trail;            ///< every block marks the trail; see cpu.full_trail
    bool attention_always; ///< test attention at every exit
    unsigned attend_every; ///< leave translated code after passing n checks, as if attention had been found there
    unsigned irq_every;    ///< ... and take an interrupt at every n-th of these
};

/// What each CPU has of its own of the translator: cpu.engine.
struct jit_cpu {
    struct jit *j;
    struct cpu *c;
    struct jit_cpu *next; ///< that shares the cache
    void *interp; ///< the accelerator's interpreter for single steps
    void *check;  ///< the accelerator's, with --check
    u64 stop_exceptions; ///< check: cpu.exceptions at the start; another value ends the run
    bool outside; ///< the C side runs before translated code was entered
    _Atomic bool in_code; ///< on a thread of its own, and it may hold pointers to blocks
    struct insn *decoded; ///< by hash of the word, for slow paths
    struct jit_guard *guards; ///< with several CPUs
    struct jc_ent *jc;     ///< JC_TABLES tables
    struct { u64 gen; u32 mode; u64 used; } jc_key[JC_TABLES];
    u8 jc_guess[64]; ///< by hash of the key: where it was last
    u64 jc_clock;
    const struct mmuctx *synced_ctx; ///< what cpu.jit[] was made for
    u64 synced_gen;
    u32 synced_mode;
    /* Counters of --stats. */
    u64 st_lookups, st_contexts, st_cross_calls, st_indirect_calls, st_after, st_attention, st_hot, st_cold, st_forced;
};

/// The engine of one machine, shared by its CPUs: code cache and translator state.
struct jit {
    struct xbuf b;     ///< hot code being emitted
    struct xbuf cold;  ///< out-of-line code
    struct os_code code;
    s64 rx;            ///< add to a writable address to get the executable one
    struct jit_segment seg[SEGMENTS_MAX];
    unsigned seg_count, seg_now;
    u64 seg_size;  ///< bytes of hot code, and as many of cold code
    u64 removals;  ///< changes when blocks were freed
    u64 roomy_at;  ///< st_blocks when room was made last
    _Atomic bool exclusive; ///< a CPU waits for, or has, the cache for itself (smp.c)
    u8 *fp_consts; ///< struct fp_consts (fp.h)
    u8 *fp_estimates; ///< struct fp_estimates
    struct x_features cpu;
    struct jit_config cfg;
    struct mem *mem;
    void *perf_map; ///< FILE of names for `perf`, or NULL
    struct jit_cpu *cpus; ///< of the CPUs that share this

    /* Thunks, writable addresses. */
    u8 *vconst; ///< 16-byte constants of the SIMD emitters
    u8 *t_enter, *t_exit, *t_exec, *t_exec_word, *t_load, *t_store, *t_fill, *t_link, *t_cross, *t_indirect, *t_attention, *t_dispatch, *t_dead, *t_bottom, *t_hot, *t_end;

    /* Blocks. */
    struct jit_block **hash;
    struct jit_block **page_hash; ///< by physical page
    struct jit_link **link_of;    ///< by number
    u32 *link_free;               ///< numbers given back
    u32 link_count, link_cap, link_free_count;
    struct insn *decoded;  ///< by hash of the word
    u64 *hot_sites;        ///< instructions whose slots miss often: physical address + 1, open hashing
    unsigned hot_count;
    s32 *patience;
    u64 patience_ns; ///< when it was renewed
    u32 site_next;
    u64 *ways; ///< of conditional branches in hot loops (hot.c), by hash
    unsigned way_count;
    struct jit_warm *warm;
    s32 *heat;
    u32 heat_next;

    /* The block being translated. */
    struct cpu *c;
    struct jit_block *blk;
    struct insn in[BLOCK_INSNS_MAX + 1];
    u16 off[BLOCK_INSNS_MAX + 1];
    u8 live_out[BLOCK_INSNS_MAX + 1]; ///< NZCV needed after instruction k
    u8 live_in[BLOCK_INSNS_MAX + 1];
    u8 live_taken[BLOCK_INSNS_MAX + 1]; ///< conditional branches: needed at the target
    bool follows[BLOCK_INSNS_MAX + 1]; ///< conditional branches: the block goes on where it is taken
    bool is_loop;      ///< some branch goes to the first instruction
    unsigned loop_end; ///< number of the instruction after the last such branch
    unsigned n, k;     ///< instructions; the one being emitted
    unsigned counted;  ///< the instructions before this one are in cpu.icount
    u32 mode;
    u8 *mem_retry, *mem_probe, *mem_slow[2]; ///< of jit_mem: places to patch
    struct jit_addr {
        int base;   ///< host register with the base
        s64 off;
        bool is_sp; ///< use the slots of the stack
    } mem_addr;
    u32 mem_key;
    s16 grp[BLOCK_INSNS_MAX + 1]; ///< accesses whose check another one has made: slot number + 1, or
                                  ///< minus the number of the JW_GROUP word - 1; 0 none
    u32 grp_next;
    bool mem_leads; ///< the present one made a check for others
    bool mem_write, mem_indexed;
    bool mem_user; ///< the next jit_mem is an access as EL0 (LDTR, STTR)
    u8 *loop_top;      ///< where a branch to the first instruction may go, or NULL
    u8 fl;             ///< enum jit_flags: where guest NZCV is
    bool fl_env;       ///< cpu.nzcv is up to date
    const struct insn *origin;  ///< whose flags EFLAGS hold, if it could be computed again; or NULL
    const struct insn *waiting; ///< a comparison that is emitted where its flags are wanted, or NULL
    bool sp_aligned;   ///< SP is known to be 16-byte aligned
    bool over;         ///< the last instruction left the block
    s8 xmap[REG_COUNT]; ///< host register, or -1
    u32 x_late;      ///< cached registers that the loop writes: cpu.x has them when it is left, or C code runs
    u32 x_late_cold; ///< those of them that cold code of the present instruction has to store
    u16 lent; ///< host registers of pinned guest registers that the loop does not name: they cache others there
    bool xloaded[REG_COUNT];
    s8 vmap[32];
    bool vloaded[32];
    u32 vdirty;      ///< V registers whose cached value is newer than cpu.v
    u32 vdirty_top;  ///< the same at loop_top
    u64 loop_x;      ///< registers that the loop names: what loop_top has in the host's
    u32 loop_v;
    u32 vdirty_cold; ///< what cold code of the present instruction has to store
    u8 *fz_site[8];  ///< jumps to the repair of the present instruction, before its operation
    u8 fz_count;
    bool fz_zero;    ///< the check of its result also finds zeros
    u8 vclass[32]; ///< bytes of each V register the block uses: 4, 8 (with zeros above) or 16
    u32 slot_next[2][SLOT_CLASSES]; ///< slots dealt so far, by direction and class (access.c)
    struct jit_link pending[2 * BLOCK_INSNS_MAX + 8];
    unsigned pending_n;

    /* Counters of --stats. */
    u64 st_blocks, st_insns, st_hot_bytes, st_cold_bytes, st_fallback, st_flushes, st_evictions, st_invalidated, st_links;
    u32 st_op_fallback[OP_COUNT];
};

/// Data behind the call of a site's soft-TLB probe, from the return address.
enum { SITE_INSN = 5, SITE_OFF = 9, SITE_SIZE = 13, SITES = 1 << 16 };
/// Patience of a site in one period, and what a miss costs that is not on the next page.
enum { SITE_FAR = 64, SITE_PATIENCE = 1000 * SITE_FAR, PATIENCE_NS = 50000000 };

enum jit_flags {
    FL_NONE, ///< only in cpu.nzcv (when fl_env), or dead
    FL_ADD,  ///< EFLAGS: CF = C
    FL_SUB,  ///< EFLAGS: CF = !C
    FL_FCMP, ///< EFLAGS of ucomis Rn, Rm
    FL_FCMPX, ///< EFLAGS of ucomis Rm, Rn
};

typedef int jit_emit_fn(struct jit *j, const struct insn *i);
extern jit_emit_fn *jit_emitters[OP_COUNT];
void jit_init_tables(void);
void jit_init_int(jit_emit_fn **t);
void jit_init_mem(jit_emit_fn **t);
void jit_init_branch(jit_emit_fn **t);
void jit_init_sys(jit_emit_fn **t);
void jit_init_atomic(jit_emit_fn **t);
void jit_init_fp(jit_emit_fn **t);
void jit_init_simd(jit_emit_fn **t);
/// Writes the constants of the SIMD emitters at the current place and sets vconst.
void jit_simd_constants(struct jit *j);

/* ---- operands (operand.c) ---- */

/// A host register with the value of guest register n (all 64 bits): its home, or scratch after a
/// load. n = REG_ZR gives zero in scratch. EFLAGS are kept.
int jit_xread(struct jit *j, unsigned n, int scratch);
/// The same as an operand: the home register or memory. Not for REG_ZR.
xrm jit_xop(struct jit *j, unsigned n);
/// True when n can be used as an operand without a load, i.e. is in a host register now.
bool jit_xinreg(struct jit *j, unsigned n);
/// The host register in which to compute the new value of n (its home or scratch), and the
/// completion, which stores it. Between the two nothing may leave the block.
int jit_xwrite(struct jit *j, unsigned n, int scratch);
void jit_xdone(struct jit *j, unsigned n, int r);
/// n <- r, any host register.
void jit_xset(struct jit *j, unsigned n, int r);

/// True for a host register that caches a guest register.
static inline bool jit_is_cache(const struct jit *j, int r)
{
    return r == XCACHE_A || r == XCACHE_B || (r >= 0 && j->lent >> r & 1);
}
/// Those of x_late that are in host registers now.
u32 jit_late_now(const struct jit *j);
/// Stores registers of x_late to cpu.x. EFLAGS are kept, as below.
void jit_xspill(struct jit *j, struct xbuf *b, u32 mask);
/// Before code outside the loop runs: cpu.x is right, and pinned registers that were lent have their values again.
void jit_give_back(struct jit *j, struct xbuf *b);

/// V registers, all 128 bits. The same protocol with xmm registers.
int jit_vread(struct jit *j, unsigned n, int scratch);
int jit_vwrite(struct jit *j, unsigned n, int scratch);
void jit_vdone(struct jit *j, unsigned n, int x);
/// Stores cached V registers of a mask to cpu.v: in b, all of them; in hot code, the newer ones,
/// which are clean then.
void jit_vspill(struct jit *j, struct xbuf *b, u32 mask);
void jit_vflush(struct jit *j, u32 mask);

/* ---- floating point (emit_fp.c, fpstate.c) ---- */

/// Puts the constants of FP emitters into the code cache; part of making the thunks.
void jit_make_fp_consts(struct jit *j);
void jit_make_fp_estimates(struct jit *j);
/// Computes vclass for the decoded block.
void jit_vclasses(struct jit *j);
/// Loads V register n into xmm x, as much of it as vclass says.
void jit_vload(struct jit *j, struct xbuf *b, int x, unsigned n);
/// rax <- cpu.nzcv for EFLAGS of kind FL_FCMP, or FL_FCMPX when swapped. EFLAGS are kept.
void jit_fcmp_nzcv(struct jit *j, struct xbuf *b, bool swapped);
/// Emits the run of floating-point instructions that begins here, and sets j->k to its last one (fprun.c).
/// ret  false when there is none
bool jit_fp_run(struct jit *j);
/// MRS and MSR of FPSR: moves the flags gathered in MXCSR to cpu.fpsr first. ret  true when that was
/// the whole instruction (MRS of FPCR and FPSR).
bool jit_fp_sysreg(struct jit *j, const struct insn *i);
/// Makes MXCSR follow FPCR; inside: translated code is suspended (its MXCSR is loaded).
void jit_fp_mode(struct cpu *c, bool inside);
/// After translated code was left: adds the flags of its MXCSR to cpu.fpsr.
void jit_fp_left(struct cpu *c);

/* ---- flags (flags.c) ---- */

/// A comparison that sets flags only may wait until they are wanted: what comes between changes
/// EFLAGS more often than not. Its operands must not change until then (jit_wait_check, before
/// each instruction); cold code that runs bodies stores its flags first (jit_wait_cold, rax is kept
/// when `keep` says so).
bool jit_can_wait(const struct jit *j, const struct insn *i);
void jit_wait(struct jit *j, const struct insn *i);
void jit_wait_over(struct jit *j);
void jit_wait_check(struct jit *j, const struct insn *i);
void jit_wait_cold(struct jit *j, int keep);
/// After instruction i set EFLAGS: it may be compared again instead of saving them.
void jit_flags_from(struct jit *j, const struct insn *i);
/// Before code that changes EFLAGS: saves guest flags that are still needed. Clobbers rax.
void jit_clobber(struct jit *j);
/// Says that EFLAGS now hold the guest flags of the current instruction, kind FL_ADD or FL_SUB.
void jit_flags_set(struct jit *j, enum jit_flags kind);
/// Says that cpu.nzcv was stored by emitted code.
void jit_flags_in_env(struct jit *j);
/// True when the flags this instruction writes are read by anyone.
static inline bool jit_flags_wanted(const struct jit *j) { return j->live_out[j->k]; }
/// Puts guest condition cond (0..13) into EFLAGS; ret  the x86 condition code that is true when it
/// holds. May clobber rax.
unsigned jit_cond(struct jit *j, unsigned cond);
/// Makes cpu.nzcv valid (for code that reads it). May clobber rax.
void jit_flags_to_env(struct jit *j);
/// For code on a side exit in b: saves the flags without changing the state of the main path.
void jit_flags_save_in(struct jit *j, struct xbuf *b);
/// Puts all guest flags into EFLAGS with CF = C (FL_ADD) or CF = !C (FL_SUB). May clobber rax.
void jit_flags_to_host(struct jit *j, enum jit_flags kind);

/* ---- memory (access.c) ---- */

/// Checks the access of `size` bytes at a (any alignment unless mode or `align` demands it) and
/// returns the host memory operand of its first byte. The operand uses rcx and a.base: rax and rdx
/// are free afterwards. a.base may be rax or a home register. Slow accesses run the exec_ body of
/// the current instruction and continue after it (at the label jit_mem_done makes).
/// Call jit_clobber(j) before reading the base: EFLAGS and rdx change here.
xrm jit_mem(struct jit *j, const struct insn *i, struct jit_addr a, unsigned size, bool write, unsigned align);
/// Ends the instruction begun by jit_mem: the slow path rejoins here. Register caches are made
/// good there. wrote_v: bit mask of V registers the instruction writes; x registers are known from
/// the row's flags.
void jit_mem_done(struct jit *j, const struct insn *i);
/// Address of the base-register forms: Rn plus off; loads the base into rax when it has no home.
struct jit_addr jit_addr_rn(struct jit *j, unsigned rn, s64 off);

/* ---- calls of C and cold code ---- */

/// Adds what ran since the last call to cpu.icount, up to and without instruction `end`, when
/// instructions are counted. In hot code for all that follows, in cold code for that path. EFLAGS change.
void jit_count(struct jit *j, struct xbuf *b, unsigned end);
/// Runs the exec_ body of i in line.
void jit_exec(struct jit *j, const struct insn *i);
/// Out-of-line code: a forward jump from hot code on cc (or 16 = always) to the cold area; then
/// j->cold is written by the caller through `c`, ending with jit_cold_end, which jumps back to the
/// present end of hot code.
struct xbuf *jit_cold_begin(struct jit *j, unsigned cc);
void jit_cold_end(struct jit *j);
/// In cold code: runs the exec_ body of i, reloads cached registers; continues with the next cold
/// instruction when it returned EXEC_NEXT.
void jit_cold_exec(struct jit *j, const struct insn *i);
/// The same where V registers are stored already: C code has run since.
void jit_cold_body(struct jit *j, const struct insn *i);
/// reg <- the guest address of the current page plus off, in hot or cold code. EFLAGS are kept.
void jit_pc(struct jit *j, struct xbuf *b, int reg, s64 off);

/* ---- translation, cache, run ---- */

/// Executable address of writable code.
static inline const u8 *jit_rx(const struct jit *j, const u8 *p) { return p + j->rx; }
static inline struct jit_cpu *jit_cpu_of(const struct cpu *c) { return c->engine; }
static inline struct jit *jit_of(const struct cpu *c) { return jit_cpu_of(c)->j; }
/// Makes cpu.engine. CPUs of one machine (cpu.peers) share the cache of the first, whose cfg counts.
MUST_USE bool jit_open(struct cpu *c, const struct jit_config *cfg, struct err *e);
/// Ends it; the last takes the cache with it.
void jit_close(struct cpu *c);
void jit_make_thunks(struct jit *j);
struct jit_block *jit_translate(struct jit *j, struct cpu *c, gpa_t pa, const u32 *host, u32 mode);
struct jit_block *jit_find(struct jit *j, gpa_t pa, u32 mode);
void jit_publish(struct jit *j, struct jit_block *b);
/// The block at pa, whose code is at host, after jit_find found none; in smp.c, as the next. ret  NULL: others had
/// to be waited for, so everything that was known is to be looked up again
struct jit_block *jit_make(struct cpu *c, gpa_t pa, const u32 *host, u32 mode);
/// Before and after a CPU on its own thread holds pointers to blocks.
void jit_enter(struct cpu *c);
void jit_leave(struct cpu *c);
/// Where it holds none: lets another have the cache for itself.
void jit_park(struct cpu *c);
/// Until jit_end_exclusive no other CPU holds pointers to blocks, and mem.code_lock is held. ret  false: another
/// had the cache meanwhile, nothing is held
MUST_USE bool jit_begin_exclusive(struct cpu *c);
void jit_end_exclusive(struct cpu *c);
void jit_flush_exclusive(struct cpu *c);
/// A link by its number.
struct jit_link *jit_link_at(struct jit *j, u32 number);
void jit_invalidate(struct jit *j, gpa_t pa, u64 len);
void jit_flush(struct jit *j);
/// Before a translation: whether jit_make_room has something to do. That goes on to another segment when this one is full.
bool jit_wants_room(const struct jit *j);
void jit_make_room(struct jit *j, struct cpu *c);
/// A number for a link.
u32 jit_link_number(struct jit *j);
/// The set of instructions that look translations up by address instead of by slot; those that must not
/// check for others have SITE_ALONE added to their address. Heads of hot loops are in it with SITE_HEAD.
enum { SITE_ALONE = 2, SITE_HEAD = 1 };
/// Conditional branches that are known to be mostly taken (hot.c).
bool jit_is_decided(const struct jit *j, gpa_t pa);
bool jit_is_taken(const struct jit *j, gpa_t pa);
void jit_hot_init(struct jit *j);
/// Code that ran less often than cfg.warm says (warm.c). jit_run_cold runs what is at cpu.pc in bodies until it comes to
/// warm code. READY: cpu.pc is there already; MOVED: look again; EXIT: cpu.exit is set. While instructions are
/// counted there is no cold code: a sample's exit at a moment of the host's would change what counts as such.
enum jit_warmth { WARM_READY, WARM_MOVED, WARM_EXIT };
void jit_warm_init(struct jit *j);
enum jit_warmth jit_run_cold(struct jit *j, struct cpu *c);
bool jit_has_run(const struct jit *j, gpa_t pa);
bool jit_is_warm(const struct jit *j, gpa_t pa);
/// A block begins at pa; false: none does, nor ever did (quicker than jit_find).
void jit_note_head(struct jit *j, gpa_t pa);
bool jit_may_be_head(const struct jit *j, gpa_t pa);
/// The code there changed.
void jit_forget_run(struct jit *j, gpa_t pa, u64 len);
bool jit_site_is_hot(const struct jit *j, gpa_t pa);
void jit_site_set_hot(struct jit *j, gpa_t pa);
void jit_link_to(struct jit *j, struct jit_link *l, struct jit_block *to);
void jit_unlink(struct jit *j, struct jit_link *l);
/// Brings cpu.jit[] up to date with cpu.ctx and cpu.mode.
void jit_sync(struct cpu *c);
/// Says where a cross-page link that was just made holds for this CPU.
void jit_set_guard(struct cpu *c, struct jit_link *l, u64 page, u64 gen);
void jit_run(struct cpu *c);
/// True when the instruction at cpu.pc must not run twice.
bool jit_stops_here(struct cpu *c, const u32 *host);
/// Whether NZCV is certainly read before it is written from here on, so that translated code that
/// ends here, even in the middle of a block, has to leave it right; host as from mmu_fetch.
bool jit_flags_right_at(struct jit *j, gpa_t pa, const u32 *host);
/// Makes translated code keep cpu.icount and end at cpu.budget, or not.
void jit_set_counting(struct cpu *c, bool on);
/// The n blocks that executed most instructions, while runs are counted. ret  how many there are
unsigned jit_top(const struct jit *j, const struct jit_block **top, unsigned n);
/// Writes the hottest blocks with guest and host code to stderr, for developers.
void jit_dump_top(const struct jit *j);
/// Appends a block to the file that `perf` reads.
void jit_name_block(struct jit *j, struct jit_block *b);

/* C side of the thunks; each returns the executable address to continue at. */
const u8 *jit_c_link(struct cpu *c, u32 number);
const u8 *jit_c_cross(struct cpu *c, u32 number);
const u8 *jit_c_lookup(struct cpu *c);
const u8 *jit_c_after(struct cpu *c, int status);
const u8 *jit_c_attention(struct cpu *c);
const u8 *jit_c_dead(struct cpu *c);
const u8 *jit_c_hot(struct cpu *c, u32 number);
int jit_c_exec_word(struct cpu *c, u32 word);
enum { DECODED = 1 << 13 };
/// An instruction by its word, decoded before or now; per CPU.
static inline const struct insn *jit_insn(struct cpu *c, u32 word)
{
    struct insn *i = &jit_cpu_of(c)->decoded[(word * 0x9e3779b1u >> 16) & (DECODED - 1)];
    if (UNLIKELY(i->word != word || !i->fn))
        insn_decode(word, i);
    return i;
}
void jit_c_hot_site(struct cpu *c, u32 off);
bool jit_c_fill(struct cpu *c, gva_t va, u64 key);

#endif
