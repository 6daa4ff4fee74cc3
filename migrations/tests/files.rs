//! The lists and the files that they are made of.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Migration};

const LISTS: [(&str, &[Migration]); 6] = [
    ("events", migrations::events::MIGRATIONS),
    ("concert", migrations::concert::MIGRATIONS),
    ("customer", migrations::customer::MIGRATIONS),
    ("orchestrator", migrations::orchestrator::MIGRATIONS),
    ("payment", migrations::payment::MIGRATIONS),
    ("token", migrations::token::MIGRATIONS),
];

/// A text without its comments.
fn statements(sql: &str) -> String {
    sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_list_of_a_service_is_its_folder_and_counts_up_from_1() {
    for (service, listed) in LISTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(service);
        let entries = fs::read_dir(folder).unwrap();
        let mut files: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        files.sort();
        let names: Vec<String> = listed.iter().map(|step| format!("{:04}_{}.sql", step.version, step.name)).collect();
        assert_eq!(names, files);
        assert!(listed.iter().map(|step| step.version).eq(1..=listed.len() as i64), "{service}: {names:?}");
    }
}

#[test]
fn a_step_is_one_statement() {
    let outboxes = LISTS.into_iter().filter_map(|(service, _)| migrations::events::outbox(service));
    for (service, listed) in LISTS.into_iter().chain(outboxes) {
        for step in listed {
            let statements = statements(step.sql);
            let ends = statements.matches(';').count();
            let one = ends == 1 && statements.trim_end().ends_with(';');
            assert!(one, "{service}/{}: {ends} statements", step.name);
        }
    }
}

#[tokio::test]
async fn text_in_a_key_is_ordered_by_its_bytes() {
    const KEYS: &str = "select distinct c.name, t.sql, coalesce(i.sql, '') from sqlite_schema t \
        join pragma_index_list(t.name) l join pragma_index_info(l.name) k \
        join pragma_table_info(t.name) c on c.cid = k.cid left join sqlite_schema i on i.name = l.name \
        where t.type = 'table' and lower(c.type) = 'text' and t.name <> 'skald_migration'";
    let mut found = Vec::new();
    for (service, listed) in LISTS {
        let db = Db::open_inline(None, Arc::new(ManualClock::at(0))).unwrap();
        db.migrate(service, listed).await.unwrap();
        let keys: Result<Vec<(String, String, String)>, Error> =
            db.read(async |tx| tx.fetch_all(KEYS, &[]).await).await;
        for (column, table, index) in keys.unwrap() {
            let says_so = table.contains(&format!("{column} text collate \"binary\""))
                || index.contains(&format!("{column} collate \"binary\""));
            assert!(says_so, "{column} in {table} {index}");
            found.push(column);
        }
    }
    assert!(found.iter().filter(|column| *column == "step").count() == 4, "the keys were not found: {found:?}");
}
