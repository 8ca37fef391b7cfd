# The front door. Everything is built by meson below build/; each target installs what it needs.
BUILD ?= build
GUEST = $(shell scripts/fetch-guest.sh --path)
RUN_ARGS ?= -m 512M


.NOTPARALLEL:
.PHONY: all run build check check-asan check-tsan check-fresh deps guest install format bench demo-uefi fuzz soak-gcc soak-lint soak-kernels soak-diagnosis soak-diff soak-lockstep soak-determinism clean help
all: build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: deps-run guest $(BUILD)/build.ninja ## boot a stock Debian arm64 kernel to a shell
	@ninja -C $(BUILD) bruin
	$(BUILD)/bruin run $(RUN_ARGS) -i $(GUEST)/initramfs.cpio.gz $(GUEST)/Image

build: deps-run $(BUILD)/build.ninja ## build/bruin and build/libbruin.{a,so}
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) >$(BUILD)-setup.log 2>&1 || { cat $(BUILD)-setup.log; exit 1; }; rm -f $(BUILD)-setup.log

deps: ## install every Debian package that building and testing need
	@scripts/deps.sh check

deps-%:
	@scripts/deps.sh $*

guest: ## fetch Debian's arm64 kernels and BusyBox into the cache
	@scripts/fetch-guest.sh

check: deps-check guest $(BUILD)/.with-tests ## every test; the last line says how many passed and failed
	@ninja -C $(BUILD)
	@$(MAKE) --no-print-directory -s -C guest OUT=$(abspath $(BUILD))/guest all
	@scripts/fetch-loaders.sh || echo "the boot loaders of Debian are not there: their tests are left out"
	@tests/check.py $(BUILD) $(CHECK_ARGS)

# A build directory made before the test tools were there does not know the tests that need them.
$(BUILD)/.with-tests: | $(BUILD)/build.ninja
	@meson setup --reconfigure $(BUILD) >$(BUILD)/reconfigure.log 2>&1 || { cat $(BUILD)/reconfigure.log; exit 1; }
	@touch $@

check-tsan: deps-check guest ## what runs on several threads, under ThreadSanitizer
	@[ -f build-tsan/build.ninja ] || meson setup build-tsan -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
	@ninja -C build-tsan
	@tests/check.py build-tsan --suite threads $(TSAN_ARGS)

check-asan: deps-check guest ## every test under ASan and UBSan
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Dbuildtype=debugoptimized -Db_sanitize=address,undefined
	@ninja -C build-asan
	@$(MAKE) --no-print-directory -s -C guest OUT=$(abspath build-asan)/guest all
	@tests/check.py build-asan $(ASAN_ARGS)

check-fresh: ## as root: a fresh Debian 12 in a chroot, a clone of HEAD, make run with typing, make check
	@command -v mmdebstrap >/dev/null || scripts/deps.sh fresh
	@tests/fresh.py $(FRESH_ARGS)

BASE ?= HEAD
format: deps-format ## formats what was changed since BASE (HEAD), and only that, by .clang-format
	@git clang-format --quiet --force $(BASE); git diff --stat

install: build ## program, library, header and pkg-config file (DESTDIR and prefix as meson has them)
	@meson install -C $(BUILD)

demo-uefi: deps-uefi build ## the tiny firmware starts the loader, which starts the demonstration kernel
	@$(MAKE) --no-print-directory -C guest OUT=$(abspath $(BUILD))/guest loader kernel
	@mkdir -p $(BUILD)/esp/EFI/BOOT
	@cp $(BUILD)/guest/BOOTAA64.EFI $(BUILD)/esp/EFI/BOOT/ && cp $(BUILD)/guest/kernel-aarch64.elf $(BUILD)/esp/kernel.elf
	$(BUILD)/bruin run --firmware tiny --esp $(BUILD)/esp $(BUILD)/esp/EFI/BOOT/BOOTAA64.EFI

bench: deps-bench build ## the benchmark kit against QEMU, interleaved, as a table of ratios
	@bench/build.sh
	@bench/bench.py $(BENCH_ARGS)

soak-gcc: deps-bench guest build ## GCC's own 1951 run-time tests in the guest, compared with QEMU's result
	@scripts/guests/gcc-testsuite.sh
	@tests/integration/boot.py gcc-testsuite --bruin $(BUILD)/bruin --timeout 3600

soak-lint: deps-check guest build ## every real guest under --lint default and strict: no warning may come
	@$(MAKE) --no-print-directory -s -C guest OUT=$(abspath $(BUILD))/guest all
	@tests/integration/lint.py --fetch --bruin $(BUILD)/bruin --out $(BUILD)/guest

soak-kernels: deps-check guest build ## kernels of other Debian releases in busy sessions, with lints (KERNELS_ARGS narrows it; hours if not)
	@scripts/fetch-more.sh || echo "what could not be fetched is left out"
	@tests/integration/kernels.py --bruin $(BUILD)/bruin $(KERNELS_ARGS)

soak-diagnosis: deps-check build ## every broken guest there is, also Linux booted wrongly: each must be named
	@for e in jit interp; do tests/guest/diag/run.py $(BUILD)/bruin $$e || exit 1; done
	@tests/guest/diag/young.py $(BUILD)/bruin --all
	@tests/guest/diag/field.py $(BUILD)/bruin --all
	@tests/guest/diag/linux.py $(BUILD)/bruin

SOAK_CASES ?= 1000000
soak-diff: deps-check $(BUILD)/.with-tests build ## SOAK_CASES random cases of each family and engine against qemu-aarch64
	@tests/diff/soak.sh $(BUILD) $(SOAK_CASES)

SOAK_INSNS ?= 10000000
soak-lockstep: build ## SOAK_INSNS random instructions of each family, translator against interpreter; a tenth with each knob and smaller host
	@tests/diff/lockstep_soak.sh $(BUILD)/tests/diff/lockstep $(SOAK_INSNS)

SOAK_BOOTS ?= 100
SOAK_KNOBS ?= BLOCK=1,EVICT=300,EVICT=50,FLUSH=3000,FLUSH=500,WARM=0,HOT=2,NOLINK=1,CODE=0x400000,SLOTS=1,TLB=4,DROP=50
soak-determinism: guest build ## SOAK_BOOTS boots with --deterministic on one CPU and on two, whose consoles must be the same
	@tests/integration/determinism.py --bruin $(BUILD)/bruin --boots $(SOAK_BOOTS) --knobs $(SOAK_KNOBS)
	@tests/integration/determinism.py --bruin $(BUILD)/bruin --boots $(SOAK_BOOTS) --knobs $(SOAK_KNOBS) --cpus 2

FUZZ_SECONDS ?= 60
fuzz: deps-fuzz ## libFuzzer on every target, FUZZ_SECONDS each
	@[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Dbuildtype=debugoptimized \
		-Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link >/dev/null
	@ninja -C build-fuzz
	@tests/fuzz/run.sh build-fuzz $(FUZZ_SECONDS)

clean:
	rm -rf build build-asan build-tsan build-fuzz
