//! Admission passes and the keys that they are checked with.

use std::sync::LazyLock;

use service_kit::pass::{Claims, SigningKey, VerifyingKeys};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::seeded("rooms", &[7; 32]));
static GENUINE: LazyLock<String> = LazyLock::new(|| KEY.sign(&claims()));
static KEYS: LazyLock<VerifyingKeys> = LazyLock::new(|| {
    let keys = VerifyingKeys::default();
    keys.trust(&KEY);
    keys
});

fn claims() -> Claims {
    Claims {
        room: "waitingRooms/1".into(),
        customer: "customers/1".into(),
        queue_token: "waitingRooms/1/queueTokens/1".into(),
        expire_time_s: 2_000_000_000,
    }
}

/// The genuine one with the changes that the bytes say, in threes, or the bytes themselves. Nobody gets in with what the
/// genuine one does not say.
pub(super) fn run(data: &[u8]) {
    let pass = match data.split_first() {
        Some((0, changes)) => {
            let mut pass = GENUINE.clone().into_bytes();
            for change in changes.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % pass.len();
                pass[at] = change[2];
            }
            pass
        }
        _ => data.to_vec(),
    };
    let Ok(pass) = std::str::from_utf8(&pass) else { return };
    for now_ms in [1_800_000_000_000, i64::MAX, i64::MIN] {
        if let Ok(admitted) = KEYS.verify(pass, now_ms) {
            assert_eq!(admitted, claims(), "a pass that nobody signed admits somebody: {pass}");
            assert!(now_ms < 2_000_000_000_000, "a pass admits after its time");
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let header = GENUINE.split('.').next().unwrap();
    vec![
        vec![0],
        vec![0, 10, 0, b'A'],
        GENUINE.as_bytes().to_vec(),
        format!("{header}..").into_bytes(),
        b"eyJhbGciOiJub25lIn0.e30.".to_vec(),
    ]
}

/// Any text as a key set. With what it brings, the genuine pass may or may not count, and says what it says.
pub(super) fn keys(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let keys = VerifyingKeys::default();
    if keys.replace(text).is_ok() {
        if let Ok(admitted) = keys.verify(&GENUINE, 0) {
            assert_eq!(admitted, claims());
        }
        keys.replace(&keys.jwks()).unwrap();
    }
}

pub(super) fn key_seeds() -> Vec<Vec<u8>> {
    vec![
        KEYS.jwks().into_bytes(),
        br#"{"keys":[]}"#.to_vec(),
        br#"{"keys":[{"kty":"oct","k":"AA","kid":"rooms"}]}"#.to_vec(),
    ]
}
