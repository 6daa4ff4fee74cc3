//! Page tokens: a place in a list, as numbers in a form that nobody takes for anything else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use service_kit::refusal::Fault;

/// The token that stands for these numbers.
pub(super) fn write(numbers: &[u128]) -> String {
    let texts: Vec<_> = numbers.iter().map(u128::to_string).collect();
    URL_SAFE_NO_PAD.encode(texts.join(","))
}

/// The numbers of a token that [`write`] made of as many.
pub(super) fn read<const N: usize>(token: &str) -> Result<[u128; N], Fault> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let numbers: Option<Vec<u128>> = text.and_then(|text| text.split(',').map(|part| part.parse().ok()).collect());
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| Fault::field("page_token", "is none that a page of this list came with"))
}

/// A number that was an `i64`.
pub(super) fn signed(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub(super) fn unsigned(number: i64) -> u128 {
    u128::try_from(number).unwrap_or_default()
}
