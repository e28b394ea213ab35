//! Records to a port that gives them back.

use alloc::vec::Vec;
use core::time::Duration;

use airlock::{Port, Realm, StreamError};
use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use hostile::plan::{self, RECORDS};
use hostile::ports::ECHO;

use crate::{Accepted, Failure, memory};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends what the plan says. A stream of which something is wrong is not used further.
pub async fn run(realm: &Realm, failure: &mut Failure) {
    let mut port = match realm.port(ECHO).await {
        Ok(port) => port,
        Err(error) => return failure.note(format_args!("port: {error}")),
    };
    let mut accepted = Accepted::default();
    for number in 0..RECORDS {
        let right = plan::record(number);
        let answer = select(echo(&mut port, &right), realm.sleep(PATIENCE)).await;
        match answer {
            Either::First(Ok(came)) if came == right => accepted.add(number, &came),
            Either::First(Ok(_)) => {
                failure.note(format_args!("port: another answer"));
                break;
            }
            Either::First(Err(error)) => {
                failure.note(format_args!("port: {error}"));
                break;
            }
            Either::Second(()) => {
                failure.note(format_args!("port: no answer"));
                break;
            }
        }
    }
    accepted.tell(format_args!("port"));
}

/// What comes back for a record; less than that if the host listens no more.
async fn echo(port: &mut Port, record: &[u8]) -> Result<Vec<u8>, StreamError> {
    port.write_all(record).await?;
    port.flush().await?;
    let mut bytes = memory::buffer(record.len());
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match port.read(rest).await? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
