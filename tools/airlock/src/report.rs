//! The monitor's report: one line of JSON at power-off.

use crate::units::MIB;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// Bytes of a page that can change half.
const PAGE: u64 = 4096;

/// What the monitor counted, and what it found wrong.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Report {
    /// RSI calls by name.
    #[serde(default)]
    pub rsi_calls: Value,
    /// PSCI calls by name.
    #[serde(default)]
    pub psci_calls: Value,
    /// Times that the guest was left for the host: what costs time in a real realm.
    #[serde(default)]
    pub exits: Value,
    /// Device registers read, by device or as one number.
    #[serde(default)]
    pub mmio_reads: Value,
    /// Device registers written, by device or as one number.
    #[serde(default)]
    pub mmio_writes: Value,
    /// Accesses to each device of the machine.
    #[serde(default)]
    pub regions: Value,
    /// Accesses to the registers of each PCI function.
    #[serde(default)]
    pub functions: Value,
    /// Pages of 4 KiB that were shared at the end.
    #[serde(default)]
    pub shared_pages: u64,
    /// The most pages that were shared at one time.
    #[serde(default)]
    pub shared_pages_max: u64,
    /// Pages that were shared and became the realm's own again.
    #[serde(default)]
    pub pages_taken_back: u64,
    /// The realm's initial measurement, in hexadecimal digits.
    #[serde(default)]
    pub rim: String,
    /// Accesses that stage 2 refused.
    #[serde(default)]
    pub stage2_faults: Value,
    /// Device accesses that the SMMU refused.
    #[serde(default)]
    pub smmu_faults: Value,
    /// Rules that were broken, in words.
    pub violations: Vec<String>,
}

impl Report {
    /// Reads the JSON behind `report: `.
    ///
    /// # Errors
    /// It is not JSON, or the list of violations is missing.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// The most bytes that were shared at one time.
    #[must_use]
    pub fn shared_bytes(&self) -> u64 {
        self.shared_pages_max
            .max(self.shared_pages)
            .saturating_mul(PAGE)
    }
}

/// Adds up all numbers in a value: a plain number, or a table of them.
#[must_use]
pub fn total(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or(0),
        Value::Array(list) => list.iter().map(total).sum(),
        Value::Object(table) => table.values().map(total).sum(),
        _ => 0,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.shared_bytes().saturating_mul(10) / MIB;
        writeln!(
            f,
            "monitor: {} exits, {} RSI calls, {} device reads, {} device writes",
            total(&self.exits),
            total(&self.rsi_calls),
            total(&self.mmio_reads),
            total(&self.mmio_writes),
        )?;
        write!(
            f,
            "monitor: {} shared pages ({}.{} MiB), {} stage 2 faults, {} SMMU faults, {} violations",
            self.shared_pages,
            tenths / 10,
            tenths % 10,
            total(&self.stage2_faults),
            total(&self.smmu_faults),
            self.violations.len(),
        )?;
        if self.pages_taken_back != 0 {
            write!(
                f,
                "\nmonitor: {} pages were EMPTY at most; {} became RAM",
                self.shared_pages_max, self.pages_taken_back
            )?;
        }
        self.violations
            .iter()
            .try_for_each(|text| write!(f, "\nmonitor: violation: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_with_tables_and_with_plain_numbers() {
        let report = Report::parse(
            r#"{"rsi_calls":{"version":1,"realm_config":2},"exits":7,"mmio_reads":{"uart":3},
                "shared_pages":512,"violations":[],"more":"is ignored"}"#,
        )
        .unwrap();
        assert_eq!(total(&report.rsi_calls), 3);
        assert_eq!(report.shared_bytes(), 2 * MIB);
        assert!(report.to_string().contains("512 shared pages (2.0 MiB)"));
    }

    #[test]
    fn a_report_without_a_list_of_violations_is_none() {
        assert!(Report::parse(r#"{"exits":7}"#).is_err());
        assert!(Report::parse("{").is_err());
    }

    #[test]
    fn each_violation_is_shown() {
        let report = Report {
            violations: vec!["a".into(), "b".into()],
            ..Report::default()
        };
        assert_eq!(report.to_string().matches("violation: ").count(), 2);
    }
}
