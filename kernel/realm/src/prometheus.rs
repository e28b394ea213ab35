//! Counters in the text format of Prometheus.
//!
//! Ref: Prometheus, «Exposition formats», version 0.0.4.

use core::fmt;

use virtio::BalloonCounters;

use crate::counters::{Counters, DeviceCounters, Work};

/// The counters as text that Prometheus reads; say `text/plain; version=0.0.4` with it.
///
/// Names of devices are places on the bus and such, so nothing in a label has to be escaped.
pub struct Prometheus<'a>(&'a Counters);

impl Counters {
    /// The same as text that Prometheus reads.
    #[must_use]
    pub fn prometheus(&self) -> Prometheus<'_> {
        Prometheus(self)
    }
}

/// A metric that each device has: its name, whether it only grows, what it is, and its value.
type Metric = (
    &'static str,
    bool,
    &'static str,
    fn(&DeviceCounters) -> Option<u64>,
);

const METRICS: [Metric; 21] = [
    (
        "bounce_bytes_out",
        true,
        "Bytes copied to the device.",
        |d| Some(d.bounce.bytes_out),
    ),
    (
        "bounce_bytes_in",
        true,
        "Bytes copied from the device.",
        |d| Some(d.bounce.bytes_in),
    ),
    ("bounce_copies", true, "Copies, either way.", |d| {
        Some(d.bounce.copies)
    }),
    (
        "bounce_exhausted",
        true,
        "Times that nothing was free for what was wanted.",
        |d| Some(d.bounce.exhausted),
    ),
    (
        "pool_size_bytes",
        false,
        "Bytes of the device's pool.",
        |d| Some(d.bounce.size),
    ),
    (
        "pool_leased_bytes",
        false,
        "Bytes of it that are leased.",
        |d| Some(d.bounce.leased),
    ),
    (
        "pool_high_water_bytes",
        false,
        "Most bytes that ever were.",
        |d| Some(d.bounce.high_water),
    ),
    (
        "shortage_wanted_bytes",
        false,
        "Bytes wanted when nothing was free last.",
        |d| d.bounce.shortage.map(|short| short.wanted as u64),
    ),
    (
        "shortage_free_bytes",
        false,
        "Bytes free at that time.",
        |d| d.bounce.shortage.map(|short| short.free as u64),
    ),
    (
        "shortage_largest_bytes",
        false,
        "Bytes of the largest run of them.",
        |d| d.bounce.shortage.map(|short| short.largest as u64),
    ),
    ("doorbells", true, "Doorbells rung.", |d| match d.work {
        Work::Network(net) => Some(net.doorbells),
        Work::Block(block) => Some(block.doorbells),
        Work::Console(console) => Some(console.doorbells),
        Work::Share(share) => Some(share.doorbells),
        Work::Vsock(vsock) => Some(vsock.doorbells),
        Work::Balloon(balloon) => Some(balloon.doorbells),
        Work::Other => None,
    }),
    (
        "net_frames_sent",
        true,
        "Frames handed to the card.",
        |d| match d.work {
            Work::Network(net) => Some(net.sent),
            _ => None,
        },
    ),
    (
        "net_frames_received",
        true,
        "Frames that came and were delivered.",
        |d| match d.work {
            Work::Network(net) => Some(net.received),
            _ => None,
        },
    ),
    (
        "net_frames_dropped",
        true,
        "Frames that came and were not.",
        |d| match d.work {
            Work::Network(net) => Some(net.dropped),
            _ => None,
        },
    ),
    (
        "disk_requests",
        true,
        "Requests handed to the disk.",
        |d| match d.work {
            Work::Block(block) => Some(block.requests),
            _ => None,
        },
    ),
    (
        "disk_requests_failed",
        true,
        "Requests that it did not do.",
        |d| match d.work {
            Work::Block(block) => Some(block.failed),
            _ => None,
        },
    ),
    (
        "balloon_limit_bytes",
        false,
        "Bytes that the host may have of ours.",
        |d| Some(balloon(d)?.most),
    ),
    (
        "balloon_wanted_bytes",
        false,
        "Bytes that it wants, no more than it may have.",
        |d| Some(balloon(d)?.wanted),
    ),
    ("balloon_out_bytes", false, "Bytes that it has.", |d| {
        Some(balloon(d)?.out)
    }),
    (
        "balloon_lost_bytes",
        false,
        "Bytes that nobody has: it did not give them back.",
        |d| Some(balloon(d)?.lost),
    ),
    (
        "balloon_relieved",
        true,
        "Blocks that were taken back because memory was short.",
        |d| Some(balloon(d)?.relieved),
    ),
];

fn balloon(device: &DeviceCounters) -> Option<BalloonCounters> {
    match device.work {
        Work::Balloon(balloon) => Some(balloon),
        _ => None,
    }
}

impl fmt::Display for Prometheus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(counters) = self;
        for (name, grows, help, value) in METRICS {
            let device = |device| Some((device, value(device)?));
            let mut values = counters.devices.iter().filter_map(device).peekable();
            if values.peek().is_some() {
                head(f, name, grows, help)?;
            }
            let total = if grows { "_total" } else { "" };
            for (device, value) in values {
                writeln!(
                    f,
                    "airlock_{name}{total}{{device=\"{}\"}} {value}",
                    device.name
                )?;
            }
        }
        let (accesses, interrupts) = (counters.accesses, counters.interrupts);
        let whole = [
            (
                "register_reads",
                true,
                "Loads from device registers.",
                accesses.reads,
            ),
            (
                "register_writes",
                true,
                "Stores to device registers.",
                accesses.writes,
            ),
            (
                "interrupts",
                true,
                "Interrupts of devices.",
                interrupts.devices,
            ),
            (
                "alarms",
                true,
                "Interrupts of the timer.",
                interrupts.alarms,
            ),
            (
                "interrupts_unexpected",
                true,
                "Interrupts of nobody.",
                interrupts.unexpected,
            ),
            (
                "shared_bytes",
                false,
                "Bytes that the host reaches.",
                counters.shared as u64,
            ),
        ];
        for (name, grows, help, value) in whole {
            head(f, name, grows, help)?;
            let total = if grows { "_total" } else { "" };
            writeln!(f, "airlock_{name}{total} {value}")?;
        }
        Ok(())
    }
}

fn head(f: &mut fmt::Formatter<'_>, name: &str, grows: bool, help: &str) -> fmt::Result {
    let (total, kind) = if grows {
        ("_total", "counter")
    } else {
        ("", "gauge")
    };
    writeln!(f, "# HELP airlock_{name}{total} {help}")?;
    writeln!(f, "# TYPE airlock_{name}{total} {kind}")
}

#[cfg(test)]
mod tests {
    extern crate std;
    use alloc::vec;
    use std::string::ToString;

    use bounce::Shortage;
    use virtio::BlkCounters;

    use super::*;
    use crate::interrupts::{Means, Taken};

    fn counters() -> Counters {
        let device = |name: &str, work, shortage| DeviceCounters {
            name: name.into(),
            bounce: bounce::Counters {
                bytes_out: 7,
                shortage,
                ..bounce::Counters::default()
            },
            work,
        };
        let short = Shortage {
            queue: Some(0),
            wanted: 4096,
            free: 512,
            largest: 256,
        };
        Counters {
            devices: vec![
                device("0000:00:01.0", Work::Other, None),
                device(
                    "0000:00:02.0",
                    Work::Block(BlkCounters::default()),
                    Some(short),
                ),
                device(
                    "0000:00:03.0",
                    Work::Balloon(BalloonCounters {
                        out: 2 << 20,
                        ..BalloonCounters::default()
                    }),
                    None,
                ),
            ],
            accesses: pci::Accesses::default(),
            interrupts: Taken::default(),
            means: Means::default(),
            shared: 4096,
        }
    }

    #[test]
    fn each_metric_has_its_head_once_and_a_line_for_each_device_that_has_it() {
        let text = counters().prometheus().to_string();
        let lines = |what: &str| text.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!(lines("# TYPE airlock_bounce_bytes_out_total counter"), 1);
        assert_eq!(
            lines("airlock_bounce_bytes_out_total{device=\"0000:00:0"),
            3
        );
        assert_eq!(
            lines("airlock_balloon_out_bytes{device=\"0000:00:03.0\"} 2097152"),
            1
        );
        assert_eq!(lines("airlock_disk_requests_total{"), 1);
        assert_eq!(lines("airlock_net_"), 0);
        assert_eq!(lines("# HELP airlock_net_"), 0);
        assert_eq!(
            lines("airlock_shortage_wanted_bytes{device=\"0000:00:02.0\"} 4096"),
            1
        );
        assert_eq!(lines("airlock_shared_bytes 4096"), 1);
    }

    /// A line is a comment, or a name with labels and a number.
    #[test]
    fn every_line_is_one_that_prometheus_reads() {
        for line in counters().prometheus().to_string().lines() {
            let Some((name, value)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))
            else {
                assert!(line.starts_with("# HELP airlock_") || line.starts_with("# TYPE airlock_"));
                continue;
            };
            assert!(value.parse::<u64>().is_ok(), "{line}");
            let name = name.split('{').next().unwrap_or_default();
            let good = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(good), "{line}");
        }
    }
}
