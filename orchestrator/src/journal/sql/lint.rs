//! Rules for the statements on sagas' rows, so that the tables can be spread over servers by their bucket: a hot statement
//! reaches one bucket by equality, and asks the server for nothing that differs from place to place. The statements are
//! read from the sources, so that a new one is looked at without being named here.

/// Where the statements on sagas stand. Those in `lease.rs` are on incarnations, which lie in every database whole.
const SOURCES: [(&str, &str); 7] = [
    ("archive.rs", include_str!("archive.rs")),
    ("sql.rs", include_str!("../sql.rs")),
    ("row.rs", include_str!("row.rs")),
    ("history.rs", include_str!("history.rs")),
    ("park.rs", include_str!("park.rs")),
    ("page.rs", include_str!("page.rs")),
    ("statistics.rs", include_str!("statistics.rs")),
];
const LEASES: &str = include_str!("lease.rs");

/// Reads that look into every bucket, for people or once in a while. They may only look.
const SCANS: [&str; 6] = ["page.rs", "statistics.rs", "OWNED", "OPEN_OF", "ENDED", "OLDEST"];

const VOLATILE: [&str; 7] =
    ["now()", "clock_timestamp", "current_timestamp", "random()", "gen_random_uuid", "nextval", "timeofday"];

/// One statement: where it stands, and its text.
#[derive(Debug)]
struct Found {
    place: String,
    sql: String,
}

/// The statements in a source: string literals, of which those of [`select!`](super::row::select) lack their beginning.
fn statements(file: &str, source: &str) -> Vec<Found> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find('"') {
        let before = &rest[..start];
        let literal = &rest[start + 1..];
        let end = literal.find('"').unwrap();
        let text = literal[..end].replace("\\\n", " ");
        let sql = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = before.rsplit("const ").next().and_then(|name| name.split(':').next()).unwrap_or_default();
        let verbs = ["select ", "insert ", "update ", "delete ", "where "];
        if verbs.iter().any(|verb| sql.starts_with(verb)) && !before.trim_end().ends_with("//!") {
            let sql = if sql.starts_with("where ") { format!("select … from orchestrator_saga {sql}") } else { sql };
            found.push(Found { place: format!("{file} {}", name.trim()), sql });
        }
        rest = &literal[end + 1..];
    }
    found
}

/// What is wrong with a statement.
fn faults(Found { place, sql }: &Found) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: &str| faults.push(format!("{place}: {what}: {sql}"));
    if VOLATILE.iter().any(|volatile| sql.contains(volatile)) {
        fault("it asks the server for something that differs from call to call; bind it");
    }
    if sql.contains("advisory") || sql.contains("for update") || sql.contains("unnest") {
        fault("it locks or unfolds on the server");
    }
    let is_scan = SCANS.iter().any(|scan| place.split(' ').any(|word| word == *scan));
    let condition = sql.split(" where ").nth(1).unwrap_or_default();
    let first = condition.split(" and ").next().unwrap_or_default();
    let reaches_one_bucket = match sql.split(' ').next() {
        Some("insert") => sql.contains("(bucket, ") && !sql.contains(" select "),
        Some("select") if sql.ends_with("from orchestrator_saga") => true,
        _ => first == "bucket = $1" && !condition.contains(" or "),
    };
    if is_scan && !sql.starts_with("select ") {
        fault("it looks into every bucket, so it may only look");
    }
    if !is_scan && !reaches_one_bucket {
        fault("it does not say in which bucket");
    }
    faults
}

fn hot() -> Vec<Found> {
    let mut found: Vec<_> = SOURCES.into_iter().flat_map(|(file, source)| statements(file, source)).collect();
    let outbox = super::OUTBOX;
    for (name, sql) in [("insert", outbox.insert), ("done", outbox.done), ("purge", outbox.purge)] {
        found.push(Found { place: format!("outbox {name}"), sql: sql.to_owned() });
    }
    found
}

#[test]
fn every_hot_statement_reaches_one_bucket_and_asks_for_nothing_volatile() {
    let found = hot();
    for expected in ["row.rs UPDATE", "row.rs INSERT", "row.rs ADOPT", "history.rs PAGE", "park.rs PARK"] {
        assert!(found.iter().any(|found| found.place == expected), "{expected} was not found: {found:#?}");
    }
    let faults: Vec<_> = found.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let leases = statements("lease.rs", LEASES);
    assert!(leases.len() >= 8, "{leases:#?}");
    let on_sagas = leases.iter().filter(|lease| lease.sql.contains("orchestrator_saga"));
    assert!(on_sagas.clone().all(|lease| lease.sql.starts_with("select ")), "{:#?}", on_sagas.collect::<Vec<_>>());
}

#[test]
fn a_statement_that_breaks_a_rule_is_found() {
    for sql in [
        "update orchestrator_saga set version = 1 where id = $1",
        "update orchestrator_saga set update_time = clock_timestamp() where bucket = $1 and id = $2",
        "update orchestrator_saga set version = 1 where bucket = $1 and id = $2 or owner = $3",
        "update orchestrator_saga s set version = 1 from unnest($1, $2) v where s.bucket = v.bucket",
        "select id from orchestrator_saga where owner = $1 for update",
        "delete from orchestrator_saga where bucket = any($1) and id = $2",
        "insert into orchestrator_saga (id, bucket) values ($1, $2)",
        "select pg_advisory_lock(1) from orchestrator_saga where bucket = $1",
    ] {
        let found = Found { place: "row.rs NEW".into(), sql: sql.into() };
        assert!(!faults(&found).is_empty(), "{sql}");
    }
    let scan = Found { place: "sql.rs OWNED".into(), sql: "delete from orchestrator_saga where owner = $1".into() };
    assert!(!faults(&scan).is_empty());
}
