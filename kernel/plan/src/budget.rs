//! How long a console may make us wait.

use core::time::Duration;

use clock::Instant;

/// For one line. A port at 115200 baud needs 9 ms for 100 characters; one of an emulated machine may wait
/// for its turn far longer.
const LINE: Duration = Duration::from_millis(100);

/// For all lines together, at once: for boot, say.
const ALL: Duration = Duration::from_secs(2);

/// What is spent of [`ALL`] comes back at this part of the time that passes.
const SHARE: u32 = 10;

/// How long a console may make us wait: 100 ms for a line, 2 s for all lines, and after that a tenth of
/// all time. A host that takes each byte at the last moment costs that much, and no more.
#[derive(Clone, Copy, Debug)]
pub struct ConsoleBudget {
    line: Duration,
    all: Duration,
    filled: Instant,
}

impl ConsoleBudget {
    /// All of it is left at `now`.
    pub const fn new(now: Instant) -> Self {
        Self {
            line: LINE,
            all: ALL,
            filled: now,
        }
    }

    /// A line begins at `now`.
    pub fn begin_line(&mut self, now: Instant) {
        let back = now.since(self.filled) / SHARE;
        self.all = self.all.saturating_add(back).min(ALL);
        (self.filled, self.line) = (now, LINE);
    }

    /// How long the next byte may take.
    pub fn left(&self) -> Duration {
        self.line.min(self.all)
    }

    /// A byte took so long.
    pub const fn spend(&mut self, time: Duration) {
        self.line = self.line.saturating_sub(time);
        self.all = self.all.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `lines` lines of 80 bytes to a port that takes each byte after `delay` if it may; gives the
    /// time that this takes.
    fn cost(lines: u32, delay: Duration) -> Duration {
        let start = Instant::from_nanos(0);
        let mut now = start;
        let mut budget = ConsoleBudget::new(now);
        for _ in 0..lines {
            budget.begin_line(now);
            for _ in 0..80 {
                let waited = delay.min(budget.left());
                budget.spend(waited);
                now = now.after(waited);
            }
        }
        now.since(start)
    }

    #[test]
    fn a_line_costs_what_a_line_may_however_its_bytes_are_held_up() {
        for delay in [1, 10, 99, 100, 5000] {
            assert!(cost(1, Duration::from_millis(delay)) <= LINE);
        }
    }

    #[test]
    fn all_lines_of_boot_cost_what_boot_may() {
        // A tenth of what passes comes back, also of what was waited.
        let most = ALL * SHARE / (SHARE - 1);
        assert!(cost(1000, Duration::from_millis(99)) <= most);
    }

    #[test]
    fn a_port_that_is_only_slow_gets_every_byte() {
        let honest = Duration::from_micros(87);
        assert_eq!(cost(200, honest), 200 * 80 * honest);
    }

    #[test]
    fn what_was_spent_comes_back_with_time() {
        let mut now = Instant::from_nanos(0);
        let mut budget = ConsoleBudget::new(now);
        budget.spend(ALL);
        assert_eq!(budget.left(), Duration::ZERO);
        now = now.after(Duration::from_millis(500));
        budget.begin_line(now);
        assert_eq!(budget.left(), Duration::from_millis(50));
    }
}
