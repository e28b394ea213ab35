//! How much is measured: all of it, or what three minutes allow.

/// Sizes and repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The quick form.
    pub quick: bool,
    /// Runs of each guest for counts.
    pub counts: usize,
    /// Interleaved pairs for wall times.
    pub pairs: usize,
    /// Bytes of a transfer, for counts.
    pub count_bytes: u64,
    /// Bytes of a transfer, for wall times.
    pub wall_bytes: u64,
    /// Round trips and requests, for counts.
    pub operations: u64,
    /// Round trips, for wall times.
    pub wall_operations: u64,
    /// Packets for the curve.
    pub packets: &'static [u32],
    /// MiB of memory for the curve of boot.
    pub memories: &'static [u64],
}

const MIB: u64 = 1 << 20;

impl Effort {
    /// Everything: at most 20 minutes on two quiet processors.
    pub const FULL: Self = Self {
        quick: false,
        counts: 5,
        pairs: 15,
        count_bytes: 8 * MIB,
        wall_bytes: 64 * MIB,
        operations: 2000,
        wall_operations: 4000,
        packets: &[576, 1500, 4000, 9000],
        memories: &[32, 128, 512, 2048, 8192],
    };
    /// At most three minutes.
    pub const QUICK: Self = Self {
        quick: true,
        counts: 1,
        pairs: 3,
        count_bytes: 4 * MIB,
        wall_bytes: 16 * MIB,
        operations: 500,
        wall_operations: 1000,
        packets: &[],
        memories: &[32, 512],
    };

    /// Boot arguments of a counting run.
    #[must_use]
    pub fn counting(&self, jobs: &str) -> String {
        line(jobs, self.count_bytes, self.operations)
    }

    /// Boot arguments of a run against the clock.
    #[must_use]
    pub fn timing(&self, jobs: &str) -> String {
        line(jobs, self.wall_bytes, self.wall_operations)
    }
}

fn line(jobs: &str, bytes: u64, count: u64) -> String {
    format!("bench.jobs={jobs} bench.bytes={bytes} bench.count={count}")
}
