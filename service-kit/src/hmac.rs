//! HMAC-SHA256 (RFC 2104): shows that a message comes from somebody who has the secret.

use sha2::{Digest as _, Sha256};

/// What SHA-256 works on at a time.
const BLOCK: usize = 64;

/// The code of a message.
pub fn code(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let mut key = [0; BLOCK];
    if secret.len() > BLOCK {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let padded = |pad: u8| Sha256::new().chain_update(key.map(|byte| byte ^ pad));
    let inner = padded(0x36).chain_update(message).finalize();
    padded(0x5c).chain_update(inner).finalize().into()
}

/// The code of a message as text, in hex.
pub fn signature(secret: &[u8], message: &[u8]) -> String {
    code(secret, message).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the text is the signature of the message. Takes the same time wherever they differ.
pub fn is_signature(text: &str, secret: &[u8], message: &[u8]) -> bool {
    let expected = signature(secret, message);
    let differences = expected.bytes().zip(text.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    text.len() == expected.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_that_of_rfc_4231() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(b"Jefe", b"what do ya want for nothing?"), expected);
        let expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(signature(&[0xaa; 131], message), expected);
    }

    #[test]
    fn only_the_whole_signature_is_one() {
        let good = signature(b"secret", b"message");
        assert!(is_signature(&good, b"secret", b"message"));
        assert!(!is_signature(&good, b"secret", b"another"));
        assert!(!is_signature(&good, b"other", b"message"));
        for wrong in ["", &good[1..], &good.to_uppercase(), &format!("{good}0")] {
            assert!(!is_signature(wrong, b"secret", b"message"), "{wrong}");
        }
    }
}
