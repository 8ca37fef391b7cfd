#!/bin/sh
# Translator against interpreter: INSNS random instructions of each family, then a tenth of that with each stress knob and
# without each part of the host.
#   lockstep_soak.sh LOCKSTEP INSNS
set -e
lockstep=$1 insns=$2
run() {
    for family in int ldst fp simd int,ldst,fp,simd; do
        printf '%s ' "${1:-plain}"
        env $1 "$lockstep" --family $family --insns "$2" --seed "$(date +%s)"
    done
}
run '' "$insns"
for knob in DROP=1 DROP=3 TLB=1 TLB=4 ATTEND=1 FLUSH=1 EVICT=1 SLOTS=1 BLOCK=1 NOLINK=1 NOGROUP=1 HOT=2 \
    CPU_OFF=avx2,bmi1,bmi2,lzcnt,popcnt,movbe,aes,sha,pclmul CPU_OFF=sse42 CPU_OFF=avx2 CPU_OFF=avx512vl,avx512dq,avx512bw,gfni \
    CPU_OFF=fma CPU_OFF=bmi1,bmi2 CPU_OFF=aes CPU_OFF=sha CPU_OFF=pclmul CPU_OFF=f16c CPU_OFF=lzcnt,popcnt,movbe; do
    run "BRUIN_JIT_$knob" $((insns / 10))
done
