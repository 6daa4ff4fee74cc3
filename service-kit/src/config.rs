//! The settings of a process, in layers: defaults, then a TOML file, then the environment, then flags; each overrides
//! the ones before. The type that they are read into belongs to the caller; it must refuse unknown fields.
//!
//! An environment variable names a key by its path: `SKALD_ORCHESTRATOR__CALL_TIMEOUT_MS` is
//! `orchestrator.call_timeout_ms`. Text that TOML can read as a value is taken as one, all other text as it stands.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserializer, Serialize};
use toml::{Table, Value};

/// What a process exits with when its settings are wrong (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

const PREFIX: &str = "SKALD_";
const SECTION: &str = "__";

/// The settings are wrong; the text says which one, where it stands and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    /// A value that its type accepts and its meaning does not.
    pub fn value(key: &str, value: &str, problem: &str) -> Self {
        Self(format!("{key} = {value}: {problem}"))
    }
}

/// One value that somebody set.
struct Setting {
    path: Vec<String>,
    value: Value,
    source: String,
}

/// Reads the settings: `file` if there is one, the variables of `env`, and `overrides` of the form `key.path=value`.
///
/// # Errors
/// The first setting that the type does not accept, or a file that cannot be read.
pub fn load<T: DeserializeOwned + Serialize + Default>(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    overrides: &[String],
) -> Result<T, Error> {
    load_shared(&[], file, env, overrides)
}

/// As [`load`], from a file and an environment that serve other processes too: their sections, named by `others`, are
/// passed over there.
///
/// # Errors
/// As [`load`].
pub fn load_shared<T: DeserializeOwned + Serialize + Default>(
    others: &[&str],
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    overrides: &[String],
) -> Result<T, Error> {
    let defaults =
        Table::try_from(T::default()).map_err(|error| Error(format!("the defaults are no TOML: {error}")))?;
    let mut settings = Vec::new();
    if let Some(file) = file {
        settings.extend(from_file(file)?);
    }
    settings.extend(from_environment(&defaults, env));
    settings.retain(|Setting { path, .. }| defaults.contains_key(&path[0]) || !others.contains(&path[0].as_str()));
    for text in overrides {
        settings.push(from_flag(&defaults, text)?);
    }
    accept(&defaults, &settings)
}

/// For `#[serde(deserialize_with)]`: a whole number of which there must be some.
///
/// # Errors
/// When it is no such number.
pub fn positive<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + PartialOrd + Display + From<u8>,
{
    let number = T::deserialize(deserializer)?;
    if number >= T::from(1) {
        return Ok(number);
    }
    Err(D::Error::custom(format!("{number} is out of range; it must be at least 1")))
}

/// The same for a number with bounds.
///
/// # Errors
/// When it is out of them.
pub fn within<'de, D, T>(deserializer: D, bounds: RangeInclusive<T>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + PartialOrd + Display,
{
    let number = T::deserialize(deserializer)?;
    if bounds.contains(&number) {
        return Ok(number);
    }
    let (least, most) = bounds.into_inner();
    Err(D::Error::custom(format!("{number} is out of range; it must be {least} to {most}")))
}

/// The settings as a TOML file that [`load`] reads back.
///
/// # Errors
/// When a value has no form in TOML.
pub fn print<T: Serialize>(settings: &T) -> Result<String, Error> {
    toml::to_string_pretty(settings).map_err(|error| Error(format!("the settings cannot be shown as TOML: {error}")))
}

/// The variables of this process whose names and values are text.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text)
}

fn from_file(file: &Path) -> Result<Vec<Setting>, Error> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error(format!("the configuration file {shown} cannot be read: {error}")))?;
    let table: Table =
        toml::from_str(&text).map_err(|error| Error(format!("the configuration file {shown} is no TOML: {error}")))?;
    let mut settings = Vec::new();
    flatten(table, &[], &format!("in {shown}"), &mut settings);
    Ok(settings)
}

fn flatten(table: Table, above: &[String], source: &str, settings: &mut Vec<Setting>) {
    for (key, value) in table {
        let path = [above, &[key]].concat();
        if let Value::Table(table) = value {
            flatten(table, &path, source, settings);
        } else {
            settings.push(Setting { path, value, source: source.to_owned() });
        }
    }
}

fn from_environment(defaults: &Table, env: impl Iterator<Item = (String, String)>) -> impl Iterator<Item = Setting> {
    env.filter_map(|(name, text)| {
        let key = name.strip_prefix(PREFIX)?.to_lowercase();
        // One without a section may be anybody's: Kubernetes sets SKALD_PORT for a service of that name.
        if !key.contains(SECTION) && !defaults.contains_key(&key) {
            return None;
        }
        let path: Vec<String> = key.split(SECTION).map(str::to_owned).collect();
        Some(Setting { value: value(defaults, &path, &text), path, source: format!("environment variable {name}") })
    })
}

fn from_flag(defaults: &Table, text: &str) -> Result<Setting, Error> {
    let (key, given) = text
        .split_once('=')
        .ok_or_else(|| Error(format!("the setting {text:?} has no value; write it as section.key=value")))?;
    let path: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
    Ok(Setting { value: value(defaults, &path, given.trim()), path, source: "on the command line".to_owned() })
}

fn value(defaults: &Table, path: &[String], text: &str) -> Value {
    match (find(defaults, path), text.parse()) {
        (Some(Value::String(_)), _) | (_, Err(_)) => Value::String(text.to_owned()),
        (_, Ok(value)) => value,
    }
}

fn find<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (key, below) = path.split_first()?;
    let value = table.get(key)?;
    match below {
        [] => Some(value),
        below => find(value.as_table()?, below),
    }
}

fn put(table: &mut Table, path: &[String], value: &Value) {
    match path {
        [] => {}
        [key] => drop(table.insert(key.clone(), value.clone())),
        [section, below @ ..] => {
            let section = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !section.is_table() {
                *section = Value::Table(Table::new());
            }
            if let Value::Table(section) = section {
                put(section, below, value);
            }
        }
    }
}

/// Reads the defaults with all settings over them, or finds the setting to blame: the one after the longest run of
/// settings that the type accepts.
fn accept<T: DeserializeOwned>(defaults: &Table, settings: &[Setting]) -> Result<T, Error> {
    let with = |settings: &[Setting]| {
        let mut table = defaults.clone();
        for setting in settings {
            put(&mut table, &setting.path, &setting.value);
        }
        table.try_into::<T>()
    };
    let mut problem = match with(settings) {
        Ok(accepted) => return Ok(accepted),
        Err(problem) => problem,
    };
    for (count, setting) in settings.iter().enumerate().rev() {
        match with(&settings[..count]) {
            Ok(_) => return Err(rejected(setting, defaults, problem.message())),
            Err(earlier) => problem = earlier,
        }
    }
    Err(Error(format!("the defaults cannot be read back: {}", problem.message())))
}

fn rejected(setting: &Setting, defaults: &Table, problem: &str) -> Error {
    let Setting { path, value, source } = setting;
    let default = match find(defaults, path) {
        Some(default) => format!("; the default is {default}"),
        None => String::new(),
    };
    Error(format!("{} = {value} ({source}): {problem}{default}", path.join(".")))
}

#[cfg(test)]
mod tests;
