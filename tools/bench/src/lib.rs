//! Measures Airlock against Linux on the same QEMU, peer and disk, and writes the report.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`inside`] | a network namespace with a tap device |
//! | [`peer`] | whom the guest talks to |
//! | [`guest`] | the guests that are compared, and the machine that they all get |
//! | [`prepare`] | builds and fetches what they are made of |
//! | [`run`] | one run |
//! | [`window`] | where the memory lies that a guest shares |
//! | [`figures`] | figures of one run, by unit |
//! | [`stats`] | medians, and how sure they are |
//! | [`host`] | the machine that measures |
//! | [`effort`] | how much is measured |
//! | [`measured`] | everything that was measured |
//! | [`measure`] | measures it |
//! | [`goals`] | P1 to P11 |
//! | [`report`] | table, JSON, page, history |
//! | [`all`] | all of it in order |
//! | [`count`] | one guest's figures as a table: the quick form |
#![forbid(unsafe_code)]

pub mod all;
pub mod count;
pub mod effort;
pub mod figures;
pub mod goals;
pub mod guest;
pub mod host;
pub mod inside;
pub mod measure;
pub mod measured;
pub mod peer;
pub mod prepare;
pub mod report;
pub mod run;
pub mod stats;
pub mod window;
