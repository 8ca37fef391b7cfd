#!/usr/bin/env python3
"""What traps where at EL0, EL1 and EL2 under random hypervisor controls (el2_matrix.c).

el2_matrix.py BRUIN GUEST.elf GOLDEN [--update]: both engines must print the same, with and without FEAT_VHE;
the golden file holds one checksum a set of controls. Where qemu-system-aarch64 is installed its CPUs are
compared line by line, except where they are known to be wrong."""
import os, shutil, subprocess, sys, tempfile, zlib

E2H = 1 << 34


def run_bruin(bruin, elf, vhe, accel, out):
    subprocess.run([bruin, 'run', '--semihosting', '--el', '2', '--vhe', vhe, '--accel', accel, '--lint', 'off', '-m', '64M',
                    '--timeout', '60s', '--serial', 'file:' + out, elf], check=True, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return open(out).read().splitlines()


def run_qemu(elf, cpu, out):
    subprocess.run(['qemu-system-aarch64', '-M', 'virt,virtualization=on,gic-version=3', '-cpu', cpu, '-m', '64', '-display', 'none', '-nic', 'none',
                    '-monitor', 'none', '-semihosting', '-serial', 'file:' + out, '-kernel', elf], check=True, timeout=120)
    return open(out).read().splitlines()


def qemu_is_wrong(controls, el, word):
    """Against the Arm ARM's pseudocode; seen with QEMU 7.2."""
    is_sysreg = word >> 22 == 0xd50 >> 2 and word >> 20 & 1
    if word == 0xd50340df:  # the trap of DAIFSet at EL0 has op1 and op2 exchanged
        return True
    if word == 0xd50b7420:  # DC ZVA on Device memory (MMU off) raises no alignment fault
        return True
    if word == 0xd53b9c00 and controls['mdcr'] & 0x20:  # MDCR_EL2.TPMCR is ignored
        return True
    if word == 0xd53be020 and el == 0 and not controls['hcr'] & E2H:  # CNTPCT_EL0: EL1PCEN instead of EL1PCTEN
        return True
    if is_sysreg and word >> 16 & 7 == 5 and not controls['hcr'] & E2H:  # *_EL12 are UNDEFINED without E2H
        return True
    return False


def sets(lines):
    found = []
    for line in lines:
        if line.startswith('#'):
            f = line.split()
            found.append(({f[k]: int(f[k + 1], 16) for k in range(2, len(f), 2)}, [line]))
        else:
            found[-1][1].append(line)
    return found


def compare(ours, theirs, cpu, lacks):
    bad = 0
    for (controls, a), (_, b) in zip(ours, theirs):
        for x, y in zip(a, b):
            f = x.split()
            if x == y or x.startswith('#'):
                bad += x != y
                continue
            el, word = int(f[1][1:]), int(f[2], 16)
            if qemu_is_wrong(controls, el, word) or word in lacks:
                continue
            bad += 1
            if bad < 10:
                print(f'{a[0]}\n  {cpu}: {y}\n  bruin: {x}')
    return bad + (len(ours) != len(theirs))


def main():
    bruin, elf, golden = sys.argv[1:4]
    bad, sums = 0, []
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, 'out')
        for vhe, cpu, lacks in (('off', 'cortex-a57', {0xd500409f}), ('on', 'neoverse-n1', set())):
            ours = run_bruin(bruin, elf, vhe, 'interp', out)
            if ours != run_bruin(bruin, elf, vhe, 'jit', out):
                print(f'vhe {vhe}: the engines differ')
                bad += 1
            sums += [f'{vhe} {k} {zlib.crc32(chr(10).join(l).encode()):08x}' for k, (_, l) in enumerate(sets(ours))]
            if shutil.which('qemu-system-aarch64'):
                n = compare(sets(ours), sets(run_qemu(elf, cpu, out)), cpu, lacks)
                print(f'vhe {vhe}: {len(ours)} lines, {n} differ from {cpu}')
                bad += n
    if '--update' in sys.argv:
        open(golden, 'w').write('\n'.join(sums) + '\n')
    elif open(golden).read().split('\n')[:-1] != sums:
        print('differs from', golden)
        bad += 1
    return bad != 0


sys.exit(main())
