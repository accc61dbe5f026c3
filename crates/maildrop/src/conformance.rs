//! The checks every store must pass.
