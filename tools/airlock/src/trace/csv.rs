//! A trace as a table, a line for each event.

use std::io::{self, Write};

use crate::trace::log::Log;

/// Writes the table.
///
/// # Errors
/// It cannot be written.
pub fn write(log: &Log, to: &mut dyn Write) -> io::Result<()> {
    writeln!(
        to,
        "seconds,device,queue,direction,purpose,slot,address,bytes"
    )?;
    for event in &log.events {
        writeln!(
            to,
            "{:.9},{},{},{},{},{},{:#x},{}",
            log.seconds(event.at),
            log.name(event.device),
            event.label.queue,
            event.direction.name(),
            event.label.purpose.name(),
            event.label.slot,
            event.address,
            event.len
        )?;
    }
    Ok(())
}
