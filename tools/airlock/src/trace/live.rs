//! A trace while it grows: in a terminal a picture that is drawn anew, in a pipe a line now and then.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use audit::{Decoder, Direction, Event};

use crate::qemu;
use crate::trace::log::{Log, Sample};
use plot::short;

const PERIOD: Duration = Duration::from_millis(500);
/// How long nothing may come before a trace without an end is taken for one of a guest that is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Crossings that are shown.
const LAST: usize = 12;
/// Characters of a bar.
const BAR: usize = 24;

/// Shows the trace in `path` until its end, or Ctrl-C.
///
/// # Errors
/// It cannot be read, or is no trace.
pub fn follow(path: &Path) -> Result<()> {
    qemu::catch_interrupts()?;
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut view, mut decoder) = (View::default(), Decoder::new());
    let (mut piece, mut heard) = (vec![0; 64 * 1024], Instant::now());
    let is_terminal = std::io::stdout().is_terminal();
    loop {
        let mut log = Log::default();
        let before = decoder.rest();
        let mut fault = None;
        loop {
            let got = file.read(&mut piece)?;
            decoder.push(piece.get(..got).unwrap_or_default());
            if let Err(found) = log.take_all(&mut decoder) {
                fault = Some(found);
            }
            if got == 0 || fault.is_some() {
                break;
            }
        }
        if !log.samples.is_empty() || decoder.rest() != before {
            heard = Instant::now();
        }
        let is_last = log.complete;
        view.take(log);
        let over = is_last || fault.is_some() || qemu::interrupted() || heard.elapsed() > SILENCE;
        show(&view.text(is_terminal, path), is_terminal)?;
        if let Some(fault) = fault {
            anyhow::bail!("{}: {fault}", path.display());
        }
        if over {
            return Ok(());
        }
        thread::sleep(PERIOD);
    }
}

fn show(text: &str, is_terminal: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if is_terminal {
        // The cursor to the corner, and nothing behind what is written.
        write!(out, "\x1b[H\x1b[J")?;
    }
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// What is shown.
#[derive(Default)]
struct View {
    names: Log,
    now: Option<Sample>,
    before: Option<Sample>,
    last: VecDeque<Event>,
    events: u64,
}

impl View {
    fn take(&mut self, log: Log) {
        if !log.names.is_empty() {
            (self.names.names, self.names.entry) = (log.names, log.entry);
        }
        if let Some(sample) = log.samples.into_iter().next_back() {
            (self.names.lost, self.names.own) = (log.lost, log.own);
            self.before = self.now.replace(sample);
        }
        self.events += log.events.len() as u64;
        self.last.extend(log.events);
        let spare = self.last.len().saturating_sub(LAST);
        self.last.drain(..spare);
    }

    fn text(&self, whole: bool, path: &Path) -> String {
        let Some(now) = &self.now else {
            return format!("{}: waits for the guest\n", path.display());
        };
        let mut text = format!(
            "{}: {:.3} s after entry, {} events, {} lost, {} of the trace itself\n",
            path.display(),
            self.names.seconds(now.at),
            self.events,
            self.names.lost,
            self.names.own.events
        );
        if !whole {
            return text;
        }
        text.push_str("\npool                 bytes out   out/s    bytes in    in/s   leased/most/size KiB  short\n");
        for pool in &now.pools {
            let past = self.before.as_ref().and_then(|before| {
                let pools = before.pools.iter();
                let past = pools.clone().find(|past| past.device == pool.device)?;
                let time = now.at.since(before.at).as_secs_f64();
                (time > 0.0).then_some((past.bytes_out, past.bytes_in, time))
            });
            let rate = |now: u64, past: Option<(u64, f64)>| {
                past.map_or_else(String::new, |(past, time)| {
                    short(now.saturating_sub(past) as f64 / time)
                })
            };
            let _fits = writeln!(
                text,
                "{:<20} {:>9} {:>7} {:>11} {:>7}   {:>6} {:>6} {:>6} {:>6}",
                self.names.name(pool.device),
                short(pool.bytes_out as f64),
                rate(pool.bytes_out, past.map(|(out, _, time)| (out, time))),
                short(pool.bytes_in as f64),
                rate(pool.bytes_in, past.map(|(_, into, time)| (into, time))),
                pool.leased >> 10,
                pool.high_water >> 10,
                pool.size >> 10,
                pool.exhausted
            );
        }
        text.push_str("\nqueue                lent to the device now, and most ever\n");
        for queue in &now.queues {
            let _fits = writeln!(
                text,
                "{:<14} {:>3}   [{}] {:>7} of {:>7} KiB, {} requests",
                self.names.name(queue.device),
                queue.queue,
                bar(queue.lent, queue.high_water),
                queue.lent >> 10,
                queue.high_water >> 10,
                queue.in_flight
            );
        }
        text.push_str("\nlast crossings\n");
        for event in &self.last {
            let arrow = match event.direction {
                Direction::Out => "->",
                Direction::In => "<-",
            };
            let _fits = writeln!(
                text,
                "{:>12.6} {arrow} {:<14} queue {} slot {:>3}  {:<10} {:>7} bytes at {:#x}",
                self.names.seconds(event.at),
                self.names.name(event.device),
                event.label.queue,
                event.label.slot,
                event.label.purpose.name(),
                event.len,
                event.address
            );
        }
        text
    }
}

fn bar(value: u64, most: u64) -> String {
    let full = usize::try_from(value.saturating_mul(BAR as u64) / most.max(1)).unwrap_or(BAR);
    let full = full.min(BAR);
    format!("{}{}", "#".repeat(full), "·".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part_and_no_longer() {
        assert_eq!(bar(0, 0).matches('#').count(), 0);
        assert_eq!(bar(1, 2).matches('#').count(), BAR / 2);
        assert_eq!(bar(u64::MAX, 2).chars().count(), BAR);
    }

    #[test]
    fn before_the_guest_speaks_there_is_a_line_that_says_so() {
        let text = View::default().text(true, Path::new("x"));
        assert!(text.contains("waits for the guest"), "{text}");
    }
}
