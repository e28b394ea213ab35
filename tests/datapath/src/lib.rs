//! Whole paths on the host, with honest and lying devices.
