//! The driver against an ITS that reads its tables as the architecture says, and against ones that lie.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a fake that is used wrongly should fail its test, loudly"
)]

mod fake;
mod lies;
mod service;
