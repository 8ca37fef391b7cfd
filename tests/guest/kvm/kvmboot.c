// Runs in a guest with EL2: boots a Linux kernel in a virtual machine of KVM. One or two CPUs, a GICv3,
// a PL011 that can be written to and interrupts; every other device answers with zeros.
// usage: kvmboot IMAGE DTB INITRD [CPUS]; ends with KVMBOOT-OFF when the kernel powers off.
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAM_BASE 0x40000000ULL
#define RAM_SIZE (256ULL << 20)
#define KERNEL_AT 0x200000
#define DTB_AT 0x8000000
#define INITRD_AT 0x8200000 // what the device tree says
#define UART 0x09000000ULL
#define CORE(field) (offsetof(struct user_pt_regs, field) / 4)

static int kvm, vm;
static uint8_t *ram;
static uint32_t uart_mask;
static unsigned long exits;

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void load(const char *path, uint64_t at)
{
    struct stat st;
    int f = open(path, O_RDONLY);
    must(f >= 0 && fstat(f, &st) == 0 && at + (uint64_t)st.st_size <= RAM_SIZE, path);
    for (ssize_t n, got = 0; got < st.st_size; got += n) {
        n = read(f, ram + at + got, (size_t)(st.st_size - got));
        must(n > 0, path);
    }
    close(f);
}

static uint64_t uart_read(uint64_t off)
{
    static const uint8_t id[8] = {0x11, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1};
    if (off >= 0xfe0)
        return id[(off - 0xfe0) / 4];
    switch (off) {
    case 0x18: return 0x90;            // transmitter and receiver empty
    case 0x38: return uart_mask;
    case 0x3c: return 0x20;            // the transmitter always wants more
    case 0x40: return uart_mask & 0x20;
    default: return 0;
    }
}

static void uart_write(uint64_t off, uint32_t v)
{
    if (off == 0) {
        putchar((int)(v & 0xff));
        if ((v & 0xff) == '\n')
            fflush(stdout);
    }
    if (off == 0x38) {
        uart_mask = v;
        struct kvm_irq_level line = {.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | 33, .level = (v & 0x20) != 0};
        must(ioctl(vm, KVM_IRQ_LINE, &line) == 0, "KVM_IRQ_LINE");
    }
}

static void mmio(struct kvm_run *run)
{
    uint64_t at = run->mmio.phys_addr, v = 0;
    memcpy(&v, run->mmio.data, run->mmio.len);
    exits++;
    if (run->mmio.is_write) {
        if (at - UART < 0x1000)
            uart_write(at - UART, (uint32_t)v);
        return;
    }
    v = at - UART < 0x1000 ? uart_read(at - UART) : 0;
    memcpy(run->mmio.data, &v, run->mmio.len);
}

struct vcpu {
    int fd;
    struct kvm_run *run;
    pthread_t thread;
};

static void set_reg(int fd, uint64_t offset, uint64_t v)
{
    struct kvm_one_reg r = {.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset, .addr = (uintptr_t)&v};
    must(ioctl(fd, KVM_SET_ONE_REG, &r) == 0, "KVM_SET_ONE_REG");
}

static void make_vcpu(struct vcpu *v, unsigned n)
{
    struct kvm_vcpu_init init;
    v->fd = ioctl(vm, KVM_CREATE_VCPU, n);
    must(v->fd >= 0 && ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) == 0, "KVM_CREATE_VCPU");
    init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2 | (n ? 1 << KVM_ARM_VCPU_POWER_OFF : 0);
    must(ioctl(v->fd, KVM_ARM_VCPU_INIT, &init) == 0, "KVM_ARM_VCPU_INIT");
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    v->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    must(v->run != MAP_FAILED, "mmap");
}

static void set_attr(int fd, uint32_t group, uint64_t attr, uint64_t val)
{
    struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)&val};
    must(ioctl(fd, KVM_SET_DEVICE_ATTR, &a) == 0, "KVM_SET_DEVICE_ATTR");
}

static void make_gic(void)
{
    struct kvm_create_device dev = {.type = KVM_DEV_TYPE_ARM_VGIC_V3};
    must(ioctl(vm, KVM_CREATE_DEVICE, &dev) == 0, "KVM_CREATE_DEVICE");
    set_attr((int)dev.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, 0x08000000);
    set_attr((int)dev.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, 0x080a0000);
    struct kvm_device_attr init = {.group = KVM_DEV_ARM_VGIC_GRP_CTRL, .attr = KVM_DEV_ARM_VGIC_CTRL_INIT};
    must(ioctl((int)dev.fd, KVM_SET_DEVICE_ATTR, &init) == 0, "vgic init");
}

static void *run_vcpu(void *arg)
{
    struct vcpu *v = arg;
    for (;;) {
        if (ioctl(v->fd, KVM_RUN, 0) != 0) {
            must(errno == EINTR, "KVM_RUN");
            continue;
        }
        switch (v->run->exit_reason) {
        case KVM_EXIT_MMIO: mmio(v->run); break;
        case KVM_EXIT_INTR: break;
        case KVM_EXIT_SYSTEM_EVENT:
            printf("KVMBOOT-%s after %lu accesses to devices\n",
                   v->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? "OFF" : "RESET", exits);
            fflush(stdout);
            _exit(0);
        default:
            printf("KVMBOOT exit reason %u\n", v->run->exit_reason);
            fflush(stdout);
            _exit(2);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct vcpu vcpu[8];
    unsigned cpus = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    must(argc > 3 && cpus >= 1 && cpus <= 8, "usage: kvmboot IMAGE DTB INITRD [CPUS]");
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    must(kvm >= 0, "/dev/kvm");
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    must(vm >= 0, "KVM_CREATE_VM");
    ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(ram != MAP_FAILED, "mmap");
    load(argv[1], KERNEL_AT);
    load(argv[2], DTB_AT);
    load(argv[3], INITRD_AT);
    struct kvm_userspace_memory_region region = {.guest_phys_addr = RAM_BASE, .memory_size = RAM_SIZE, .userspace_addr = (uintptr_t)ram};
    must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0, "KVM_SET_USER_MEMORY_REGION");
    for (unsigned n = 0; n < cpus; n++)
        make_vcpu(&vcpu[n], n);
    make_gic();
    set_reg(vcpu[0].fd, CORE(pc), RAM_BASE + KERNEL_AT);
    set_reg(vcpu[0].fd, CORE(regs[0]), RAM_BASE + DTB_AT);
    for (unsigned n = 1; n < cpus; n++)
        must(pthread_create(&vcpu[n].thread, NULL, run_vcpu, &vcpu[n]) == 0, "thread");
    run_vcpu(&vcpu[0]);
    return 0;
}
