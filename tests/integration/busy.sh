#!/bin/sh
# A busy user of a Linux guest, for kernels.py: programs, modules, tracing, CPUs off and on, sleep, kexec, reboot.
# The first boot does all and starts the next by kexec, that one resets the machine, the third says BUSY-END.
# The command line's parts=LIST leaves out what is not in it. /dev/vda: 1 MiB to note the boot in, then the kernel; /dev/vdb: the initrd.
parts=' segv traps step code huge uffd threads timers perf bpf disk modules net trace hotplug sleep sysrq vm load kexec '
for word in $(cat /proc/cmdline); do
    case $word in parts=*) parts=" $(echo "${word#parts=}" | tr , ' ') " ;; esac
done
wants() { case $parts in *" $1 "*) echo "BUSY-PART $1 $(cut -d" " -f1 /proc/uptime)"; return 0 ;; esac; return 1; }
online() { echo "$2" >/sys/devices/system/cpu/cpu$1/online; }
pull() { for m in $(cat "/lib/modules/$(uname -r)/order"); do insmod "$m" 2>/dev/null; done; }

echo 7 >/proc/sys/kernel/printk
mount -t tracefs none /sys/kernel/tracing 2>/dev/null; mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t tmpfs none /tmp; mount -t configfs none /sys/kernel/config 2>/dev/null
pull
mark() { printf %-512s $1 | dd of=/dev/vda conv=notrunc bs=512 2>/dev/null; sync; }
case $(dd if=/dev/vda bs=512 count=1 2>/dev/null | head -c 5) in
KEXEC) mark RESET; echo BUSY-KEXECED; reboot -f ;;
RESET) echo BUSY-END; exit 0 ;;
esac
busy segv traps; busy step code uffd
for p in huge threads timers perf bpf disk; do wants $p && busy $p; done

if wants modules; then
    n=0
    while [ $n -lt 4 ]; do
        pull
        for m in $(sed '1!G;h;$!d' "/lib/modules/$(uname -r)/order"); do
            m=${m##*/}; m=${m%.ko}
            case $m in *virtio*|*mmio*|*pci*) ;; *) busybox rmmod "$m" 2>/dev/null ;; esac
        done
        n=$((n + 1))
    done
    pull
    grep -c . /proc/modules
fi
if wants net; then
    ip link set lo up; ip link set eth0 up 2>/dev/null && udhcpc -i eth0 -n -q -f -T 1 -t 10 -s /bin/lease
    ping -c 3 -W 2 10.0.2.2; ping6 -c 2 ::1 >/dev/null
    nc -l -p 99 >/tmp/got & sleep 0.2; dd if=/dev/urandom bs=64k count=64 2>/dev/null | nc 127.0.0.1 99 & sleep 2; ls -l /tmp/got; kill %1 %2 2>/dev/null
    dd if=/dev/hwrng of=/dev/null bs=64 count=32 2>/dev/null
    ip link set eth0 down 2>/dev/null
fi
if wants trace && cd /sys/kernel/tracing; then
    for t in function function_graph irqsoff wakeup hwlat nop; do
        echo $t >current_tracer 2>/dev/null || continue
        ls -lR /bin >/dev/null; sleep 0.3; head -3 trace >/dev/null; echo >trace
    done
    echo nop >current_tracer
    n=0
    while [ $n -lt 4 ]; do
        echo 'p:a vfs_read' >kprobe_events; echo 'r:b do_sys_openat2 $retval' >>kprobe_events; echo 'p:c kmem_cache_alloc+4' >>kprobe_events 2>/dev/null
        echo "p:d /bin/busybox:0x$(printf %x $((4096 + n * 16)))" >uprobe_events 2>/dev/null
        echo 1 >events/kprobes/enable; echo 1 >events/uprobes/enable 2>/dev/null
        ls /bin | wc -l >/dev/null
        echo 0 >events/kprobes/enable; echo 0 >events/uprobes/enable 2>/dev/null; echo >kprobe_events; echo >uprobe_events 2>/dev/null
        n=$((n + 1))
    done
    for e in sched irq timer syscalls kmem net; do echo 1 >events/$e/enable 2>/dev/null; done
    ls -lR /sys/class >/dev/null 2>&1
    echo 0 >events/enable; echo >trace
    cd /
fi
if wants vm; then
    n=0
    echo 1 >/sys/kernel/mm/ksm/run; echo always >/sys/kernel/mm/transparent_hugepage/enabled
    [ -e /sys/block/zram0 ] && { echo 96M >/sys/block/zram0/disksize; busybox mkswap /dev/zram0; busybox swapon /dev/zram0; }
    while [ $n -lt 4 ]; do
        dd if=/dev/zero of=/tmp/fill bs=1M count=150 2>/dev/null; busy huge &
        echo 1 >/proc/sys/vm/compact_memory; echo 3 >/proc/sys/vm/drop_caches
        wait; rm -f /tmp/fill; n=$((n + 1))
    done
    echo 64 >/proc/sys/vm/nr_hugepages; grep HugePages_T /proc/meminfo; echo 0 >/proc/sys/vm/nr_hugepages; echo 0 >/sys/kernel/mm/ksm/run
fi
if wants hotplug && [ -e /sys/devices/system/cpu/cpu1/online ]; then
    n=0
    while [ $n -lt 3 ]; do
        for c in 1 2 3; do [ -e /sys/devices/system/cpu/cpu$c/online ] && online $c 0; done
        ls -lR /bin >/dev/null; nproc
        for c in 3 2 1; do [ -e /sys/devices/system/cpu/cpu$c/online ] && online $c 1; done
        busy threads; n=$((n + 1))
    done
fi
if wants sleep; then
    n=0
    while [ $n -lt 2 ]; do
        echo 0 >/sys/class/rtc/rtc0/wakealarm; echo +3 >/sys/class/rtc/rtc0/wakealarm && echo freeze >/sys/power/state; echo "BUSY-AWAKE $?"
        n=$((n + 1))
    done
    busybox chrt -f 50 sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'
    sleep 3
fi
if wants sysrq; then for k in h l m t w p q s u d; do echo $k >/proc/sysrq-trigger; done >/dev/null; fi
if wants load; then
    (busy threads timers & ls -lR / >/dev/null 2>&1 & dd if=/dev/zero bs=64k count=200 2>/dev/null | sha256sum & gzip </bin/busybox | gunzip | md5sum & wait)
    dd if=/dev/vda bs=1M count=20 2>/dev/null | md5sum; n=0; while [ $n -lt 100 ]; do /bin/true; n=$((n + 1)); done
fi
busybox dmesg -c | tail -2
if wants kexec && [ -b /dev/vda ]; then
    dd if=/dev/vda of=/tmp/Image bs=1M skip=1 2>/dev/null; dd if=/dev/vdb of=/tmp/initrd bs=1M 2>/dev/null
    mark KEXEC; busy kexec
fi
echo BUSY-END
