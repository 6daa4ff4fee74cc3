//! Admission passes: what a waiting room hands to a customer whose turn has come and a sale demands at the door. A pass
//! is a JWS (RFC 7515, EdDSA) that names its key; whoever has the public keys checks it without asking anybody.
//!
//! Who gets a pass is the waiting room's affair; what a pass opens is the sale's.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// Longest pass that is looked at: a genuine one has half of that.
const MAX_LENGTH: usize = 1024;

/// The 32 bytes of a public key, as base64 without padding.
const PUBLIC_LENGTH: usize = 43;

/// What stands before the 32 secret bytes of an Ed25519 key in PKCS #8.
const PKCS8_HEADER: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What a pass says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// "waitingRooms/{uuid}" that it was issued by.
    pub room: String,
    /// "customers/{uuid}" that it admits.
    #[serde(rename = "sub")]
    pub customer: String,
    /// "waitingRooms/{uuid}/queueTokens/{uuid}" that it belongs to.
    #[serde(rename = "jti")]
    pub queue_token: String,
    /// Seconds since the Unix epoch from which on it admits nobody.
    #[serde(rename = "exp")]
    pub expire_time_s: i64,
}

/// Why a pass does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is not a pass at all.
    #[error("the pass cannot be read")]
    Malformed,
    /// There is nothing to check it with: no key has been published yet.
    #[error("the keys of the waiting room are not known yet")]
    NoKeys,
    /// It names a key that is not trusted, or none.
    #[error("the pass is signed with an unknown key")]
    UnknownKey,
    /// Somebody else signed it, or changed it afterwards.
    #[error("the signature of the pass is wrong")]
    BadSignature,
    /// Its time is over.
    #[error("the pass has expired")]
    Expired,
}

/// The half of a key that signs. Its `Debug` shows the name alone.
#[derive(Clone)]
pub struct SigningKey {
    header: Header,
    secret: EncodingKey,
    public: Jwk,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.header.kid).finish()
    }
}

impl SigningKey {
    /// The key of that name with that secret; [`ids::secret`](crate::ids::secret) makes a new secret.
    pub fn seeded(kid: &str, secret: &[u8; 32]) -> Self {
        let secret = EncodingKey::from_ed_der(&[&PKCS8_HEADER[..], secret].concat());
        let mut public =
            Jwk::from_encoding_key(&secret, Algorithm::EdDSA).expect("any 32 bytes are the secret of an Ed25519 key");
        public.common.key_id = Some(kid.to_owned());
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid.to_owned());
        Self { header, secret, public }
    }

    /// The pass that says so.
    pub fn sign(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&self.header, claims, &self.secret)
            .expect("texts and numbers are JSON, and Ed25519 signs any message")
    }
}

/// The public halves of the trusted keys, shared between those who check passes and the one who issues them.
#[derive(Debug, Clone, Default)]
pub struct VerifyingKeys(Arc<RwLock<Vec<Jwk>>>);

impl VerifyingKeys {
    /// Accepts what `key` signs from now on, instead of what an earlier key of that name signed.
    pub fn trust(&self, key: &SigningKey) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|other| other.common.key_id != key.header.kid);
        keys.push(key.public.clone());
    }

    /// Accepts what the keys of that JSON Web Key Set sign from now on, and nothing else. Keys of other kinds are left out.
    ///
    /// # Errors
    /// When it cannot be read; then nothing changes.
    pub fn replace(&self, jwks: &str) -> Result<(), serde_json::Error> {
        let JwkSet { mut keys } = serde_json::from_str(jwks)?;
        keys.retain(is_usable);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Whether there are any.
    pub fn are_there(&self) -> bool {
        !self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// A JSON Web Key Set (RFC 7517) of all trusted keys.
    pub fn jwks(&self) -> String {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        serde_json::to_string(&JwkSet { keys }).expect("keys are texts, and texts are JSON")
    }

    /// What a genuine pass says, at that time.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify(&self, pass: &str, now_ms: i64) -> Result<Claims, Rejected> {
        if pass.len() > MAX_LENGTH {
            return Err(Rejected::Malformed);
        }
        let header = jsonwebtoken::decode_header(pass).map_err(|_| Rejected::Malformed)?;
        let key = self.key(header.kid.as_deref())?;
        // Times are judged below, by the caller's clock.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        let claims =
            jsonwebtoken::decode::<Claims>(pass, &key, &validation).map_err(|_| Rejected::BadSignature)?.claims;
        if claims.expire_time_s.saturating_mul(1000) <= now_ms {
            return Err(Rejected::Expired);
        }
        Ok(claims)
    }

    fn key(&self, kid: Option<&str>) -> Result<DecodingKey, Rejected> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if keys.is_empty() {
            return Err(Rejected::NoKeys);
        }
        let key = kid.and_then(|kid| keys.iter().find(|key| key.common.key_id.as_deref() == Some(kid)));
        key.and_then(|key| DecodingKey::from_jwk(key).ok()).ok_or(Rejected::UnknownKey)
    }
}

/// Whether it is an Ed25519 key of the right length; the library would panic over a shorter one.
fn is_usable(key: &Jwk) -> bool {
    matches!(&key.algorithm, AlgorithmParameters::OctetKeyPair(pair)
        if pair.curve == EllipticCurve::Ed25519 && pair.x.len() == PUBLIC_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn claims() -> Claims {
        Claims {
            room: "waitingRooms/1".into(),
            customer: "customers/2".into(),
            queue_token: "waitingRooms/1/queueTokens/3".into(),
            expire_time_s: NOW_MS / 1000 + 1,
        }
    }

    fn trusted(key: &SigningKey) -> VerifyingKeys {
        let keys = VerifyingKeys::default();
        keys.trust(key);
        keys
    }

    #[test]
    fn a_genuine_pass_says_what_was_signed_until_the_moment_it_expires() {
        let key = SigningKey::seeded("a", &[1; 32]);
        let pass = key.sign(&claims());
        let keys = trusted(&key);
        assert_eq!(keys.verify(&pass, NOW_MS), Ok(claims()));
        assert_eq!(keys.verify(&pass, NOW_MS + 999), Ok(claims()));
        assert_eq!(keys.verify(&pass, NOW_MS + 1000), Err(Rejected::Expired));
        assert!(pass.len() < MAX_LENGTH / 2);
    }

    #[test]
    fn a_pass_of_another_key_does_not_count() {
        let keys = trusted(&SigningKey::seeded("a", &[1; 32]));
        let stranger = SigningKey::seeded("b", &[2; 32]).sign(&claims());
        assert_eq!(keys.verify(&stranger, NOW_MS), Err(Rejected::UnknownKey));
        let impostor = SigningKey::seeded("a", &[2; 32]).sign(&claims());
        assert_eq!(keys.verify(&impostor, NOW_MS), Err(Rejected::BadSignature));
    }

    #[test]
    fn a_pass_with_one_changed_character_does_not_count() {
        let key = SigningKey::seeded("a", &[1; 32]);
        let (keys, pass) = (trusted(&key), key.sign(&claims()));
        for at in 0..pass.len() {
            let other = if &pass[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &pass[..at], &pass[at + 1..]);
            assert!(keys.verify(&changed, NOW_MS).is_err(), "at {at}");
        }
    }

    #[test]
    fn a_pass_that_asks_not_to_be_checked_does_not_count() {
        let keys = trusted(&SigningKey::seeded("a", &[1; 32]));
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("a".into());
        let weak = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(b"x"));
        assert_eq!(keys.verify(&weak.unwrap(), NOW_MS), Err(Rejected::BadSignature));
        for text in ["", "a.b.c", "..", &"a".repeat(5000)] {
            assert_eq!(keys.verify(text, NOW_MS), Err(Rejected::Malformed));
        }
    }

    #[test]
    fn a_published_key_that_is_none_of_ours_is_left_out() {
        let key = SigningKey::seeded("a", &[1; 32]);
        let pass = key.sign(&claims());
        let published = trusted(&key).jwks();
        let x = key.public.clone();
        let AlgorithmParameters::OctetKeyPair(x) = x.algorithm else { panic!("{x:?}") };
        for wrong in ["", "AA", &x.x[..42], &format!("{}A", x.x)] {
            let keys = VerifyingKeys::default();
            keys.replace(&published.replace(&x.x, wrong)).unwrap();
            assert_eq!(keys.verify(&pass, NOW_MS), Err(Rejected::NoKeys), "{wrong}");
        }
        let keys = trusted(&key);
        keys.replace(r#"{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}"#).unwrap();
        assert_eq!(keys.verify(&pass, NOW_MS), Err(Rejected::NoKeys));
    }

    #[test]
    fn a_key_that_is_renewed_under_its_name_replaces_the_old_one() {
        let (old, new) = (SigningKey::seeded("a", &[1; 32]), SigningKey::seeded("a", &[2; 32]));
        let keys = trusted(&old);
        keys.trust(&new);
        assert!(keys.verify(&new.sign(&claims()), NOW_MS).is_ok());
        assert!(keys.verify(&old.sign(&claims()), NOW_MS).is_err());
    }

    #[test]
    fn whoever_reads_the_published_keys_judges_as_their_owner() {
        let (old, new) = (SigningKey::seeded("a", &[1; 32]), SigningKey::seeded("b", &[2; 32]));
        let elsewhere = VerifyingKeys::default();
        assert_eq!(elsewhere.verify(&old.sign(&claims()), NOW_MS), Err(Rejected::NoKeys));
        elsewhere.replace(&trusted(&old).jwks()).unwrap();
        assert_eq!(elsewhere.verify(&old.sign(&claims()), NOW_MS), Ok(claims()));
        assert!(elsewhere.replace("{}").is_err() && elsewhere.are_there());
        elsewhere.replace(&trusted(&new).jwks()).unwrap();
        assert_eq!(elsewhere.verify(&new.sign(&claims()), NOW_MS), Ok(claims()));
        assert_eq!(elsewhere.verify(&old.sign(&claims()), NOW_MS), Err(Rejected::UnknownKey));
    }

    #[test]
    fn the_published_keys_hold_no_secret() {
        let keys = trusted(&SigningKey::seeded("a", &[1; 32]));
        let jwks: serde_json::Value = serde_json::from_str(&keys.jwks()).unwrap();
        let key = jwks["keys"][0].as_object().unwrap();
        let members: Vec<_> = key.keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "x"]);
    }
}
