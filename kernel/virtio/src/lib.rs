//! Transport, one split virtqueue, net, block, rng.
#![no_std]
#![forbid(unsafe_code)]
