//! How much of each, from boot arguments.
//!
//! | argument | meaning |
//! | --- | --- |
//! | `bench.peer=` | address and port of the peer |
//! | `bench.jobs=` | names of phases, by commas; all without it |
//! | `bench.bytes=` | bytes of each transfer; 8 MiB without it |
//! | `bench.count=` | round trips, requests, connections; 1000 without it |
//! | `bench.chunk=` | bytes of one write or read of a socket, at most 64,256 |

use crate::phase::Phase;
use crate::talk::PERIODIC;

/// What a run is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Which phases, by bits of their numbers.
    jobs: u32,
    /// Bytes of each transfer.
    pub bytes: u64,
    /// Round trips, requests, connections.
    pub count: u64,
    /// Bytes of one write or read of a socket: 1 to [`PERIODIC`].
    pub chunk: usize,
}

/// An argument that cannot be used; holds its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadArgument(pub &'static str);

impl Amounts {
    /// Connections at once in the phases of many.
    pub const CONNECTIONS: usize = 32;

    /// Reads the arguments that `get` knows.
    ///
    /// # Errors
    /// One of them is not a number, or no phase.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, BadArgument> {
        let number = |key: &'static str, usual: u64| match get(key) {
            None => Ok(usual),
            Some(text) => match text.parse() {
                Ok(0) | Err(_) => Err(BadArgument(key)),
                Ok(number) => Ok(number),
            },
        };
        let chunk = number("bench.chunk", PERIODIC as u64)?;
        Ok(Self {
            jobs: jobs(get("bench.jobs"))?,
            bytes: number("bench.bytes", 8 << 20)?,
            count: number("bench.count", 1000)?,
            chunk: usize::try_from(chunk).map_or(PERIODIC, |chunk| chunk.min(PERIODIC)),
        })
    }

    /// Whether a phase is to run.
    #[must_use]
    pub fn wants(&self, phase: Phase) -> bool {
        self.jobs & bit(phase) != 0
    }

    /// Units of `phase` that this is, by which its figures are divided.
    #[must_use]
    pub fn units(&self, phase: Phase) -> u64 {
        match phase {
            Phase::Send | Phase::Receive | Phase::Read128K => self.bytes,
            Phase::SendMany | Phase::ReceiveMany => self.bytes_of_each() * Self::CONNECTIONS as u64,
            Phase::Boot | Phase::Other => 1,
            _ => self.count,
        }
    }

    /// Bytes of each connection where there are many.
    #[must_use]
    pub const fn bytes_of_each(&self) -> u64 {
        self.bytes / Self::CONNECTIONS as u64
    }
}

fn jobs(names: Option<&str>) -> Result<u32, BadArgument> {
    let Some(names) = names else {
        return Ok(Phase::jobs().map(bit).sum());
    };
    let mut set = 0;
    for name in names.split(',') {
        set |= bit(Phase::from_name(name).ok_or(BadArgument("bench.jobs"))?);
    }
    Ok(set)
}

const fn bit(phase: Phase) -> u32 {
    1 << phase.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &'static str) -> Result<Amounts, BadArgument> {
        Amounts::read(|key| {
            line.split(' ').find_map(|word| {
                let (name, value) = word.split_once('=')?;
                (name == key).then_some(value)
            })
        })
    }

    #[test]
    fn without_arguments_every_job_runs() {
        let amounts = read("").unwrap();
        assert!(Phase::jobs().all(|phase| amounts.wants(phase)));
        assert_eq!(amounts.units(Phase::Send), 8 << 20);
    }

    #[test]
    fn jobs_and_amounts_are_what_was_asked_for() {
        let amounts = read("bench.jobs=send,rtt bench.bytes=100 bench.chunk=1 bench.count=7");
        let amounts = amounts.unwrap();
        assert!(amounts.wants(Phase::Send) && !amounts.wants(Phase::Receive));
        assert_eq!(amounts.units(Phase::RoundTrip), 7);
        assert_eq!(amounts.chunk, 1);
    }

    #[test]
    fn nonsense_is_refused_by_its_key() {
        assert_eq!(read("bench.jobs=sned"), Err(BadArgument("bench.jobs")));
        assert_eq!(read("bench.bytes=0"), Err(BadArgument("bench.bytes")));
    }
}
