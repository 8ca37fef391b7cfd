/// A configuration file and every value in it.
#include "fuzz.h"

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf c;
    struct br_why why;
    struct conf_path path;
    if (!conf_parse(&c, (const char *)data, size, "aarch64", &why))
        return 0;
    for (int e = -1; e < (int)c.entries; e++) {
        const char *v;
        for (u32 n = 0; (v = conf_get(&c, e, "path", n)); n++)
            (void)!conf_path_parse(v, &path, &why);
        for (u32 n = 0; e >= 0 && conf_get(&c, e, "module_path", n); n++)
            conf_module_string(&c, e, n);
        conf_yes(&c, e, "kaslr", true);
    }
    return 0;
}
