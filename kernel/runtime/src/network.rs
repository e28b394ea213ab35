//! The network on the card, as the loop sees it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::task::{Context, Waker};

use arch::counter::Counter;
use clock::{Clock, Instant};
use net::{Config, Stack};
use plan::Arguments;
use realm::{Error, Generator};

use crate::driver::Running;

/// A network that is given its turns.
pub trait Wire {
    /// Receives, works, sends; says when to call again at the latest.
    fn poll(&self, now: Instant) -> Option<Instant>;

    /// Whether a socket has something to send since the last poll. `waker` is woken when one has.
    fn has_work(&self, waker: &Waker) -> bool;
}

impl Wire for Stack {
    fn poll(&self, now: Instant) -> Option<Instant> {
        Stack::poll(self, now)
    }

    fn has_work(&self, waker: &Waker) -> bool {
        self.poll_work(&mut Context::from_waker(waker)).is_ready()
    }
}

/// Starts the network on the card, with the address of the boot argument `ip=`.
///
/// # Errors
///
/// [`Error::Address`], [`Error::Stack`].
pub fn start(
    running: &mut Running,
    arguments: &Arguments,
    random: &Generator,
    clock: Counter,
) -> Result<Option<Rc<dyn Wire>>, Error> {
    let config = arguments
        .get("ip")
        .map_or(Ok(Config::default()), Config::parse);
    let config = config.map_err(Error::Address)?;
    let Some(card) = &running.card else {
        return Ok(None);
    };
    let mut seed = [0; 32];
    if random.fill(&mut seed).is_err() {
        log::warn!("network: no random numbers: others can guess ports and sequence numbers");
        let time = clock.now().as_nanos().to_le_bytes();
        seed.iter_mut()
            .zip(time)
            .for_each(|(seed, time)| *seed = time);
    }
    let port = Box::new(card.clone());
    let stack = Stack::new(port, Rc::new(clock), seed, &config).map_err(Error::Stack)?;
    running.given.network = Some(stack.network());
    Ok(Some(Rc::new(stack)))
}
