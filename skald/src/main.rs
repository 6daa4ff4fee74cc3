//! skald
fn main() {}
