//! All chance of a run, from its seed. Whatever is drawn depends on what it is drawn for, not on how much was drawn before:
//! so leaving one fault out of a run changes as little else as can be.

use fastrand::Rng;

/// One number from several, the same for the same.
pub(crate) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, part| scramble(hash.rotate_left(23) ^ scramble(*part)))
}

/// Dice for one purpose.
pub(crate) fn dice(parts: &[u64]) -> Rng {
    Rng::with_seed(mix(parts))
}

/// A number for a word.
pub(crate) fn word(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// A number for an id.
pub(crate) fn number(id: uuid::Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    high ^ low
}

/// The finish of splitmix64.
fn scramble(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
