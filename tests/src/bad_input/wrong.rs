//! Values that cannot be right, whatever the state of things.

use prost_types::field_descriptor_proto::Type;
use uuid::Uuid;

use super::message::{Place, Value};

/// Far longer than any text may be, and short enough for a message.
const LONG: usize = 20_000;

/// What a field holds, as far as its value in the sample tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of a resource.
    Name,
    Uuid,
    /// Where and how to list.
    Filter,
    Order,
    PageToken,
    Text,
    /// What the server has given out; another one is not malformed, it only does not count.
    Proof,
    Number,
    Choice,
    /// Every value is as good as another: flags, and what the server alone sets. Messages are spoilt in their fields.
    Any,
}

pub fn kind(place: &Place) -> Kind {
    let kind = place.field.r#type();
    // Within a time or a length of time 0 is not sent.
    let is_there = place.value.is_some() || place.within.starts_with("google.protobuf.");
    if kind == Type::String {
        kind_of_text(place)
    } else if !is_there || place.last_name() == "known_version" {
        // What the caller has seen is a hint.
        Kind::Any
    } else if [Type::Int32, Type::Int64, Type::Double].contains(&kind) {
        Kind::Number
    } else if kind == Type::Enum {
        Kind::Choice
    } else {
        Kind::Any
    }
}

fn kind_of_text(place: &Place) -> Kind {
    let is_of_request = place.path.len() == 1;
    match (place.last_name(), &place.value) {
        ("filter", _) => Kind::Filter,
        ("order_by", _) => Kind::Order,
        ("page_token", _) => Kind::PageToken,
        ("etag" | "admission_pass", Some(_)) => Kind::Proof,
        // Nobody looks at a pass where there is no waiting room.
        ("admission_pass", None) => Kind::Any,
        (_, Some(value)) if value.as_text().contains('/') => Kind::Name,
        (_, Some(value)) if Uuid::try_parse(value.as_text()).is_ok() => Kind::Uuid,
        (_, value) if value.is_some() || is_of_request => Kind::Text,
        _ => Kind::Any,
    }
}

/// The wrong values of a field.
pub fn values(place: &Place) -> Vec<Value> {
    let text = || place.value.as_ref().unwrap().as_text();
    match kind(place) {
        Kind::Name => names(text()).into_iter().map(Value::text).collect(),
        Kind::Uuid => uuids(text()).into_iter().map(Value::text).collect(),
        Kind::Filter => filters().into_iter().map(Value::text).collect(),
        Kind::Order => {
            ["nonsense", "create_time; drop table orchestrator_saga", "create_time sideways"].map(Value::text).into()
        }
        Kind::PageToken => vec![
            Value::text("nonsense!"),
            Value::text("../../etc/passwd"),
            Value::text("\u{1f980}"),
            Value::text("x".repeat(LONG)),
        ],
        Kind::Text | Kind::Proof => vec![Value::text("x".repeat(LONG)), Value::text("\u{1f980}".repeat(LONG / 4))],
        Kind::Number => numbers(place),
        Kind::Choice => vec![Value::int(99), Value::int(-1)],
        Kind::Any => Vec::new(),
    }
}

fn names(name: &str) -> Vec<String> {
    let (collection, rest) = name.split_once('/').unwrap();
    let mut names = vec![
        format!("{collection}/"),
        format!("{collection}/1"),
        format!("{collection}/../{rest}"),
        format!("{collection}/{rest}/"),
        format!("{collection}//{rest}"),
        format!("/{name}"),
        format!(" {name}"),
        format!("../{name}"),
        format!("{name}/x/y"),
        format!("{name}?x=1"),
        format!("{name}\0"),
        format!("{name}{name}"),
        format!("{name}/{}", "x".repeat(LONG)),
        format!("gizmos/{rest}"),
        name.replacen('/', "%2F", 1),
        rest.to_owned(),
        "x".repeat(LONG),
    ];
    names.extend(spellings().iter().map(|spell| with_ids(name, spell)));
    names
}

fn uuids(uuid: &str) -> Vec<String> {
    let mut uuids: Vec<_> = spellings().iter().map(|spell| spell(uuid)).collect();
    uuids.extend([uuid[1..].to_owned(), format!("{uuid}0"), format!("customers/{uuid}")]);
    uuids.extend(["nonsense".to_owned(), "../../etc/passwd".to_owned(), "0".repeat(36), "x".repeat(LONG)]);
    uuids
}

/// Other spellings of a UUID: equal ids must be equal texts.
fn spellings() -> [fn(&str) -> String; 4] {
    [
        |uuid| uuid.to_uppercase(),
        |uuid| format!("{{{uuid}}}"),
        |uuid| format!("urn:uuid:{uuid}"),
        |uuid| uuid.replace('-', ""),
    ]
}

fn with_ids(name: &str, spell: &fn(&str) -> String) -> String {
    let segments = name
        .split('/')
        .map(|segment| if Uuid::try_parse(segment).is_ok() { spell(segment) } else { segment.to_owned() });
    segments.collect::<Vec<_>>().join("/")
}

/// The last UUID in a name.
pub fn last_id(name: &str) -> &str {
    name.split('/').rfind(|segment| Uuid::try_parse(segment).is_ok()).expect("a name has an id")
}

fn filters() -> Vec<String> {
    let nonsense = [
        "nonsense",
        "= 1",
        "nonsense = 1",
        "state = NONSENSE",
        "state =",
        "state = \"",
        "state = HELD OR state = ACTIVE",
        "state = ACTIVE AND",
        "AND AND AND",
        "state > ACTIVE",
        "1 = 1; drop table orchestrator_saga --",
        "\u{1f980} = \u{1f980}",
        "customer = customers/1",
        "saga = sagas/1",
    ];
    let mut filters = nonsense.map(str::to_owned).to_vec();
    filters.extend(["(".repeat(LONG), "state = ACTIVE AND ".repeat(LONG / 20), "x".repeat(LONG)]);
    filters
}

fn numbers(place: &Place) -> Vec<Value> {
    if place.field.r#type() == Type::Double {
        let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300, f64::MIN_POSITIVE];
        return numbers.map(|number| Value::Fixed(number.to_bits())).into();
    }
    let is_short = place.field.r#type() == Type::Int32;
    let (least, most) = if is_short { (i64::from(i32::MIN), i64::from(i32::MAX)) } else { (i64::MIN, i64::MAX) };
    let has_no_most =
        ["page_size", "max_waiting"].contains(&place.last_name()) || place.name.starts_with("max_staleness");
    let small = match (place.within.as_str(), place.last_name()) {
        // An operator takes points with a negative amount.
        (_, "amount") => 0,
        // There was a time before 1970, and less than a millisecond is nothing.
        ("google.protobuf.Timestamp", "seconds") | (_, "nanos") => least,
        _ => -1,
    };
    let numbers = [least, small, most];
    numbers[..if has_no_most { 2 } else { 3 }].iter().map(|number| Value::int(*number)).collect()
}
