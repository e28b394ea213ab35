// Exceptions taken to EL2, and the single accesses to devices that may fault there.

.macro slot target
    .balign 128
    b       \target
.endm

.section .vectors, "ax"
.balign 2048
.global monitor_vectors
monitor_vectors:
    slot    monitor_broken          // current EL, SP_EL0: never used
    slot    monitor_broken
    slot    monitor_broken
    slot    monitor_broken
    slot    monitor_own_fault       // current EL
    slot    monitor_broken
    slot    monitor_broken
    slot    monitor_broken
    slot    monitor_lower           // the guest, AArch64
    slot    monitor_broken          // interrupts are the guest's
    slot    monitor_tick_lower      // but for the monitor's own timer
    slot    monitor_broken
    slot    monitor_lower           // the guest, AArch32: EL0 only
    slot    monitor_broken
    slot    monitor_broken
    slot    monitor_broken

// The layout is `Frame` of the library.
.macro save_guest
    sub     sp, sp, #288
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    str     x30, [sp, #240]
    mrs     x0, elr_el2
    mrs     x1, spsr_el2
    stp     x0, x1, [sp, #248]
    mrs     x0, esr_el2
    mrs     x1, far_el2
    stp     x0, x1, [sp, #264]
    mrs     x0, hpfar_el2
    str     x0, [sp, #280]
.endm
.macro back_to_guest
    ldp     x0, x1, [sp, #248]
    msr     elr_el2, x0
    msr     spsr_el2, x1
    ldp     x0, x1, [sp, #0]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #240]
    add     sp, sp, #288
    eret
.endm

.section .text.vectors, "ax"
monitor_lower:
    save_guest
    mov     x0, sp
    bl      monitor_trap
    back_to_guest

// The timer of the monitor went off.
monitor_tick_lower:
    save_guest
    mov     x0, sp
    bl      monitor_tick
    back_to_guest

// A fault of the monitor itself: one of the accesses below, or the end.
monitor_own_fault:
    stp     x16, x17, [sp, #-16]!
    mrs     x16, elr_el2
    adr     x17, device_first
    cmp     x16, x17
    b.lo    1f
    adr     x17, device_last
    cmp     x16, x17
    b.hs    1f
    add     x16, x16, #4            // behind the access
    msr     elr_el2, x16
    mov     x1, #1                  // it failed
    ldp     x16, x17, [sp], #16
    eret
1:  ldp     x16, x17, [sp], #16
monitor_broken:
    mrs     x0, esr_el2
    mrs     x1, elr_el2
    mrs     x2, far_el2
    bl      monitor_bug             // does not return

// monitor_loadN(address) gives the value in x0, and 1 in x1 if nobody answered.
// monitor_storeN(address, value) gives 1 in x1 if nobody answered.
.macro load name
.global \name
\name:
    mov     x2, x0
    mov     x0, #0
    mov     x1, #0
    b       \name\()_access
.endm
.macro store name
.global \name
\name:
    mov     x2, x0
    mov     x3, x1
    mov     x1, #0
    b       \name\()_access
.endm
    load    monitor_load8
    load    monitor_load16
    load    monitor_load32
    load    monitor_load64
    store   monitor_store8
    store   monitor_store16
    store   monitor_store32
    store   monitor_store64

device_first:
monitor_load8_access:
    ldrb    w0, [x2]
    ret
monitor_load16_access:
    ldrh    w0, [x2]
    ret
monitor_load32_access:
    ldr     w0, [x2]
    ret
monitor_load64_access:
    ldr     x0, [x2]
    ret
monitor_store8_access:
    strb    w3, [x2]
    ret
monitor_store16_access:
    strh    w3, [x2]
    ret
monitor_store32_access:
    str     w3, [x2]
    ret
monitor_store64_access:
    str     x3, [x2]
    ret
device_last:

// monitor_smc(x0..x3): a call of QEMU's PSCI.
.global monitor_smc
monitor_smc:
    smc     #0
    ret

// monitor_flush(): no translation of stage 1 or 2 of this guest survives.
.global monitor_flush
monitor_flush:
    dsb     ish
    tlbi    vmalls12e1is
    dsb     ish
    isb
    ret

// monitor_barrier(): all accesses so far are complete.
.global monitor_barrier
monitor_barrier:
    dsb     sy
    ret

// monitor_wait(): until an interrupt is pending.
.global monitor_wait
monitor_wait:
    dsb     sy
    wfi
    ret

// monitor_now(): the counter.
.global monitor_now
monitor_now:
    isb
    mrs     x0, cntpct_el0
    ret

// monitor_frequency(): ticks of the counter in a second.
.global monitor_frequency
monitor_frequency:
    mrs     x0, cntfrq_el0
    ret

// monitor_instructions(): what the last event counter says; 0 if there is none.
.global monitor_instructions
monitor_instructions:
    mov     x0, #0
    mrs     x1, mdcr_el2
    tbz     x1, #7, 1f              // HPME: it was not set up
    and     x1, x1, #0x1f           // HPMN: its number
    mrs     x2, pmselr_el0
    msr     pmselr_el0, x1
    isb
    mrs     x0, pmxevcntr_el0
    msr     pmselr_el0, x2          // the guest's own choice
    isb
1:  ret

// monitor_set_tick(at): the timer of EL2 goes off at `at`.
.global monitor_set_tick
monitor_set_tick:
    msr     cnthp_cval_el2, x0
    mov     x0, #1
    msr     cnthp_ctl_el2, x0
    isb
    ret

// monitor_take_tick(): the timer is silent, and its interrupt is done.
.global monitor_take_tick
monitor_take_tick:
    msr     cnthp_ctl_el2, xzr
    isb
    mrs     x0, s3_0_c12_c8_0       // ICC_IAR0_EL1
    dsb     sy
    msr     s3_0_c12_c8_1, x0       // ICC_EOIR0_EL1
    isb
    ret

// monitor_guest_control(): SCTLR_EL1.
.global monitor_guest_control
monitor_guest_control:
    mrs     x0, sctlr_el1
    ret

// monitor_guest_translation(address): PAR_EL1 of a read by the guest's stage 1. The guest's own value
// is put back.
.global monitor_guest_translation
monitor_guest_translation:
    mrs     x1, par_el1
    at      s1e1r, x0
    isb
    mrs     x0, par_el1
    msr     par_el1, x1
    ret

// monitor_memory_features(): ID_AA64MMFR0_EL1.
.global monitor_memory_features
monitor_memory_features:
    mrs     x0, id_aa64mmfr0_el1
    ret

// monitor_exception(esr, far, elr, spsr): the guest's exception registers; gives its VBAR_EL1.
.global monitor_exception
monitor_exception:
    msr     esr_el1, x0
    msr     far_el1, x1
    msr     elr_el1, x2
    msr     spsr_el1, x3
    mrs     x0, vbar_el1
    ret
