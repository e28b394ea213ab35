//! What the plots of the page are made of.

use std::collections::BTreeMap;

use audit::{Direction, Purpose};
use plot::{Bars, Chart, Form, Histogram, Series};

use crate::trace::log::Log;

/// Columns of a plot over time.
const COLUMNS: u32 = 120;
/// Most points of a line.
const POINTS: usize = 400;

/// A number as plots take it.
#[expect(clippy::cast_precision_loss, reason = "a plot shows three digits")]
pub fn float(value: u64) -> f64 {
    value as f64
}

/// How many crossings of a kind, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Crossings.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the largest.
    pub largest: u32,
}

/// Sums by device, purpose and direction.
pub fn totals(log: &Log) -> BTreeMap<(u8, Purpose, Direction), Sum> {
    let mut totals: BTreeMap<_, Sum> = BTreeMap::new();
    for event in &log.events {
        let key = (event.device, event.label.purpose, event.direction);
        let sum = totals.entry(key).or_default();
        sum.count += 1;
        sum.bytes += u64::from(event.len);
        sum.largest = sum.largest.max(event.len);
    }
    totals
}

/// Seconds from entry to the last that is known.
fn end(log: &Log) -> f64 {
    let events = log.events.iter().map(|event| event.at);
    let samples = log.samples.iter().map(|sample| sample.at);
    let last = events.chain(samples).max();
    last.map_or(0.0, |at| log.seconds(at)).max(1e-6)
}

/// Devices that have events.
fn devices(log: &Log) -> Vec<u8> {
    let mut devices: Vec<u8> = log.events.iter().map(|event| event.device).collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// A plot for each device: bytes a second, both ways.
pub fn rates(log: &Log) -> Vec<String> {
    let end = end(log);
    let width = end / f64::from(COLUMNS);
    let plot = |device: u8| {
        let series = [Direction::Out, Direction::In].map(|direction| {
            let mut bytes = vec![0_u64; COLUMNS as usize];
            let events = log.events.iter();
            for event in events.filter(|one| (one.device, one.direction) == (device, direction)) {
                if let Some(sum) = bytes.get_mut(column(log.seconds(event.at) / width)) {
                    *sum += u64::from(event.len);
                }
            }
            let points = (0..COLUMNS).zip(&bytes);
            let points = points.map(|(at, bytes)| (f64::from(at) * width, float(*bytes) / width));
            Series {
                name: direction.name().to_owned(),
                form: Form::Steps,
                points: points.chain([(end, 0.0)]).collect(),
            }
        });
        Chart {
            title: format!("{}: bytes a second", log.title(device)),
            x: "seconds after entry".to_owned(),
            series: series.to_vec(),
        }
        .figure()
    };
    devices(log).into_iter().map(plot).collect()
}

/// The column that a number of columns from the left falls into.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is cut to a column of the plot"
)]
fn column(at: f64) -> usize {
    (at.max(0.0) as usize).min(COLUMNS as usize - 1)
}

/// A plot for each pool whose device has queues: what is leased and lent, and how high it ever was.
pub fn occupancy(log: &Log) -> Vec<String> {
    let Some(last) = log.samples.last() else {
        return Vec::new();
    };
    let kib = |bytes: u64| float(bytes) / 1024.0;
    let end = log.seconds(last.at);
    let plot = |device: u8| {
        let pool = last.pools.iter().find(|pool| pool.device == device)?;
        let level = |name: &str, bytes| Series {
            name: format!("{name}: {} KiB", plot::short(kib(bytes))),
            form: Form::Level,
            points: vec![(0.0, kib(bytes)), (end, kib(bytes))],
        };
        let queues = last.queues.iter().filter(|queue| queue.device == device);
        let most = queues.clone().map(|queue| queue.high_water).sum();
        let lines = queues.map(|queue| Series {
            name: format!("lent, queue {}", queue.queue),
            form: Form::Steps,
            points: lent(log, device, queue.queue),
        });
        let levels = [
            level("most ever lent", most),
            level("leased", pool.leased),
            level("pool", pool.size),
        ];
        let chart = Chart {
            title: format!("{}: KiB; {} times short", log.title(device), pool.exhausted),
            x: "seconds after entry".to_owned(),
            series: lines.chain(levels).collect(),
        };
        Some(chart.figure())
    };
    let mut devices: Vec<u8> = last.queues.iter().map(|queue| queue.device).collect();
    devices.dedup();
    devices.into_iter().filter_map(plot).collect()
}

/// What a queue had lent, by time: of each few samples the highest.
fn lent(log: &Log, device: u8, queue: u8) -> Vec<(f64, f64)> {
    let each = log.samples.len().div_ceil(POINTS).max(1);
    let points = log.samples.chunks(each).filter_map(|samples| {
        let queues = samples.iter().flat_map(|sample| &sample.queues);
        let ours = queues.filter(|one| (one.device, one.queue) == (device, queue));
        let most = ours.map(|one| one.lent).max()?;
        Some((log.seconds(samples.first()?.at), float(most) / 1024.0))
    });
    points.collect()
}

/// A histogram for each device: lengths of crossings, both ways.
pub fn sizes(log: &Log) -> Vec<String> {
    let plot = |device: u8| {
        let bars = [Direction::Out, Direction::In].map(|direction| {
            let events = log.events.iter();
            let ours = events.filter(|one| (one.device, one.direction) == (device, direction));
            (
                direction.name(),
                ours.map(|event| u64::from(event.len)).collect(),
            )
        });
        histogram(
            &format!("{}: crossings by size", log.title(device)),
            "bytes, up to",
            &bars,
            bytes,
        )
    };
    devices(log).into_iter().map(plot).collect()
}

/// A histogram for each disk: how long requests took, by what they were.
pub fn latencies(log: &Log) -> Vec<String> {
    let requests = log.requests();
    let mut devices: Vec<u8> = requests.iter().map(|one| one.head.device).collect();
    devices.sort_unstable();
    devices.dedup();
    let plot = |device: u8| {
        let bars = [Purpose::Read, Purpose::Write, Purpose::Flush].map(|purpose| {
            let ours = requests.iter();
            let ours =
                ours.filter(|one| (one.head.device, one.head.label.purpose) == (device, purpose));
            let times = ours.filter_map(|one| {
                let time = one.done?.since(one.head.at);
                Some(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
            });
            (purpose.name(), times.collect())
        });
        histogram(
            &format!("{}: requests by time", log.title(device)),
            "time, up to",
            &bars,
            micros,
        )
    };
    devices.into_iter().map(plot).collect()
}

/// A histogram in powers of two, from the smallest to the largest that there are.
fn histogram(title: &str, x: &str, values: &[(&str, Vec<u64>)], name: fn(u32) -> String) -> String {
    let power = |value: &u64| value.max(&1).next_power_of_two().trailing_zeros();
    let all = || values.iter().flat_map(|(_, values)| values).map(power);
    let (Some(low), Some(high)) = (all().min(), all().max()) else {
        return String::new();
    };
    let filled = values.iter().filter(|(_, values)| !values.is_empty());
    let bars = filled.map(|(kind, values)| {
        let count = |class: u32| values.iter().filter(|value| power(value) == class).count() as u64;
        Bars {
            name: (*kind).to_owned(),
            counts: (low..=high).map(count).collect(),
        }
    });
    Histogram {
        title: title.to_owned(),
        classes: (low..=high).map(name).collect(),
        x: x.to_owned(),
        bars: bars.collect(),
    }
    .figure()
}

/// 2 to the power of so much, in bytes.
fn bytes(power: u32) -> String {
    match power {
        0..10 => format!("{}", 1_u64 << power),
        10..20 => format!("{}K", 1_u64 << (power - 10)),
        _ => format!("{}M", 1_u64 << (power.min(63) - 20)),
    }
}

/// 2 to the power of so much, in microseconds.
fn micros(power: u32) -> String {
    let micros = float(1_u64 << power.min(63));
    match power {
        0..10 => format!("{micros:.0} µs"),
        10..20 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_have_names_that_people_read() {
        assert_eq!([0, 9, 11, 20].map(bytes), ["1", "512", "2K", "1M"]);
        assert_eq!([3, 12, 21].map(micros), ["8 µs", "4 ms", "2.1 s"]);
    }

    #[test]
    fn a_value_is_counted_where_it_just_fits() {
        let figure = histogram("t", "x", &[("out", vec![1024, 1025, 2048])], bytes);
        assert!(figure.contains("<title>1</title>") && figure.contains("<title>2</title>"));
    }
}
