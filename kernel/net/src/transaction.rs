//! The numbers by which a DHCP client knows the answers that are meant for it.
//!
//! smoltcp draws them from its own small generator, whose state three numbers give away. On the wire
//! they are numbers of ours, so nothing of that generator ever leaves the realm.

use chacha20::{ChaCha20Rng, rand_core::Rng};

/// Where the number is in a DHCP message.
///
/// Ref: RFC 2131, 2 "Protocol Summary": `xid`.
const AT: core::ops::Range<usize> = 4..8;

/// The transaction of the DHCP client.
pub(crate) struct Transaction {
    random: ChaCha20Rng,
    /// The client's own number of the transaction.
    inside: Option<[u8; 4]>,
    /// The number that was sent instead.
    outside: [u8; 4],
}

impl Transaction {
    /// No transaction yet.
    pub fn new(random: ChaCha20Rng) -> Self {
        Self {
            random,
            inside: None,
            outside: [0; 4],
        }
    }

    /// Puts our number into a message that is sent; a new one for each new number of the client.
    pub fn leave(&mut self, message: &mut [u8]) {
        let Some(number) = number(message) else {
            return;
        };
        if self.inside != Some(*number) {
            self.inside = Some(*number);
            self.outside = self.random.next_u32().to_be_bytes();
        }
        *number = self.outside;
    }

    /// Puts the client's number into a message that was received. Says whether it is an answer to
    /// the client at all.
    pub fn enter(&self, message: &mut [u8]) -> bool {
        match (number(message), self.inside) {
            (Some(number), Some(inside)) if *number == self.outside => {
                *number = inside;
                true
            }
            _ => false,
        }
    }
}

fn number(message: &mut [u8]) -> Option<&mut [u8; 4]> {
    message.get_mut(AT)?.first_chunk_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::rand_core::SeedableRng;

    #[test]
    fn a_transaction_keeps_its_number_and_the_next_has_another() {
        let mut transaction = Transaction::new(ChaCha20Rng::from_seed([1; 32]));
        let send = |transaction: &mut Transaction, number| {
            let mut message = [0, 0, 0, 0, number, 0, 0, 0];
            transaction.leave(&mut message);
            message
        };
        let first = send(&mut transaction, 1);
        assert_eq!(send(&mut transaction, 1), first);
        let mut answer = first;
        assert!(transaction.enter(&mut answer));
        assert_eq!(answer, [0, 0, 0, 0, 1, 0, 0, 0]);
        assert_ne!(send(&mut transaction, 2), first);
        assert!(!transaction.enter(&mut first.clone()), "the first is over");
    }

    #[test]
    fn an_answer_to_nobody_is_for_somebody_else() {
        let mut transaction = Transaction::new(ChaCha20Rng::from_seed([1; 32]));
        assert!(!transaction.enter(&mut [0; 8]));
        transaction.leave(&mut [0, 0, 0, 0, 7, 7, 7, 7]);
        assert!(!transaction.enter(&mut [0, 0, 0, 0, 7, 7, 7, 7]));
        assert!(!transaction.enter(&mut [0; 7]), "too short");
    }
}
