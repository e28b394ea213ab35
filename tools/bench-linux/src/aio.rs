//! Several reads at once by Linux's own asynchronous calls: what a program does that wants to be fast.
//!
//! Ref: Linux, `include/uapi/linux/aio_abi.h`.
// UNSAFETY: system calls that take addresses; the kernel writes into buffers behind the compiler's back.
#![expect(unsafe_code, reason = "system calls that Rust's library does not have")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::c_long;
use std::fs::File;
use std::io::Error;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};

/// Numbers of the calls, which differ by architecture: set up, destroy, submit, get events.
const CALLS: [c_long; 4] = if cfg!(target_arch = "aarch64") {
    [0, 1, 2, 4]
} else {
    [206, 207, 209, 208]
};
/// Buffers lie at whole pages.
const PAGE: usize = 4096;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// A request, as the kernel reads it (`struct iocb`, little endian).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Request {
    data: u64,
    key: u32,
    flags: u32,
    opcode: u16,
    priority: i16,
    file: u32,
    buffer: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    more_flags: u32,
    event_file: u32,
}

/// A completion (`struct io_event`).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Event {
    data: u64,
    object: u64,
    result: i64,
    result2: i64,
}

/// Reads blocks of one size, so many at a time.
pub struct Reader {
    context: usize,
    file: u32,
    block: usize,
    depth: usize,
    buffers: *mut u8,
    layout: Layout,
    requests: Vec<Request>,
}

impl Reader {
    /// Prepares reads of `block` bytes from `file`, `depth` of them at once.
    ///
    /// # Errors
    /// The kernel refuses, or there is no memory.
    pub fn new(file: &File, depth: usize, block: usize) -> Result<Self> {
        let layout = Layout::from_size_align(depth * block, PAGE)?;
        ensure!(layout.size() > 0, "nothing to read");
        let mut context: usize = 0;
        // SAFETY: the kernel writes one word, and it is ours.
        let set_up = unsafe { syscall(CALLS[0], depth as c_long, &raw mut context) };
        ensure!(set_up == 0, "io_setup: {}", Error::last_os_error());
        // SAFETY: the layout has a size.
        let buffers = unsafe { alloc_zeroed(layout) };
        ensure!(!buffers.is_null(), "no memory");
        Ok(Self {
            context,
            file: u32::try_from(file.as_raw_fd())?,
            block,
            depth,
            buffers,
            layout,
            requests: vec![Request::default(); depth],
        })
    }

    /// Reads a block at each of `offsets`, in bytes.
    ///
    /// # Errors
    /// A read fails.
    pub fn read(&mut self, mut offsets: impl Iterator<Item = u64>) -> Result<()> {
        let mut free: Vec<usize> = (0..self.depth).collect();
        let mut events = vec![Event::default(); self.depth];
        let mut flying = 0;
        loop {
            let mut batch = Vec::with_capacity(self.depth);
            while let Some(slot) = free.pop() {
                let Some(offset) = offsets.next() else {
                    free.push(slot);
                    break;
                };
                batch.push(self.prepare(slot, offset)?);
            }
            flying += batch.len();
            self.submit(&batch)?;
            if flying == 0 {
                return Ok(());
            }
            for event in self.wait(&mut events)? {
                ensure!(
                    usize::try_from(event.result).is_ok_and(|got| got == self.block),
                    "a read gave {}",
                    event.result
                );
                flying -= 1;
                free.push(usize::try_from(event.data)?);
            }
        }
    }

    fn prepare(&mut self, slot: usize, offset: u64) -> Result<*const Request> {
        let request = self.requests.get_mut(slot).context("no such slot")?;
        *request = Request {
            data: slot as u64,
            file: self.file,
            // Opcode 0 is a read.
            buffer: self.buffers as u64 + (slot * self.block) as u64,
            bytes: self.block as u64,
            offset: i64::try_from(offset)?,
            ..Request::default()
        };
        Ok(&raw const *request)
    }

    fn submit(&self, batch: &[*const Request]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        // SAFETY: the requests live as long as `self`, and their buffers too.
        let sent = unsafe {
            syscall(
                CALLS[2],
                self.context,
                batch.len() as c_long,
                batch.as_ptr(),
            )
        };
        ensure!(
            usize::try_from(sent).is_ok_and(|sent| sent == batch.len()),
            "io_submit: {sent} of {}",
            batch.len()
        );
        Ok(())
    }

    /// Waits for one completion, and takes all that are there.
    fn wait<'a>(&self, events: &'a mut [Event]) -> Result<&'a [Event]> {
        let none: *const u8 = std::ptr::null();
        let room = events.len() as c_long;
        // SAFETY: the kernel writes at most `room` events into a slice of so many.
        let got = unsafe {
            syscall(
                CALLS[3],
                self.context,
                1 as c_long,
                room,
                events.as_mut_ptr(),
                none,
            )
        };
        let got = usize::try_from(got).ok().filter(|got| *got > 0);
        let got = got.with_context(|| format!("io_getevents: {}", Error::last_os_error()))?;
        events.get(..got).context("more events than room")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: the context is ours. The call returns when nothing is in flight any more.
        let _gone = unsafe { syscall(CALLS[1], self.context) };
        // SAFETY: allocated with this layout, and the kernel is done with it.
        unsafe { dealloc(self.buffers, self.layout) };
    }
}
