// The packed loader proper, PACKED names its file.
    .section .rdata, "dr"
    .globl packed_start, packed_end
packed_start:
    .incbin PACKED
packed_end:
