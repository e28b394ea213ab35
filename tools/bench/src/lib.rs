//! Measures Airlock against Linux on the same QEMU, peer and disk, and writes the report.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`plugin`] | builds the plugin that counts, for the QEMU at hand |
//! | [`counts`] | what the plugin wrote |
//! | [`inside`] | a network namespace with a tap device |
//! | [`peer`] | whom the guest talks to |
//! | [`guest`] | the guests that are compared, and the machine that they all get |
//! | [`prepare`] | builds and fetches what they are made of |
//! | [`run`] | one run |
//! | [`figures`] | figures of one run, by unit |
//! | [`count`] | one guest's figures as a table: the quick form |
#![forbid(unsafe_code)]

pub mod count;
pub mod counts;
pub mod figures;
pub mod guest;
pub mod inside;
pub mod peer;
pub mod plugin;
pub mod prepare;
pub mod run;
