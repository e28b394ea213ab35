//! What the user is told, and not too often: a guest can make us say things.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Lines that are said in each [`SPAN`].
const MOST: u32 = 20;
const SPAN: Duration = Duration::from_secs(10);

/// Tells the user what is odd.
pub struct Say {
    to: fn(&str),
    since: Cell<Instant>,
    said: Cell<u32>,
}

impl Say {
    /// Tells it to `to`.
    pub fn new(to: fn(&str)) -> Self {
        Self {
            to,
            since: Cell::new(Instant::now()),
            said: Cell::new(0),
        }
    }

    /// Says a line, unless too many were said.
    pub fn line(&self, text: &str) {
        if self.since.get().elapsed() >= SPAN {
            self.since.set(Instant::now());
            self.said.set(0);
        }
        let said = self.said.get();
        self.said.set(said.saturating_add(1));
        match said {
            0..MOST => (self.to)(text),
            MOST => (self.to)("there is more of it than is shown"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    static HEARD: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn who_makes_us_say_much_is_not_heard_out() {
        let say = Say::new(|_| {
            HEARD.fetch_add(1, Ordering::Relaxed);
        });
        (0..1000).for_each(|_| say.line("again"));
        assert_eq!(HEARD.load(Ordering::Relaxed), MOST + 1);
    }
}
