/// The tiny firmware's PE loader: what it accepts, it copies and relocates inside the image, and no page is
/// given rights outside it.
#include "fuzz.h"

#include "pe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct br_pe p;
    const char *why = NULL;
    if (!br_pe_parse(data, size, &p, &why)) {
        FUZZ_CHECK(why && why[0]);
        return 0;
    }
    FUZZ_CHECK(p.entry < p.image_size && p.section_count <= PE_SECTIONS_MAX);
    for (u32 k = 0; k < p.section_count; k++) {
        u64 rva, pages;
        u32 rights;
        if (br_pe_section(&p, k, &rva, &pages, &rights))
            FUZZ_CHECK(rva + pages * PE_PAGE <= br_up(p.image_size, PE_PAGE));
    }
    if (p.image_size > 1 << 20)
        return 0;
    u8 *image = malloc(p.image_size);
    (void)!br_pe_load(&p, image, 0x50000000, &why);
    free(image);
    return 0;
}
