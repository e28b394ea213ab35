//! The line that tells everything at the end: one JSON object.

use core::fmt::{self, Write};

use crate::counters::{Accesses, Counters};
use crate::functions::Functions;
use crate::place::Place;
use crate::regions;
use crate::rsi::Command;
use crate::violation::Violations;

/// What is reported.
pub struct Report<'a> {
    /// Counts.
    pub counters: &'a Counters,
    /// Accesses by PCI function.
    pub functions: &'a Functions,
    /// Broken rules.
    pub violations: &'a Violations,
    /// Granules in the shared half at the end, and the most there were.
    pub shared: (u64, u64),
    /// The realm's initial measurement.
    pub rim: &'a [u8],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = self.counters;
        let total = counters.total();
        f.write_str("{\"rsi_calls\":{")?;
        let calls = Command::ALL
            .iter()
            .zip(counters.rsi)
            .filter(|(_, count)| *count > 0);
        members(f, calls.map(|(command, count)| (command.name(), count)))?;
        write!(
            f,
            "}},\"unknown_calls\":{},\"psci_calls\":{},\"exits\":{},\"mmio_reads\":{},\"mmio_writes\":{}",
            counters.unknown_calls, counters.psci, counters.exits, total.reads, total.writes
        )?;
        f.write_str(",\"regions\":{")?;
        self.regions(f)?;
        f.write_str("},\"functions\":{")?;
        self.functions(f)?;
        write!(
            f,
            "}},\"shared_pages\":{},\"shared_pages_max\":{}",
            self.shared.0, self.shared.1
        )?;
        write!(
            f,
            ",\"pages_shared\":{},\"pages_taken_back\":{}",
            counters.granules_moved.0, counters.granules_moved.1
        )?;
        write!(
            f,
            ",\"stage2_faults\":{},\"smmu_faults\":{},\"hvc\":{}",
            counters.stage2_faults, counters.smmu_faults, counters.hvc
        )?;
        f.write_str(",\"rim\":\"")?;
        for byte in self.rim {
            write!(f, "{byte:02x}")?;
        }
        write!(
            f,
            "\",\"violation_count\":{},\"violations\":[",
            self.violations.total()
        )?;
        self.violations(f)?;
        f.write_str("]}")
    }
}

impl Report<'_> {
    fn regions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (region, accesses) in regions::ALL.iter().zip(self.counters.regions) {
            if accesses.reads == 0 && accesses.writes == 0 {
                continue;
            }
            comma(f, &mut first)?;
            write!(
                f,
                "\"{}\":{{\"reads\":{},\"writes\":{}}}",
                region.name(),
                accesses.reads,
                accesses.writes
            )?;
        }
        Ok(())
    }

    fn functions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (stream, accesses) in self.functions.iter() {
            comma(f, &mut first)?;
            let (place, Accesses { reads, writes }) = (Place(stream), accesses);
            write!(f, "\"{place}\":{{\"reads\":{reads},\"writes\":{writes}}}")?;
        }
        Ok(())
    }

    fn violations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (violation, count) in self.violations.iter() {
            comma(f, &mut first)?;
            f.write_char('"')?;
            write!(Escaped(f), "{violation}")?;
            if *count > 1 {
                write!(f, " ({count} times)")?;
            }
            f.write_char('"')?;
        }
        Ok(())
    }
}

fn members<'n>(
    f: &mut fmt::Formatter<'_>,
    all: impl Iterator<Item = (&'n str, u64)>,
) -> fmt::Result {
    let mut first = true;
    for (name, count) in all {
        comma(f, &mut first)?;
        write!(f, "\"{name}\":{count}")?;
    }
    Ok(())
}

fn comma(f: &mut fmt::Formatter<'_>, first: &mut bool) -> fmt::Result {
    if !core::mem::take(first) {
        f.write_char(',')?;
    }
    Ok(())
}

/// Text inside a JSON string.
pub(crate) struct Escaped<'a, 'f>(pub(crate) &'a mut fmt::Formatter<'f>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' | '\\' => write!(self.0, "\\{c}")?,
                c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c))?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::{String, ToString};

    use super::*;
    use crate::regions::Region;
    use crate::violation::Violation;

    #[test]
    fn the_report_is_one_json_object() {
        let mut counters = Counters::default();
        counters.rsi_call(Command::Version);
        counters.access(Region::Uart, true);
        let mut violations = Violations::new();
        violations.add(Violation::SharedFetch {
            address: 0x4400_0000,
        });
        violations.add(Violation::SharedFetch {
            address: 0x4400_0000,
        });
        let report = Report {
            counters: &counters,
            functions: &Functions::new(),
            violations: &violations,
            shared: (3, 7),
            rim: &[0xab, 1],
        };
        let json: serde_json::Value = serde_json::from_str(&report.to_string()).unwrap();
        assert_eq!(json["rsi_calls"]["RSI_VERSION"], 1);
        assert_eq!(json["mmio_writes"], 1);
        assert_eq!(json["exits"], 1);
        assert_eq!(json["regions"]["uart"]["writes"], 1);
        assert_eq!(json["shared_pages"], 3);
        assert_eq!(json["shared_pages_max"], 7);
        assert_eq!(json["rim"], "ab01");
        let text = json["violations"][0].as_str().unwrap();
        assert!(text.starts_with("code in the shared half"), "{text}");
        assert!(text.ends_with("(2 times)"), "{text}");
    }

    #[test]
    fn a_run_without_violations_has_an_empty_list() {
        let counters = Counters::default();
        let violations = Violations::new();
        let report = Report {
            counters: &counters,
            functions: &Functions::new(),
            violations: &violations,
            shared: (0, 0),
            rim: &[],
        };
        let json: serde_json::Value = serde_json::from_str(&report.to_string()).unwrap();
        assert_eq!(json["violations"].as_array().map(Vec::len), Some(0));
    }

    #[test]
    fn text_is_escaped() {
        struct Quote;
        impl fmt::Display for Quote {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(Escaped(f), "a\"b\\c\n.")
            }
        }
        let expected: String = "a\\\"b\\\\c\\u000a.".into();
        assert_eq!(Quote.to_string(), expected);
    }

    use std::vec::Vec;
}
