//! Where a peer listens, and how it is connected to, as settings spell it.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};
use serde::{Deserialize, Serialize};

use crate::config;

/// One place where a peer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) authority: Authority,
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address; write http://host:port, several of them with commas between");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        let port = authority.port_u16().filter(|port| *port != 0).ok_or_else(wrong)?;
        if uri.scheme() != Some(&Scheme::HTTP) || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { authority: authority.clone(), host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// All places where a peer listens: at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Spelling", into = "String")]
pub struct Addresses(Vec<Address>);

impl Addresses {
    /// One on this machine.
    pub fn local(port: u16) -> Self {
        let authority = format!("127.0.0.1:{port}");
        let host = "127.0.0.1".to_owned();
        Self(vec![Address { authority: authority.parse().expect("address and port are an authority"), host, port }])
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Address> {
        self.0.iter()
    }
}

/// Text with commas or a list.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be http://host:port, several with commas between or in a list")]
enum Spelling {
    Text(String),
    List(Vec<String>),
}

impl TryFrom<Spelling> for Addresses {
    type Error = String;

    fn try_from(spelling: Spelling) -> Result<Self, String> {
        let texts = match spelling {
            Spelling::Text(text) => text.split(',').map(str::to_owned).collect(),
            Spelling::List(texts) => texts,
        };
        texts.iter().map(|text| text.trim().parse()).collect::<Result<Vec<_>, _>>().and_then(|addresses| {
            if addresses.is_empty() { Err("at least one address is needed".to_owned()) } else { Ok(Self(addresses)) }
        })
    }
}

impl From<Addresses> for String {
    fn from(addresses: Addresses) -> Self {
        addresses.to_string()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(Address::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

/// How connections are made and watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// Connections to each address, at most 64. A server of ours takes 128 calls at a time on one.
    #[serde(deserialize_with = "per_address")]
    pub per_address: usize,
    /// How long a peer may take to be found, to accept and to answer a first call. Shorter than a call may take, so that
    /// a call that waits for it can still be told that it was not sent.
    #[serde(deserialize_with = "config::positive")]
    pub connect_timeout_ms: u64,
    /// How often a silent connection is asked whether the peer still lives, idle or not. Some servers other than ours
    /// close connections that ask more often than every five minutes.
    #[serde(deserialize_with = "config::positive")]
    pub keepalive_interval_ms: u64,
    /// How long the peer may take to say so before the connection is given up.
    #[serde(deserialize_with = "config::positive")]
    pub keepalive_timeout_ms: u64,
}

impl Default for Connections {
    fn default() -> Self {
        // Four take the 512 calls that an orchestrator has under way at one participant.
        Self { per_address: 4, connect_timeout_ms: 500, keepalive_interval_ms: 5_000, keepalive_timeout_ms: 2_000 }
    }
}

fn per_address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    config::within(deserializer, 1..=64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Addresses, String> {
        let table: toml::Table = format!("at = {value}").parse().unwrap();
        table["at"].clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn one_or_several_addresses_are_read_from_text_or_a_list() {
        for value in [r#""http://a:1, http://[::1]:2""#, r#"["http://a:1", "http://[::1]:2/"]"#] {
            let addresses = read(value).unwrap();
            assert_eq!(addresses.to_string(), "http://a:1,http://[::1]:2");
            let places: Vec<_> = addresses.iter().map(|address| (address.host.as_str(), address.port)).collect();
            assert_eq!(places, [("a", 1), ("::1", 2)]);
        }
        assert_eq!(read(r#""http://127.0.0.1:7""#).unwrap(), Addresses::local(7));
    }

    #[test]
    fn what_is_no_address_is_told_with_what_it_must_be() {
        for value in ["", "a:1", "http://a", "http://a:0", "https://a:1", "http://a:1/x", "http://u@a:1", "http://a:1,"]
        {
            let problem = read(&format!("{value:?}")).unwrap_err();
            assert!(problem.contains("write http://host:port"), "{value}: {problem}");
        }
        assert_eq!(read("[]").unwrap_err(), "at least one address is needed");
        assert!(read("7").unwrap_err().contains("must be http://host:port"));
    }
}
