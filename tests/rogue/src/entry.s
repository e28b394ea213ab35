// First instructions, vectors, and the accesses that Rust has no words for.

.section .head, "ax"
.global _start
_start:
    b       rogue_boot
    .long   0
    .quad   0                       // text_offset
    .quad   image_size
    .quad   0xa                     // little-endian, 4 KiB pages, anywhere
    .quad   0
    .quad   0
    .quad   0
    .ascii  "ARM\x64"
    .long   0

.section .text.entry, "ax"
rogue_boot:
    mov     x20, x0                 // device tree
    adr     x0, rogue_vectors
    msr     vbar_el1, x0
    isb
    adrp    x1, bss_start
    add     x1, x1, :lo12:bss_start
    adrp    x2, bss_end
    add     x2, x2, :lo12:bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  adrp    x0, rogue_stack_top
    add     x0, x0, :lo12:rogue_stack_top
    mov     sp, x0
    mov     x0, x20
    bl      rogue_main              // does not return

.section .vectors, "ax"
.balign 2048
rogue_vectors:
.rept 16
    .balign 128
    mrs     x0, esr_el1
    mrs     x1, far_el1
    b       rogue_fault             // does not return
.endr

.section .text.accesses, "ax"
// rogue_load8(address), rogue_load32(address), rogue_store*(address, value): one plain access.
.global rogue_load8
rogue_load8:
    ldrb    w0, [x0]
    ret
.global rogue_load16
rogue_load16:
    ldrh    w0, [x0]
    ret
.global rogue_load32
rogue_load32:
    ldr     w0, [x0]
    ret
.global rogue_load64
rogue_load64:
    ldr     x0, [x0]
    ret
.global rogue_store8
rogue_store8:
    strb    w1, [x0]
    ret
.global rogue_store16
rogue_store16:
    strh    w1, [x0]
    ret
.global rogue_store32
rogue_store32:
    str     w1, [x0]
    ret
.global rogue_store64
rogue_store64:
    str     x1, [x0]
    ret

// rogue_store32_write_back(address, value): moves the address along, so no host can repeat it.
.global rogue_store32_write_back
rogue_store32_write_back:
    str     w1, [x0], #4
    ret

// rogue_call(address): runs the code there.
.global rogue_call
rogue_call:
    dsb     sy
    ic      ialluis
    dsb     sy
    isb
    br      x0

// rogue_smc(x0..x4): gives x0 to x2 in the structure that x5 points to.
.global rogue_smc
rogue_smc:
    stp     x19, x30, [sp, #-16]!
    mov     x19, x5
    smc     #0
    stp     x0, x1, [x19]
    str     x2, [x19, #16]
    ldp     x19, x30, [sp], #16
    ret

.section .bss.stack, "aw", %nobits
.balign 16
    .space  0x8000
rogue_stack_top:
