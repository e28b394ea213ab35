//! Checks that no compiler makes.
fn main() {}
