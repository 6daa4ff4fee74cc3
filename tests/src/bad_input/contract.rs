//! What the contracts say: all methods, what their requests are made of, and which fields are required.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prost::Message as _;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// One method.
#[derive(Debug, Clone)]
pub struct Method {
    /// `ticketing.concert.v1`.
    pub package: String,
    /// `/ticketing.concert.v1.ConcertService/GetConcert`.
    pub path: String,
    /// `GetConcert`.
    pub name: String,
    /// Full name of the request's type.
    pub request: String,
}

/// All of it.
pub struct Contract {
    pub methods: Vec<Method>,
    messages: BTreeMap<String, DescriptorProto>,
    required: BTreeSet<String>,
}

impl Contract {
    pub fn read() -> Self {
        let set = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut contract = Self { methods: Vec::new(), messages: BTreeMap::new(), required: required_fields() };
        for file in &set.file {
            for message in &file.message_type {
                contract.add(file.package(), message);
            }
            for service in &file.service {
                contract.methods.extend(service.method.iter().map(|method| Method {
                    package: file.package().into(),
                    path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                    name: method.name().into(),
                    request: method.input_type().trim_start_matches('.').into(),
                }));
            }
        }
        contract
    }

    fn add(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            self.add(&name, nested);
        }
        self.messages.insert(name, message.clone());
    }

    pub fn fields(&self, message: &str) -> &[FieldDescriptorProto] {
        &self.messages[message.trim_start_matches('.')].field
    }

    /// Whether the contract demands a field of a message.
    pub fn requires(&self, message: &str, field: &str) -> bool {
        self.required.contains(&format!("{}.{field}", message.trim_start_matches('.')))
    }
}

/// `ticketing.concert.v1.Concert.title` and so on. The compiled contracts have lost these marks, so they are read from the
/// sources, whose layout `buf format` keeps: one field a line.
fn required_fields() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/ticketing");
    let mut required = BTreeSet::new();
    for package in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(package.unwrap().path().join("v1")).unwrap() {
            let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let marked =
                source.lines().filter(|line| line.ends_with("(google.api.field_behavior) = REQUIRED];")).count();
            let found = required_fields_of(&source);
            assert_eq!(found.len(), marked, "every mark is understood");
            required.extend(found);
        }
    }
    required
}

fn required_fields_of(source: &str) -> Vec<String> {
    let mut scopes: Vec<&str> = Vec::new();
    let mut package = "";
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("package ") {
            package = name.trim_end_matches(';');
        } else if line.ends_with('{') {
            scopes.push(line.strip_prefix("message ").unwrap_or_default().trim_end_matches(" {"));
        } else if matches!(line, "}" | "};") {
            scopes.pop();
        } else if line.ends_with("= REQUIRED];") {
            let field = line.split(" = ").next().and_then(|start| start.split(' ').next_back()).unwrap();
            found.push(format!("{package}.{}.{field}", scopes.join(".")));
        }
    }
    found
}
