//! Encoded messages, taken apart and put together again field by field, so that a request can be spoilt in ways that the
//! generated types do not know.

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::Type;

use super::contract::Contract;

/// The value of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Varint(u64),
    Fixed(u64),
    Bytes(Vec<u8>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bytes(text.into().into_bytes())
    }

    pub fn int(number: i64) -> Self {
        Self::Varint(number.cast_unsigned())
    }

    pub fn as_text(&self) -> &str {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).unwrap(),
            Self::Varint(_) | Self::Fixed(_) => panic!("{self:?} is no text"),
        }
    }
}

/// A field of a request: where it is, what it is, and what it holds in a valid one.
#[derive(Debug, Clone)]
pub struct Place {
    /// Numbers of the fields that lead to it.
    pub path: Vec<u32>,
    /// Their names, as a violation would give them: `checkout.customer`.
    pub name: String,
    /// Full name of the message that it is a field of.
    pub within: String,
    pub field: FieldDescriptorProto,
    /// The first one, if it is repeated.
    pub value: Option<Value>,
}

impl Place {
    pub fn last_name(&self) -> &str {
        self.field.name()
    }
}

/// All fields of a message of type `message`, and of those within it that are there.
pub fn places(contract: &Contract, message: &str, bytes: &[u8]) -> Vec<Place> {
    let mut all = Vec::new();
    let mut left = vec![(Vec::new(), String::new(), message.trim_start_matches('.').to_owned(), bytes.to_vec())];
    while let Some((path, prefix, within, bytes)) = left.pop() {
        let values = read(&bytes);
        for field in contract.fields(&within) {
            let number = field.number().cast_unsigned();
            let value = values.iter().find(|(other, _)| *other == number).map(|(_, value)| value.clone());
            let path = [&path[..], &[number]].concat();
            let name = format!("{prefix}{}", field.name());
            if let (Type::Message, Some(Value::Bytes(inner))) = (field.r#type(), &value) {
                left.push((path.clone(), format!("{name}."), field.type_name()[1..].to_owned(), inner.clone()));
            }
            all.push(Place { path, name, within: within.clone(), field: field.clone(), value });
        }
    }
    all
}

/// The message with another value in a place, or without any.
pub fn with(bytes: &[u8], path: &[u32], value: Option<&Value>) -> Vec<u8> {
    let (number, below) = path.split_first().expect("a path leads somewhere");
    let mut fields = read(bytes);
    let at = fields.iter().position(|(other, _)| other == number);
    if below.is_empty() {
        fields.retain({
            let mut first = true;
            // Of a repeated field only the first one is replaced; all of them are removed.
            move |(other, _)| other != number || (value.is_some() && !std::mem::take(&mut first))
        });
        if let Some(value) = value {
            fields.insert(at.unwrap_or(fields.len()), (*number, value.clone()));
        }
    } else {
        let at = at.expect("what is within a message is there only with it");
        let Value::Bytes(inner) = &fields[at].1 else { panic!("{:?} is no message", fields[at]) };
        fields[at].1 = Value::Bytes(with(inner, below, value));
    }
    write(&fields)
}

fn read(mut bytes: &[u8]) -> Vec<(u32, Value)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (number, kind) = decode_key(&mut bytes).unwrap();
        let value = match kind {
            WireType::Varint => Value::Varint(decode_varint(&mut bytes).unwrap()),
            WireType::SixtyFourBit => Value::Fixed(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut bytes).unwrap();
                Value::Bytes(take(&mut bytes, usize::try_from(length).unwrap()).to_vec())
            }
            WireType::StartGroup | WireType::EndGroup | WireType::ThirtyTwoBit => panic!("no contract has a {kind:?}"),
        };
        fields.push((number, value));
    }
    fields
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn write(fields: &[(u32, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in fields {
        match value {
            Value::Varint(value) => {
                encode_key(*number, WireType::Varint, &mut bytes);
                encode_varint(*value, &mut bytes);
            }
            Value::Fixed(value) => {
                encode_key(*number, WireType::SixtyFourBit, &mut bytes);
                bytes.extend(value.to_le_bytes());
            }
            Value::Bytes(value) => {
                encode_key(*number, WireType::LengthDelimited, &mut bytes);
                encode_varint(value.len() as u64, &mut bytes);
                bytes.extend(value);
            }
        }
    }
    bytes
}
