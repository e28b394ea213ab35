//! The only way from Rust to the monitor's assembly, and from there back.
// UNSAFETY: calls assembly, is called by it, and accesses memory by address.
#![expect(
    unsafe_code,
    reason = "EL2 is entered and left here, and memory has addresses here"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "addresses have 64 bits on the target"
)]

use core::arch::global_asm;
use core::ops::Range;

use monitor::layout::{GUEST_RAM, MACHINE_RAM, MAX_GUEST};
use monitor::machine::Abort;
use monitor::monitor::{Frame, MAX_CPUS, Start};
use monitor::syndrome::Width;

// A stack for each processor of a guest, and for the attacker's.
global_asm!(include_str!("entry.s"), stacks = const MAX_CPUS + 1);
global_asm!(include_str!("vectors.s"));

/// A value, and whether nobody answered.
#[repr(C)]
struct Answer {
    value: u64,
    failed: u64,
}

unsafe extern "C" {
    safe fn monitor_enter(pc: u64, context: u64, control: u64, root: u64, more: u64) -> !;
    safe fn monitor_now() -> u64;
    safe fn monitor_frequency() -> u64;
    safe fn monitor_set_tick(at: u64);
    safe fn monitor_take_tick();
    safe fn monitor_instructions() -> u64;
    safe fn monitor_smc(function: u64, x1: u64, x2: u64, x3: u64) -> u64;
    safe fn monitor_flush();
    safe fn monitor_barrier();
    safe fn monitor_wait();
    safe fn monitor_guest_control() -> u64;
    safe fn monitor_guest_translation(address: u64) -> u64;
    safe fn monitor_memory_features() -> u64;
    safe fn monitor_exception(esr: u64, far: u64, elr: u64, spsr: u64) -> u64;
    static monitor_secondary: u8;
    fn monitor_load8(address: u64) -> Answer;
    fn monitor_load16(address: u64) -> Answer;
    fn monitor_load32(address: u64) -> Answer;
    fn monitor_load64(address: u64) -> Answer;
    fn monitor_store8(address: u64, value: u64) -> Answer;
    fn monitor_store16(address: u64, value: u64) -> Answer;
    fn monitor_store32(address: u64, value: u64) -> Answer;
    fn monitor_store64(address: u64, value: u64) -> Answer;
}

/// The first Rust on the first processor; `tree` is where QEMU put the machine's device tree.
///
/// # Safety
///
/// Only `entry.s` calls this, once, before anything else runs.
#[unsafe(no_mangle)]
unsafe extern "C" fn monitor_main(tree: u64) -> ! {
    const HEADER: usize = 40;
    const LONGEST: usize = 2 << 20;
    let ram = MACHINE_RAM..GUEST_RAM + MAX_GUEST;
    if !ram.contains(&tree) || !tree.is_multiple_of(8) {
        super::main(&[]);
    }
    let base = core::ptr::with_exposed_provenance::<u8>(tree as usize);
    // SAFETY: `tree` is an address in RAM by the boot protocol; nobody writes there before the guest
    // runs, and the guest's own tree is written elsewhere.
    let header = unsafe { core::slice::from_raw_parts(base, HEADER) };
    let size = monitor::devtree::size(header).unwrap_or(0).min(LONGEST);
    // SAFETY: as above; QEMU loaded `size` bytes there.
    super::main(unsafe { core::slice::from_raw_parts(base, size) })
}

/// The first Rust on each other processor.
#[unsafe(no_mangle)]
extern "C" fn monitor_secondary_main(index: usize) -> ! {
    super::secondary(index)
}

/// A trap of the guest.
///
/// # Safety
///
/// Only `vectors.s` calls this, with the registers that it saved on its stack.
#[unsafe(no_mangle)]
unsafe extern "C" fn monitor_trap(frame: *mut Frame) {
    // SAFETY: the vector made the frame, aligned, on this processor's stack, and waits for us.
    super::trap(unsafe { &mut *frame });
}

/// The timer of the monitor went off.
///
/// # Safety
///
/// Only `vectors.s` calls this, with the registers that it saved on its stack.
#[unsafe(no_mangle)]
unsafe extern "C" fn monitor_tick(frame: *mut Frame) {
    monitor_take_tick();
    // SAFETY: as in `monitor_trap`.
    super::tick(unsafe { &mut *frame });
}

/// An exception of the monitor itself.
#[unsafe(no_mangle)]
extern "C" fn monitor_bug(esr: u64, elr: u64, far: u64) -> ! {
    super::refuse(format_args!(
        "bug: own exception, esr {esr:#x} pc {elr:#x} far {far:#x}"
    ))
}

/// Starts the guest on this processor. `ticking`: the timer of the monitor interrupts it.
pub(super) fn enter(start: Start, (control, root): (u64, u64), ticking: bool) -> ! {
    const FMO: u64 = 8;
    let more = if ticking { FMO } else { 0 };
    monitor_enter(start.entry, start.context, control, root, more)
}

/// The counter, and its ticks in a second.
pub(super) fn time() -> (u64, u64) {
    (monitor_now(), monitor_frequency())
}

/// Instructions of the guest so far; the lower 32 bits of them.
pub(super) fn instructions() -> u32 {
    monitor_instructions() as u32
}

/// Has the timer of the monitor go off at `at`.
pub(super) fn set_tick(at: u64) {
    monitor_set_tick(at);
}

/// Calls QEMU's PSCI.
pub(super) fn smc(function: u32, arguments: [u64; 3]) -> u64 {
    let [x1, x2, x3] = arguments;
    monitor_smc(u64::from(function), x1, x2, x3)
}

/// Waits for an interrupt.
pub(super) fn wait() {
    monitor_wait();
}

/// Completes all accesses so far.
pub(super) fn barrier() {
    monitor_barrier();
}

/// Forgets the guest's translations.
pub(super) fn flush() {
    monitor_flush();
}

/// `PAR_EL1` after the guest's stage 1 was asked for `address`.
pub(super) fn guest_translation(address: u64) -> u64 {
    monitor_guest_translation(address)
}

/// `SCTLR_EL1`.
pub(super) fn guest_control() -> u64 {
    monitor_guest_control()
}

/// `ID_AA64MMFR0_EL1`.
pub(super) fn memory_features() -> u64 {
    monitor_memory_features()
}

/// Writes the guest's exception registers; gives `VBAR_EL1`.
pub(super) fn exception(esr: u64, far: u64, elr: u64, spsr: u64) -> u64 {
    monitor_exception(esr, far, elr, spsr)
}

/// Where other processors start.
pub(super) fn secondary_entry() -> u64 {
    (&raw const monitor_secondary).expose_provenance() as u64
}

/// Whether `address` is in no RAM, so that an access there cannot touch what Rust owns.
fn is_device(address: u64) -> bool {
    let ram = MACHINE_RAM..GUEST_RAM + MAX_GUEST;
    !ram.contains(&address)
}

/// Reads a device register.
pub(super) fn load(address: u64, width: Width) -> Result<u64, Abort> {
    let load = match width {
        Width::Byte => monitor_load8,
        Width::Half => monitor_load16,
        Width::Word => monitor_load32,
        Width::Double => monitor_load64,
    };
    if !is_device(address) {
        return Err(Abort);
    }
    // SAFETY: one load outside of RAM; a fault is caught and reported in the answer.
    let answer = unsafe { load(address) };
    if answer.failed == 0 {
        Ok(answer.value)
    } else {
        Err(Abort)
    }
}

/// Writes a device register.
pub(super) fn store(address: u64, width: Width, value: u64) -> Result<(), Abort> {
    let store = match width {
        Width::Byte => monitor_store8,
        Width::Half => monitor_store16,
        Width::Word => monitor_store32,
        Width::Double => monitor_store64,
    };
    if !is_device(address) {
        return Err(Abort);
    }
    // SAFETY: one store outside of RAM. What a device then does in memory is bounded by the SMMU.
    let answer = unsafe { store(address, value) };
    if answer.failed == 0 {
        Ok(())
    } else {
        Err(Abort)
    }
}

/// The place of `range` in guest memory; the monitor has nothing there.
fn guest(range: &Range<u64>) -> *mut u8 {
    let inside = range.start >= GUEST_RAM && range.end <= GUEST_RAM + MAX_GUEST;
    assert!(inside, "{range:#x?} is guest memory");
    core::ptr::with_exposed_provenance_mut(range.start as usize)
}

/// Where copies of guest memory are kept: the upper half of the monitor's own memory, which its image
/// leaves free.
const KEPT: Range<u64> = 0x4200_0000..GUEST_RAM;
const PAGE: usize = 4096;

/// The page that keeps a copy of the guest's at `address`; the first is kept for `first`.
fn kept(first: u64, address: u64) -> *mut [u8; PAGE] {
    let at = KEPT.start + (address - first);
    assert!(
        KEPT.contains(&at),
        "the image is too large to be started again"
    );
    core::ptr::with_exposed_provenance_mut(at as usize)
}

/// Keeps a copy of `range`, whole pages of guest memory.
pub(super) fn save(range: Range<u64>) {
    for address in range.clone().step_by(PAGE) {
        let mut bytes = [0; PAGE];
        read(address, &mut bytes);
        // SAFETY: the page is the monitor's, and only this function and the next name it.
        unsafe { kept(range.start, address).write(bytes) }
    }
}

/// Puts back what was kept, page by page, where it differs: code that is written is translated anew.
pub(super) fn restore(range: Range<u64>) {
    for address in range.clone().step_by(PAGE) {
        let mut bytes = [0; PAGE];
        read(address, &mut bytes);
        // SAFETY: as in `save`, which wrote it.
        let before = unsafe { kept(range.start, address).read() };
        if bytes != before {
            write(address, &before);
        }
    }
}

/// Copies guest memory out.
pub(super) fn read(address: u64, bytes: &mut [u8]) {
    let from = guest(&(address..address + bytes.len() as u64));
    // SAFETY: guest memory never overlaps an object of the monitor, so nor `bytes`.
    unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) }
}

/// Copies into guest memory.
pub(super) fn write(address: u64, bytes: &[u8]) {
    let to = guest(&(address..address + bytes.len() as u64));
    // SAFETY: as in `read`.
    unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
}

/// Fills guest memory, whole words, with what `word` gives for each address.
pub(super) fn fill(range: Range<u64>, word: fn(u64) -> u64) {
    let base = guest(&range).cast::<u64>();
    for n in 0..(range.end - range.start) / 8 {
        let at = base.wrapping_add(n as usize);
        // SAFETY: inside `range`, which is guest memory; its start is aligned to a page.
        unsafe { at.write(word(range.start + 8 * n)) }
    }
}
