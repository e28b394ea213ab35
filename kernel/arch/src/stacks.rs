//! Where the stacks of the other processors are: rooms side by side, each with two stacks and a page below
//! each that is never mapped.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

const GUARD: u64 = 4096;
const STACK: u64 = 128 << 10;
/// Bytes that faults have.
const EXCEPTION_STACK: u64 = 16 << 10;
/// Bytes from the top of the upper stack, that of faults, to the top of the other.
pub(crate) const BETWEEN: u64 = EXCEPTION_STACK + GUARD;

/// Bytes of a processor's room.
pub const ROOM: u64 = GUARD + STACK + BETWEEN;

static START: AtomicU64 = AtomicU64::new(0);
static END: AtomicU64 = AtomicU64::new(0);

/// Says where the rooms are, for good.
pub fn set(rooms: &Range<u64>) {
    START.store(rooms.start, Ordering::Release);
    END.store(rooms.end, Ordering::Release);
}

fn all() -> Range<u64> {
    START.load(Ordering::Acquire)..END.load(Ordering::Acquire)
}

/// The room of processor `number`, the first of the others being 1.
pub fn room(number: usize) -> Option<Range<u64>> {
    let rooms = all();
    let before = u64::try_from(number.checked_sub(1)?).ok()?;
    let start = rooms.start.checked_add(before.checked_mul(ROOM)?)?;
    let room = start..start.checked_add(ROOM)?;
    (room.end <= rooms.end).then_some(room)
}

/// The two stacks of a room: the one that programs run on, and that of faults.
pub fn in_room(room: &Range<u64>) -> [Range<u64>; 2] {
    let top = room.start + GUARD + STACK;
    [room.start + GUARD..top, top + GUARD..room.end]
}

/// The room that `address` lies in.
pub fn room_of(address: u64) -> Option<Range<u64>> {
    let rooms = all();
    let inside = rooms.contains(&address).then(|| address - rooms.start)?;
    let start = rooms.start + inside / ROOM * ROOM;
    Some(start..start + ROOM)
}

/// Whether `address` is in the page below a stack.
pub(crate) fn is_guard(address: u64) -> bool {
    let stacks = room_of(address).map(|room| in_room(&room));
    stacks.is_some_and(|stacks| !stacks.iter().any(|stack| stack.contains(&address)))
}
