//! Every RSI call, typed.
#![no_std]
#![forbid(unsafe_code)]
