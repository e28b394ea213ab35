//! The server from outside: the protocol, refusals, and load.

mod client;
mod load;
mod realm;
mod refusals;
mod story;
