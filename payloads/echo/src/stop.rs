//! The word that ends the server.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;

use crate::error::Error;

const WORD: &[u8] = b"stop";

/// What all parts of the server wait for.
pub struct Stop(Signal<NoopRawMutex, Result<(), Error>>);

impl Stop {
    /// Nobody has said it yet.
    pub fn new() -> Self {
        Self(Signal::new())
    }

    /// Somebody said it.
    pub fn said(&self) {
        self.0.signal(Ok(()));
    }

    /// A part of the server ended; if it failed, so does the server.
    pub fn fail(&self, ended: Result<(), Error>) {
        if ended.is_err() {
            self.0.signal(ended);
        }
    }

    /// Waits until somebody says it, or a part fails.
    pub async fn wait(&self) -> Result<(), Error> {
        self.0.wait().await
    }
}

/// Whether a datagram says it, with or without the end of a line.
pub fn is_said(datagram: &[u8]) -> bool {
    datagram.trim_ascii() == WORD
}

/// Looks for the word as a line of a stream, whose pieces may end anywhere.
#[derive(Default)]
pub struct Lines {
    line: [u8; WORD.len()],
    /// Bytes of the line so far, those beyond `line` included.
    len: usize,
}

impl Lines {
    /// Takes the next piece; says whether a line in it says the word. What is behind that line is
    /// not looked at.
    pub fn take(&mut self, piece: &[u8]) -> bool {
        piece.iter().any(|byte| self.take_byte(*byte))
    }

    fn take_byte(&mut self, byte: u8) -> bool {
        match byte {
            b'\r' => false,
            b'\n' => {
                let said = self.len == WORD.len() && self.line == *WORD;
                self.len = 0;
                said
            }
            byte => {
                if let Some(place) = self.line.get_mut(self.len) {
                    *place = byte;
                }
                self.len = self.len.saturating_add(1);
                false
            }
        }
    }
}
