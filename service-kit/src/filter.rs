//! The part of AIP-160 that lists understand: `field = value AND field = value`. A value is a word or a quoted text. Where
//! a list says so, one of its fields takes `>=` and `<` instead.

use crate::refusal::Fault;

/// Longest filter that is looked at, in bytes.
const LONGEST: usize = 1_024;

/// The value that a filter asks for of each of `fields`, if it does.
///
/// # Errors
/// A violation of `filter`: what is wrong, and where.
pub fn values<'a, const N: usize>(filter: &'a str, fields: [&str; N]) -> Result<[Option<&'a str>; N], Fault> {
    let mut values = [None; N];
    for (field, value) in conditions(filter, &fields)? {
        if let Some(place) = fields.iter().position(|known| *known == field) {
            values[place] = Some(value);
        }
    }
    Ok(values)
}

/// From a value on, and up to just before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range<'a> {
    /// Asked for by `>=`.
    pub from: Option<&'a str>,
    /// Asked for by `<`.
    pub below: Option<&'a str>,
}

/// As [`values`], and the range that is asked for of `ordered`.
///
/// # Errors
/// As [`values`].
pub fn values_within<'a, const N: usize>(
    filter: &'a str,
    fields: [&str; N],
    ordered: &str,
) -> Result<([Option<&'a str>; N], Range<'a>), Fault> {
    let wrong = |problem: String| Fault::field("filter", problem);
    check(filter)?;
    let (mut values, mut range) = ([None; N], Range::default());
    for Term { field, comparison, value } in terms(filter, Some(ordered)).map_err(wrong)? {
        let known = fields.iter().position(|known| *known == field);
        let place = match (comparison, known) {
            (Comparison::AtLeast, _) => &mut range.from,
            (Comparison::Below, _) => &mut range.below,
            (Comparison::Equal, Some(place)) => &mut values[place],
            (Comparison::Equal, None) => {
                let known = fields.join(", ");
                return Err(wrong(format!("asks for a value of {field}, which is none of {known}")));
            }
        };
        if place.replace(value).is_some() {
            return Err(wrong(format!("names {field} twice")));
        }
    }
    Ok((values, range))
}

fn check(filter: &str) -> Result<(), Fault> {
    let wrong = |problem: String| Err(Fault::field("filter", problem));
    if filter.len() > LONGEST {
        return wrong(format!("has {} bytes; at most {LONGEST} are read", filter.len()));
    }
    if filter.contains('\0') {
        return wrong("contains the character NUL, which no value has".into());
    }
    Ok(())
}

/// The conditions of a filter, each over another one of `fields`.
///
/// # Errors
/// As [`values`].
pub fn conditions<'a>(filter: &'a str, fields: &[&str]) -> Result<Vec<(&'a str, &'a str)>, Fault> {
    let wrong = |problem: String| Fault::field("filter", problem);
    let mut conditions: Vec<(&str, &str)> = Vec::new();
    check(filter)?;
    for Term { field, value, .. } in terms(filter, None).map_err(wrong)? {
        if !fields.contains(&field) {
            return Err(wrong(format!("names {field}, which is none of {}", fields.join(", "))));
        }
        if conditions.iter().any(|(earlier, _)| *earlier == field) {
            return Err(wrong(format!("names {field} twice")));
        }
        conditions.push((field, value));
    }
    Ok(conditions)
}

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Term<'a> {
    field: &'a str,
    comparison: Comparison,
    value: &'a str,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    AtLeast,
    Below,
}

/// The comparisons of a filter, which must all hold; none in an empty one.
///
/// # Errors
/// What is wrong, and where.
fn terms<'a>(filter: &'a str, ordered: Option<&str>) -> Result<Vec<Term<'a>>, String> {
    let mut rest = Rest { filter, text: filter.trim_start() };
    let mut terms = Vec::new();
    while !rest.text.is_empty() {
        if !terms.is_empty() && !rest.skip_and() {
            return Err(rest.expected("AND; it is the only operator between comparisons"));
        }
        let field = rest.word();
        if field.is_empty() {
            return Err(rest.expected("the name of a field"));
        }
        let comparison = rest.comparison(ordered == Some(field))?;
        terms.push(Term { field, comparison, value: rest.value()? });
    }
    Ok(terms)
}

/// What is still to be read, without leading blanks.
struct Rest<'a> {
    filter: &'a str,
    text: &'a str,
}

impl<'a> Rest<'a> {
    fn word(&mut self) -> &'a str {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        self.take(self.text.find(|c| !is_part(c)).unwrap_or(self.text.len()))
    }

    fn comparison(&mut self, is_ordered: bool) -> Result<Comparison, String> {
        let (known, expected): (&[_], _) = match is_ordered {
            true => (&[(">=", Comparison::AtLeast), ("<", Comparison::Below)], ">= or <"),
            false => (&[("=", Comparison::Equal)], "=, the only comparison"),
        };
        let found = known.iter().find(|(sign, _)| self.text.starts_with(sign));
        let (sign, comparison) = found.ok_or_else(|| self.expected(expected))?;
        self.take(sign.len());
        Ok(*comparison)
    }

    fn value(&mut self) -> Result<&'a str, String> {
        let Some(quote) = self.text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let word = self.word();
            return if word.is_empty() { Err(self.expected("a value")) } else { Ok(word) };
        };
        let inside = &self.text[1..];
        let Some(end) = inside.find(quote) else {
            return Err(self.expected("a text that ends with the quote that it begins with"));
        };
        self.take(end + 2);
        Ok(&inside[..end])
    }

    fn skip_and(&mut self) -> bool {
        let before = self.text;
        let found = self.word() == "AND";
        if !found {
            self.text = before;
        }
        found
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.text.split_at(bytes);
        self.text = rest.trim_start();
        taken
    }

    fn expected(&self, what: &str) -> String {
        let before = &self.filter[..self.filter.len() - self.text.len()];
        format!("at character {}: expected {what}", before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(filter: &str) -> Result<Vec<(&str, &str)>, String> {
        Ok(terms(filter, None)?.into_iter().map(|term| (term.field, term.value)).collect())
    }

    #[test]
    fn comparisons_are_words_or_quoted_texts_joined_by_and() {
        assert_eq!(read(" "), Ok(vec![]));
        assert_eq!(read("state=FAILED"), Ok(vec![("state", "FAILED")]));
        assert_eq!(
            read(r#" customer = "customers/1 é" AND kind='a "b"'  AND state = X "#),
            Ok(vec![("customer", "customers/1 é"), ("kind", "a \"b\""), ("state", "X")])
        );
    }

    #[test]
    fn every_field_has_the_value_that_is_asked_for() {
        let read = |text| values(text, ["kind", "saga"]).ok();
        assert_eq!(read(""), Some([None, None]));
        assert_eq!(read("saga = \"sagas/1\""), Some([None, Some("sagas/1")]));
        assert_eq!(read("kind=USE AND saga = x"), Some([Some("USE"), Some("x")]));
    }

    #[test]
    fn a_field_that_is_unknown_or_named_twice_and_a_value_that_cannot_be_are_refused() {
        let long = format!("kind = {}", "x".repeat(LONGEST));
        for text in ["colour = red", "kind = A AND kind = B", "kind = 'A\0'", long.as_str()] {
            assert!(values(text, ["kind"]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_field_with_an_order_takes_a_range() {
        let read = |text| values_within(text, ["state"], "time").ok();
        let range = |from, below| Range { from, below };
        assert_eq!(read("state = A"), Some(([Some("A")], Range::default())));
        assert_eq!(read("time >= 1 AND state=A AND time<'2:3'"), Some(([Some("A")], range(Some("1"), Some("2:3")))));
        for text in
            ["time = 1", "time > 1", "time <= 1", "time < 1 AND time < 2", "state >= A", "kind = A", "time < 'x\0'"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (filter, place, expected) in [
            ("=", 1, "the name"),
            ("state", 6, "="),
            ("state > 1", 7, "="),
            ("state = ", 9, "a value"),
            ("state = A OR state = B", 11, "AND"),
            ("state = A state = B", 11, "AND"),
            ("é = \"a", 5, "a text that ends"),
            ("state = A AND", 14, "the name"),
            ("NOT state = A", 5, "="),
            ("(state = A)", 1, "the name"),
        ] {
            let problem = terms(filter, None).unwrap_err();
            let wanted = format!("at character {place}: expected {expected}");
            assert!(problem.starts_with(&wanted), "{filter}: {problem}");
        }
    }
}
