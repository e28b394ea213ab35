//! Fakes that do the real thing in small.
