// The monitor's first instructions, and the set-up of EL2 on each processor.

.section .head, "ax"
.global _start
_start:
    b       monitor_boot
    .long   0
    .quad   0                       // text_offset: QEMU loads at the start of RAM + 2 MiB
    .quad   image_size
    .quad   0xa                     // little-endian, 4 KiB pages, anywhere
    .quad   0
    .quad   0
    .quad   0
    .ascii  "ARM\x64"
    .long   0

.section .text.entry, "ax"
monitor_boot:
    msr     daifset, #0xf
    mov     x20, x0                 // the machine's device tree
    adrp    x1, bss_start
    add     x1, x1, :lo12:bss_start
    adrp    x2, bss_end
    add     x2, x2, :lo12:bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  mov     x0, #0
    bl      monitor_stack
    mov     sp, x0
    adr     x1, monitor_vectors
    msr     vbar_el2, x1
    isb
    mov     x0, x20
    bl      monitor_main            // does not return

// Where PSCI starts another processor; x0 is its number.
.global monitor_secondary
monitor_secondary:
    msr     daifset, #0xf
    mov     x20, x0
    bl      monitor_stack
    mov     sp, x0
    adr     x1, monitor_vectors
    msr     vbar_el2, x1
    isb
    mov     x0, x20
    bl      monitor_secondary_main  // does not return

// The top of the stack of processor x0.
monitor_stack:
    add     x0, x0, #1
    lsl     x0, x0, #18             // 256 KiB each
    adrp    x1, monitor_stacks
    add     x1, x1, :lo12:monitor_stacks
    add     x0, x0, x1
    ret

// monitor_enter(pc, x0 of the guest, VTCR_EL2, VTTBR_EL2, more of HCR_EL2): starts the guest on this
// processor.
.global monitor_enter
monitor_enter:
    mov     x20, x0
    mov     x21, x1
    mov     x22, x4
    msr     vtcr_el2, x2
    msr     vttbr_el2, x3

    // Only what the processor has, or the write would be undefined.
    mov     x0, #0x22ff             // no trap of FP, SVE, SME
    msr     cptr_el2, x0
    isb
    mrs     x0, id_aa64pfr0_el1
    ubfx    x0, x0, #32, #4         // SVE
    cbz     x0, 1f
    mov     x0, #0xf
    msr     s3_4_c1_c2_0, x0        // ZCR_EL2
1:  mrs     x0, id_aa64pfr1_el1
    ubfx    x0, x0, #24, #4         // SME
    cbz     x0, 2f
    ldr     x0, =0x8000000f
    msr     s3_4_c1_c2_6, x0        // SMCR_EL2
2:  mrs     x0, id_aa64mmfr0_el1
    ubfx    x0, x0, #56, #4         // FGT
    cbz     x0, 3f
    ldr     x0, =0xfffc000000000000 // the bits that trap when clear
    msr     s3_4_c1_c1_4, x0        // HFGRTR_EL2
    msr     s3_4_c1_c1_5, x0        // HFGWTR_EL2
    msr     s3_4_c1_c1_6, xzr       // HFGITR_EL2
    msr     s3_4_c3_c1_4, xzr       // HDFGRTR_EL2
    msr     s3_4_c3_c1_5, xzr       // HDFGWTR_EL2
3:  mrs     x0, id_aa64mmfr1_el1
    ubfx    x0, x0, #40, #4         // HCX
    cbz     x0, 4f
    mov     x0, #0x800              // MSCEn: memory copy instructions
    msr     s3_4_c1_c2_2, x0        // HCRX_EL2
4:  mrs     x0, id_aa64dfr0_el1
    ubfx    x0, x0, #8, #4          // PMUVer: none or not the architecture's
    cbz     x0, 5f
    cmp     x0, #0xf
    b.eq    5f
    mrs     x0, pmcr_el0
    ubfx    x0, x0, #11, #5
    msr     mdcr_el2, x0            // HPMN: all counters are the guest's
    cbz     x22, 5f                 // nobody is attacked
    cbz     x0, 5f
    sub     x0, x0, #1              // but for the last, which counts instructions of EL1 and EL0
    msr     pmselr_el0, x0
    isb
    mov     x1, #8                  // INST_RETIRED
    msr     pmxevtyper_el0, x1
    mov     x1, #1
    lsl     x1, x1, x0
    msr     pmcntenset_el0, x1
    orr     x0, x0, #0x80           // HPME: counters from HPMN on run
    msr     mdcr_el2, x0
    msr     pmselr_el0, xzr

5:  mov     x0, #3
    msr     cnthctl_el2, x0         // timer and counter are the guest's
    msr     cntvoff_el2, xzr
    msr     hstr_el2, xzr
    mov     x0, #0xf
    msr     s3_4_c12_c9_5, x0       // ICC_SRE_EL2: system registers, also at EL1
    msr     s3_4_c12_c11_0, xzr     // ICH_HCR_EL2: no virtual interrupts
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    ldr     x0, =0x30d00800
    msr     sctlr_el1, x0           // MMU and caches off
    msr     cpacr_el1, xzr          // FP traps until the guest allows it, as in a realm
    msr     vbar_el1, xzr
    msr     sp_el1, xzr

    // API, APK, RW, TSC, PTW, VM; interrupts stay the guest's.
    ldr     x0, =0x30080080005
    orr     x0, x0, x22
    msr     hcr_el2, x0
    isb
    // Another start finds nothing of the one before: timers, interrupts.
    msr     cntv_ctl_el0, xzr
    msr     cntp_ctl_el0, xzr
    msr     s3_0_c12_c12_7, xzr     // ICC_IGRPEN1_EL1
    msr     s3_0_c12_c9_0, xzr      // ICC_AP1R0_EL1
    cbz     x22, 6f
    mov     x0, #0xff
    msr     s3_0_c4_c6_0, x0        // ICC_PMR_EL1
    mov     x0, #1
    msr     s3_0_c12_c12_6, x0      // ICC_IGRPEN0_EL1: the monitor's own timer
6:
    isb
    tlbi    alle1
    dsb     nsh
    isb

    msr     elr_el2, x20
    mov     x0, #0x3c5              // EL1h, all masked
    msr     spsr_el2, x0
    // The stack starts anew: nothing returns from here.
    mrs     x0, mpidr_el1
    and     x0, x0, #0xff
    bl      monitor_stack
    mov     sp, x0
    mov     x0, x21
    mov     x1, #0
    mov     x2, #0
    mov     x3, #0
    mov     x4, #0
    mov     x5, #0
    mov     x6, #0
    mov     x7, #0
    mov     x8, #0
    mov     x9, #0
    mov     x10, #0
    mov     x11, #0
    mov     x12, #0
    mov     x13, #0
    mov     x14, #0
    mov     x15, #0
    mov     x16, #0
    mov     x17, #0
    mov     x18, #0
    mov     x19, #0
    mov     x20, #0
    mov     x21, #0
    mov     x22, #0
    mov     x23, #0
    mov     x24, #0
    mov     x25, #0
    mov     x26, #0
    mov     x27, #0
    mov     x28, #0
    mov     x29, #0
    mov     x30, #0
    eret

.section .bss.stacks, "aw", %nobits
.balign 4096
monitor_stacks:
    .space  {stacks} * 0x40000
