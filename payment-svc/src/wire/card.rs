//! Cards on the wire: the processor's token and the last four digits. The number of a card never comes in, not by mistake
//! either, and what is refused for it is not repeated in the answer.

use service_kit::refusal::Fault;

use crate::payment::{Card, Method};

/// Characters of a token at most.
const TOKEN_LIMIT: usize = 255;
/// Digits of a card's number (ISO/IEC 7812).
const NUMBER: std::ops::RangeInclusive<usize> = 12..=19;

/// The card of a payment by card.
pub(super) fn card(method: Method, token: &str, last_four: &str) -> Result<Option<Card>, Fault> {
    match method {
        Method::Point | Method::BankTransfer => {
            for (field, text) in [("processor_token", token), ("card_last_four", last_four)] {
                if !text.is_empty() {
                    return Err(Fault::field(field, "must be empty for a payment that is not by CARD"));
                }
            }
            Ok(None)
        }
        Method::Card => {
            check_token(token)?;
            if ![0, 4].contains(&last_four.len()) || !last_four.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Fault::field("card_last_four", "must be four digits, or empty"));
            }
            Ok(Some(Card { token: token.to_owned(), last_four: last_four.to_owned() }))
        }
    }
}

fn check_token(token: &str) -> Result<(), Fault> {
    let problem = if token.is_empty() {
        "is required: the one-time token that the processor has given for the card"
    } else if token.len() > TOKEN_LIMIT || !token.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        "must be at most 255 printable ASCII characters"
    } else if holds_card_number(token) {
        "must be the processor's token, never the number of a card"
    } else {
        return Ok(());
    };
    Err(Fault::field("processor_token", problem))
}

/// Whether a text is the number of a card, however it is grouped, or has one within.
fn holds_card_number(text: &str) -> bool {
    let bare: String = text.chars().filter(|c| !" -./".contains(*c)).collect();
    let is_number = bare.bytes().all(|byte| byte.is_ascii_digit()) && NUMBER.contains(&bare.len());
    is_number || text.split(|c: char| !c.is_ascii_digit()).any(is_card_number)
}

/// Whether these digits are a card's number: so many, and with the right check digit (Luhn).
fn is_card_number(digits: &str) -> bool {
    if !NUMBER.contains(&digits.len()) {
        return false;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_recognised_however_it_is_written() {
        let numbers = [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "378282246310005",
            "tok_4242424242424242",
            "4242424242424241",
            "{4242424242424242}",
        ];
        for number in numbers {
            assert!(holds_card_number(number), "{number}");
        }
    }

    #[test]
    fn a_token_is_none() {
        let tokens = [
            "tok_visa",
            "tok_1N3T00LkdIwHu7ixt44h1F8k",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "12345678901",
            "tok_4242424242424241",
        ];
        for token in tokens {
            assert!(!holds_card_number(token), "{token}");
        }
    }

    #[test]
    fn a_refused_token_is_not_repeated() {
        let refused = card(Method::Card, "4242424242424242", "").unwrap_err();
        assert!(!format!("{refused:?}").contains("4242"));
    }
}
