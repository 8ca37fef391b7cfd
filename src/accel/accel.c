/// The list of accelerators, best first.
#include "accel/accel.h"

static const struct accel_ops *const accels[] = {&accel_jit, &accel_interp};

const struct accel_ops *accel_find(const char *name, struct err *e)
{
    bool any = strcmp(name, "auto") == 0;
    struct err why = {0};
    for (size_t k = 0; k < ARRAY_LEN(accels); k++) {
        if (!any && strcmp(name, accels[k]->name) != 0)
            continue;
        if (accels[k]->probe == NULL || accels[k]->probe(&why))
            return accels[k];
        if (!any) {
            err_set(e, ERR_USAGE, "--accel %s: %s", name, why.msg);
            return NULL;
        }
    }
    err_set(e, ERR_USAGE, "--accel %s: auto%s is wanted", name, ARRAY_LEN(accels) > 1 ? ", jit or interp" : " or interp");
    return NULL;
}
