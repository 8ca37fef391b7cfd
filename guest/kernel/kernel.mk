# --- kernel: one source, several kernels that differ in their note and link address ----------------
KERNEL := main console debug symbols pmm heap vm fb selftest monitor probe
KERNEL_BRIDGE := def mem bbp_check pagetable memmap hw_dtb hw_acpi
KERNEL_ARCH_aarch64 := arch trap gic early
KERNEL_ARCH_x86_64 := arch trap apic
KERNEL_CC := $(COMMON) -fpie -fvisibility=hidden -fno-omit-frame-pointer -fno-jump-tables \
	-fno-asynchronous-unwind-tables -I$(HERE)/kernel
KERNEL_aarch64 := -target aarch64-none-elf -mgeneral-regs-only -mstrict-align
KERNEL_x86_64 := -target x86_64-none-elf -mgeneral-regs-only -mno-red-zone
PAGE_aarch64 := 65536
PAGE_x86_64 := 4096
LINK_HIGH := 0xffffffff80000000
KLD = -T $(HERE)/kernel/kernel.ld -static --no-dynamic-linker -z max-page-size=$(PAGE_$(1)) \
	--build-id=none -z norelro -Bsymbolic

define kernel_rules
KERNEL_OBJ_$(1) := $$(patsubst %,$$(OUT)/obj/kernel-$(1)/%.o,entry $$(KERNEL) $$(KERNEL_BRIDGE) $$(KERNEL_ARCH_$(1)))
$$(OUT)/obj/kernel-$(1)/%.o: $(HERE)/bridge/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(KERNEL_$(1)) $$(KERNEL_CC) -MMD -c $$< -o $$@
$$(OUT)/obj/kernel-$(1)/%.o: $(HERE)/kernel/$(1)/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(KERNEL_$(1)) $$(KERNEL_CC) -MMD -c $$< -o $$@
$$(OUT)/obj/kernel-$(1)/%.o: $(HERE)/kernel/$(1)/%.S
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(KERNEL_$(1)) $$(KERNEL_CC) -c $$< -o $$@
$$(OUT)/obj/kernel-$(1)/%.o: $(HERE)/kernel/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(KERNEL_$(1)) $$(KERNEL_CC) -MMD -c $$< -o $$@
-include $$(KERNEL_OBJ_$(1):.o=.d)
endef
$(eval $(call kernel_rules,aarch64))
$(eval $(call kernel_rules,x86_64))

# $(1) arch, $(2) file name, $(3) flags for note.c, $(4) link base, $(5) -pie or nothing, $(6) more
define kernel_variant
KERNELS += $(OUT)/$(2)
$(OUT)/$(2): $$(KERNEL_OBJ_$(1)) $(HERE)/kernel/note.c $(HERE)/kernel/kernel.ld $(HERE)/kernel/kernel.mk
	$$(Q)$$(CLANG) $$(KERNEL_$(1)) $$(KERNEL_CC) $(3) -c $(HERE)/kernel/note.c -o $$@.note.o
	$$(Q)$$(LD_LLD) $$(call KLD,$(1)) --defsym=LINK_BASE=$(4) $(5) $(6) -o $$@ $$@.note.o $$(KERNEL_OBJ_$(1))
	$$(Q)rm -f $$@.note.o
endef
$(eval $(call kernel_variant,aarch64,kernel-aarch64.elf,,$(LINK_HIGH),-pie))
$(eval $(call kernel_variant,x86_64,kernel-x86-64.elf,,$(LINK_HIGH),-pie))
# Entered with the MMU off, at EL1 or wherever the firmware was.
$(eval $(call kernel_variant,aarch64,kernel-mmuoff.elf,-DWANT_FLAGS='(BBP_WANT_MMU_OFF|BBP_WANT_SYMS)',$(LINK_HIGH),-pie))
$(eval $(call kernel_variant,aarch64,kernel-el2off.elf,-DWANT_FLAGS='(BBP_WANT_MMU_OFF|BBP_WANT_STAY_EL2|BBP_WANT_SYMS)',$(LINK_HIGH),-pie))
$(eval $(call kernel_variant,aarch64,kernel-vhe.elf,-DWANT_FLAGS='(BBP_WANT_STAY_EL2|BBP_WANT_VHE|BBP_WANT_SYMS)',$(LINK_HIGH),-pie))
$(eval $(call kernel_variant,aarch64,kernel-16k.elf,-DWANT_GRANULES=2,$(LINK_HIGH),-pie))
$(eval $(call kernel_variant,aarch64,kernel-64k.elf,-DWANT_GRANULES=4,$(LINK_HIGH),-pie))
# Page tables of five levels, or of at most four, whatever the firmware runs with.
$(eval $(call kernel_variant,x86_64,kernel-5level-x86-64.elf,-DWANT_LEVELS_MIN=5,$(LINK_HIGH),-pie))
$(eval $(call kernel_variant,x86_64,kernel-4level-x86-64.elf,-DWANT_LEVELS_MAX=4,$(LINK_HIGH),-pie))
# Linked at 0x40000000: mapped there from any memory, or (physical) refused where that is taken.
$(eval $(call kernel_variant,aarch64,kernel-low.elf,-DWANT_FLAGS=BBP_WANT_SYMS,0x40000000,))
$(eval $(call kernel_variant,x86_64,kernel-low-x86-64.elf,-DWANT_FLAGS=BBP_WANT_SYMS,0x40000000,))
$(eval $(call kernel_variant,aarch64,kernel-phys.elf,-DWANT_FLAGS='(BBP_WANT_PHYS_LINK|BBP_WANT_SYMS)',0x40000000,))# For tests of refusal: physical addresses that hold no RAM, or memory the firmware uses.
$(eval $(call kernel_variant,aarch64,kernel-noram.elf,-DWANT_FLAGS=BBP_WANT_PHYS_LINK,0x10000000,))
$(eval $(call kernel_variant,aarch64,kernel-occupied.elf,-DWANT_FLAGS=BBP_WANT_PHYS_LINK,0x5f000000,))

# Kernels for the Limine protocol: $(1) arch, $(2) name, $(3) base revision.
define limine_kernel
KERNELS += $(OUT)/kernel-limine$(3)-$(2).elf
$(OUT)/kernel-limine$(3)-$(2).elf: $(HERE)/kernel/limine.c $(OUT)/obj/kernel-$(1)/def.o $(OUT)/obj/kernel-$(1)/mem.o $(HERE)/kernel/kernel.ld
	$$(Q)$$(CLANG) $$(KERNEL_$(1)) $$(KERNEL_CC) -DREVISION=$(3) -c $(HERE)/kernel/limine.c -o $$@.o
	$$(Q)$$(LD_LLD) $$(call KLD,$(1)) --defsym=LINK_BASE=$(LINK_HIGH) -pie -o $$@ $$@.o $(OUT)/obj/kernel-$(1)/def.o $(OUT)/obj/kernel-$(1)/mem.o
	$$(Q)rm -f $$@.o
endef
$(foreach r,0 3 4,$(eval $(call limine_kernel,aarch64,aarch64,$(r))))
$(foreach r,0 3,$(eval $(call limine_kernel,x86_64,x86-64,$(r))))

kernel: $(KERNELS)
