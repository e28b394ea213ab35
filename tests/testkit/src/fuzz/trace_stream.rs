//! Any bytes as a stream of events: what the host reads, of a guest that may be anybody's.

use audit::wire::{HEAD, MAX_BODY};
use audit::{Body, Decoder, EVENT_BYTES, Fault, Frame};

/// Reads `bytes` as a stream, whole and in pieces as long as its first byte says, and checks that both
/// give the same and that no more is kept than a frame.
pub fn trace_stream(bytes: &[u8]) {
    let piece = bytes.first().map_or(1, |first| usize::from(*first) + 1);
    let whole = read(bytes, bytes.len().max(1));
    let pieces = read(bytes, piece);
    assert_eq!(whole, pieces);
    for frame in &whole.0 {
        match &frame.body {
            Body::Devices { names, .. } => assert!(names.iter().all(|name| name.is_ascii())),
            Body::Events(events) => assert!(events.len() * EVENT_BYTES <= bytes.len()),
            Body::Sample { .. } | Body::End => {}
        }
    }
}

fn read(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<Fault>) {
    let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
    for bytes in bytes.chunks(piece) {
        decoder.push(bytes);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault)),
            }
        }
        assert!(decoder.rest() < HEAD + MAX_BODY);
    }
    (frames, None)
}

#[cfg(test)]
mod tests {
    use audit::wire::Writer;
    use audit::{Direction, Keep, Label, Trace};
    use clock::Instant;

    use super::*;
    use crate::random::Seeded;

    /// A good stream of a few frames.
    fn stream() -> Vec<u8> {
        let (trace, now) = (Trace::new(), Instant::from_nanos(9));
        trace.enable(Keep::Copies, 64);
        let device = trace.device("0000:00:01.0");
        let (mut out, mut writer) = (Vec::new(), Writer::default());
        for _ in 0..4 {
            for len in 0..7 {
                let place = (device, u64::from(len));
                trace.record(place, len, Direction::In, Label::default(), || now);
            }
            writer.events(&mut out, &trace, (now, now), 5);
            writer.sample(&mut out, &trace, now, &[], &[]);
        }
        writer.end(&mut out, &trace, now);
        out
    }

    #[test]
    fn no_change_of_a_good_stream_breaks_the_decoder() {
        let (good, mut random) = (stream(), Seeded::new(11));
        trace_stream(&good);
        (0..2000).for_each(|_| trace_stream(&random.mutated(&good)));
    }
}
