//! Cards, as customers name them: the processor's token and the last four digits. The number of a card never comes in, not
//! by mistake either: it would be kept. What is refused for it is not repeated in the answer.

use proto::orchestrator::v1::Card;
use service_kit::refusal::Fault;

/// The longest token of a processor.
const LONGEST: usize = 255;
/// Digits of a card's number (ISO/IEC 7812).
const NUMBER: std::ops::RangeInclusive<usize> = 12..=19;

pub(super) fn check(card: &Card) -> Result<(), Fault> {
    token(&card.processor_token)?;
    let digits = &card.last_four;
    if digits.is_empty() || digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Fault::field("card.last_four", "must be the last four digits of the card, or empty"))
}

fn token(token: &str) -> Result<(), Fault> {
    let problem = if token.is_empty() {
        "is required: the one-time token by which the processor knows the card"
    } else if holds_number(token) {
        "looks like the number of a card, which must not be sent; send the token for it"
    } else if token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        "must be of 1 to 255 letters, digits and signs"
    } else {
        return Ok(());
    };
    Err(Fault::field("card.processor_token", problem))
}

/// Whether a text is the number of a card, however its digits are grouped, or has one within.
fn holds_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_bare = text.chars().all(|sign| sign.is_ascii_digit() || !sign.is_alphanumeric());
    is_bare && NUMBER.contains(&digits) || text.split(|sign: char| !sign.is_ascii_digit()).any(is_number)
}

/// Whether these digits are a card's number: so many, and with the right check digit (Luhn).
fn is_number(digits: &str) -> bool {
    let value = |(place, digit): (usize, u8)| {
        let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
        value / 10 + value % 10
    };
    NUMBER.contains(&digits.len()) && digits.bytes().rev().enumerate().map(value).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_a_card_passes_for_a_token() {
        let numbers = [
            "4242424242424242",
            "4242424242424241",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "123456789012",
            "3782.822463.10005",
            "tok_4242424242424242",
            "{4242424242424242}",
        ];
        for number in numbers {
            let Err(Fault::Invalid { problem, .. }) = token(number) else { panic!("{number} was taken") };
            assert!(problem.contains("number of a card") && !problem.contains("42"), "what was sent is not repeated");
        }
        for good in ["tok_visa", "12345678901", "12345678901234567890", "tok_4242424242424241", "a-1"] {
            assert!(token(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "tok visa", "tok\0", "tök", "x".repeat(256).as_str()] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_card_is_shown_by_four_digits_or_not_at_all() {
        let card = |last_four: &str| Card { processor_token: "tok_visa".into(), last_four: last_four.into() };
        assert!(["", "4242", "0000"].iter().all(|digits| check(&card(digits)).is_ok()));
        assert!(
            ["424", "42424", "424a", "４２４２", "4242424242424242"].iter().all(|digits| check(&card(digits)).is_err())
        );
    }
}
