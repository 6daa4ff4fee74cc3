//! The draw of a shuffled prequeue, which anybody can check: a place is drawn by HMAC-SHA-256 of a secret seed over the
//! token's id, and the seed's SHA-256 is public before the first token exists, so that nobody can choose the seed to suit
//! a token. Once the room is closed the seed is public too.
//!
//! To check a draw by other means: `printf %s "$token" | openssl dgst -sha256 -mac hmac -macopt hexkey:"$seed"` for each
//! token's id, sort, and the first has sequence 1. Pure: who takes part and when it is drawn is not decided here.

use service_kit::hmac;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What a draw goes by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

/// Shows nothing of it: a log is no place for a secret.
impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The published seed is not the one that was committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seed does not match the commitment: this is not the draw that was promised")]
pub struct OtherSeed;

impl Seed {
    /// What is published before the draw.
    pub fn commitment(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// What a token's place is drawn by: lower ones come first.
    pub fn lot(&self, token: Uuid) -> [u8; 32] {
        let mut text = Uuid::encode_buffer();
        hmac::code(&self.0, token.hyphenated().encode_lower(&mut text).as_bytes())
    }
}

/// The tokens of a prequeue in the order that the seed gives them: the first has sequence 1.
///
/// # Errors
/// When it is not the seed of that commitment.
pub fn verify_ranks(seed: Seed, commitment: &[u8], tokens: &[Uuid]) -> Result<Vec<Uuid>, OtherSeed> {
    if seed.commitment() != commitment {
        return Err(OtherSeed);
    }
    let mut ranked: Vec<_> = tokens.iter().map(|token| (seed.lot(*token), *token)).collect();
    ranked.sort_unstable();
    Ok(ranked.into_iter().map(|(_, token)| token).collect())
}

/// The sequence of one token among those of a prequeue; nothing when it was not in it.
///
/// # Errors
/// As [`verify_ranks`].
pub fn verify_rank(seed: Seed, commitment: &[u8], tokens: &[Uuid], token: Uuid) -> Result<Option<usize>, OtherSeed> {
    let ranked = verify_ranks(seed, commitment, tokens)?;
    Ok(ranked.iter().position(|ranked| *ranked == token).map(|before| before + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn tokens(count: u128) -> Vec<Uuid> {
        // As ids are: the time first, something random behind.
        (0..count).map(|n| Uuid::from_u128((n << 80) | n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
    }

    #[test]
    fn the_lot_and_the_commitment_are_what_any_other_program_says() {
        // From openssl, as at the top of this file, and sha256sum.
        let (seed, token) = (Seed([7; 32]), Uuid::from_u128(0x0190_5f3c_7a00_7abc_8def_0123_4567_89ab));
        assert_eq!(hex(&seed.lot(token)), "5825c4d48eb316e69c28839591e4c6f3332b7cec7098dad2f72508c1e598d909");
        assert_eq!(hex(&seed.commitment()), "4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0");
    }

    #[test]
    fn a_seed_that_was_not_promised_is_found_out() {
        let (promised, other) = (Seed([1; 32]), Seed([2; 32]));
        assert_eq!(verify_ranks(other, &promised.commitment(), &tokens(3)), Err(OtherSeed));
        let all = tokens(100);
        let ranked = verify_ranks(promised, &promised.commitment(), &all).unwrap();
        let rank = verify_rank(promised, &promised.commitment(), &all, ranked[41]);
        assert_eq!(rank, Ok(Some(42)));
        assert_eq!(verify_rank(promised, &promised.commitment(), &all[..50], all[77]), Ok(None));
    }

    /// Who comes when has no bearing on who is first: over many draws, each tenth of the arrivals has as many places in each
    /// tenth of the line as any other.
    #[test]
    fn the_draw_is_fair_whenever_one_came() {
        const TENTHS: usize = 10;
        const DRAWS: u8 = 20;
        let all = tokens(1_000);
        let mut counts = [[0_u32; TENTHS]; TENTHS];
        for seed in 1..=DRAWS {
            let seed = Seed([seed; 32]);
            let ranked = verify_ranks(seed, &seed.commitment(), &all).unwrap();
            for (rank, token) in ranked.iter().enumerate() {
                let arrival = all.binary_search(token).unwrap();
                counts[arrival * TENTHS / all.len()][rank * TENTHS / all.len()] += 1;
            }
        }
        let expected = f64::from(DRAWS) * 1_000.0 / 100.0;
        let chi_square: f64 =
            counts.iter().flatten().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
        println!("chi square {chi_square} over 81 degrees of freedom");
        // Between the quantiles 0.1 % and 99.9 %: neither skewed nor too even to be a draw.
        assert!((46.5..126.1).contains(&chi_square), "{chi_square}");
    }
}
