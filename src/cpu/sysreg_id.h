/// Numbers of the system registers, from sysreg.def.
#ifndef BRUIN_SYSREG_ID_H
#define BRUIN_SYSREG_ID_H

enum sysreg_id {
#define SR(name, op0, op1, crn, crm, op2, access, reset, read, write) SYSREG_##name,
#include "cpu/sysreg.def"
#undef SR
    SYSREG_COUNT
};

#endif
