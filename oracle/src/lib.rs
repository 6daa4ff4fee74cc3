//! What a run is judged by, besides its tables: what its clients saw ([`history`]) and whether anything happened at all
//! ([`coverage`]). Pure: it knows no database, clock or wire, so that whoever makes calls can record them, whatever made time
//! pass meanwhile. The rules over the tables are `skald verify`'s, which runs these beside them.
//!
//! ```
//! use oracle::history::{Answer, Asked, Recorder, State, judge};
//! use oracle::history::{Journal, Row};
//! # use std::collections::BTreeMap;
//! # use uuid::Uuid;
//! let recorder = Recorder::new(100_000); // clones share it
//! let (saga, key) = (Uuid::from_u128(1), Uuid::from_u128(2));
//! let call = recorder.begin(7, Asked::start("checkout", "customers/a", key), 0); // client 7, at 0 µs
//! call.ok(250, Answer { saga, state: State::Completed, version: 9 }); // or `failed(now, code, reason)`; dropped: unknown
//! let history = recorder.take();
//! let journal = BTreeMap::from([(saga, Row { state: State::Completed, version: 9 })]);
//! assert_eq!(judge(&history, &journal, None), []);
//! ```

pub mod coverage;
pub mod history;
