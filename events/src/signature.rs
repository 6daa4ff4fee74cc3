//! How a webhook shows that it knows the secret: `skald-signature: sha256=…`, HMAC-SHA-256 of the body in hexadecimal. A
//! request that somebody has recorded can be sent again, which does no harm: events are taken once.

use sha2::{Digest as _, Sha256};

/// The header.
pub const HEADER: &str = "skald-signature";
const SCHEME: &str = "sha256=";
/// Of SHA-256, as RFC 2104 needs it.
const BLOCK: usize = 64;

/// The header's value for a body.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let hex = hmac(secret.as_bytes(), body).map(|byte| format!("{byte:02x}")).concat();
    format!("{SCHEME}{hex}")
}

/// Whether the header's value fits the body. How long that takes does not tell how much of it fits.
pub(crate) fn fits(secret: &str, body: &[u8], given: &str) -> bool {
    let expected = sign(secret, body);
    let differences = expected.bytes().zip(given.bytes()).fold(0, |all, (expected, given)| all | (expected ^ given));
    expected.len() == given.len() && differences == 0
}

fn hmac(secret: &[u8], body: &[u8]) -> [u8; 32] {
    let mut key = [0; BLOCK];
    match secret.len() {
        0..=BLOCK => key[..secret.len()].copy_from_slice(secret),
        _ => key[..32].copy_from_slice(&Sha256::digest(secret)),
    }
    let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(body).finalize();
    Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::{fits, sign};

    #[test]
    fn it_is_the_hmac_of_rfc_4231() {
        // Test cases 2 and 6.
        let short = sign("Jefe", b"what do ya want for nothing?");
        assert_eq!(short, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(fits("Jefe", b"what do ya want for nothing?", &short));
        for given in ["", "sha256=", &short[..70], &short.replace('5', "6")] {
            assert!(!fits("Jefe", b"what do ya want for nothing?", given), "{given}");
        }
        let long = "k".repeat(65);
        assert_ne!(sign(&long, b"body"), sign(&long[..64], b"body"));
    }
}
