//! Random units of work, right and wrong ones, on SQLite and on PostgreSQL: the same results, the same tables.

use std::sync::Arc;

use service_kit::args;
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Migration, Tx};
use testbed::books::Reader;
use uuid::Uuid;

const SEEDS: u64 = 8;
const UNITS: usize = 150;
const IDS: i64 = 12;
/// Ordered by their bytes, and full of what a statement made of text would stumble over.
const TEXTS: [&str; 10] = ["", "a", "A", "b'--", "%_", "\\", "é", "한국", "a\nb", "🦀"];

const TABLES: &[Migration] = &[
    Migration {
        version: 1,
        name: "item",
        sql: "create table item (id bigint not null primary key, owner uuid, body text collate \"binary\", data bytea, \
            amount bigint not null check (amount between 0 and 100))",
    },
    Migration { version: 2, name: "live", sql: "create unique index live on item (owner) where amount > 50" },
    Migration {
        version: 3,
        name: "part",
        sql: "create table part (item bigint not null, body text collate \"binary\" not null, primary key (item, body))",
    },
];

/// One thing that a unit of work does.
#[derive(Debug, Clone)]
enum Step {
    Insert(Item),
    InsertOrLeave(Item),
    InsertOrAdd(Item),
    InsertParts(i64),
    Take(i64, i64),
    TakeReturning(i64, i64),
    SetEach(Vec<(i64, i64)>),
    Delete(i64),
    Find(i64),
    Lock(i64),
    Page(Option<&'static str>, i64),
    Sum,
    ByOwner,
    Misread(i64),
    Restart,
}

#[derive(Debug, Clone)]
struct Item {
    id: i64,
    owner: Option<Uuid>,
    body: Option<&'static str>,
    data: Option<Vec<u8>>,
    amount: i64,
}

/// What a unit of work does when a step fails, and how it ends.
#[derive(Debug, Clone)]
struct Unit {
    reads: bool,
    steps: Vec<Step>,
    begins_anew: bool,
    refuses: bool,
}

type Row = (i64, Option<Uuid>, Option<String>, Option<Vec<u8>>, i64);

fn item(dice: &mut fastrand::Rng) -> Item {
    Item {
        id: dice.i64(0..IDS),
        owner: dice.bool().then(|| Uuid::from_u128(dice.u128(0..4) << 100)),
        body: dice.choice(TEXTS).filter(|_| dice.u8(0..4) > 0),
        data: dice.bool().then(|| (0..dice.usize(0..4)).map(|_| dice.u8(..)).collect()),
        amount: dice.i64(-3..110),
    }
}

fn step(dice: &mut fastrand::Rng, reads: bool) -> Step {
    let id = dice.i64(0..IDS);
    match if reads { dice.u8(10..15) } else { dice.u8(0..17) } {
        0 | 1 => Step::Insert(item(dice)),
        2 => Step::InsertOrLeave(item(dice)),
        3 => Step::InsertOrAdd(item(dice)),
        4 => Step::InsertParts(id),
        5 => Step::Take(id, dice.i64(0..60)),
        6 => Step::TakeReturning(id, dice.i64(0..60)),
        7 => Step::SetEach((0..dice.usize(0..4)).map(|_| (dice.i64(0..IDS), dice.i64(0..105))).collect()),
        8 => Step::Delete(id),
        9 => Step::Lock(id),
        10 => Step::Find(id),
        11 => Step::Page(dice.choice(TEXTS).filter(|_| dice.bool()), dice.i64(0..6)),
        12 => Step::Sum,
        13 => Step::ByOwner,
        14 => Step::Misread(id),
        _ => Step::Restart,
    }
}

fn unit(dice: &mut fastrand::Rng) -> Unit {
    let reads = dice.u8(0..4) == 0;
    let steps = (0..dice.usize(1..7)).map(|_| step(dice, reads)).collect();
    Unit { reads, steps, begins_anew: dice.bool(), refuses: dice.u8(0..6) == 0 }
}

async fn take(tx: &mut Tx<'_>, step: &Step) -> Result<String, Error> {
    const COLUMNS: &str = "select id, owner, body, data, amount from item where id = $1";
    let text = match step {
        Step::Insert(item) => {
            let sql = "insert into item (id, owner, body, data, amount) values ($1, $2, $3, $4, $5)";
            tx.execute(sql, &item.args()).await?.to_string()
        }
        Step::InsertOrLeave(item) => {
            let sql =
                "insert into item (id, owner, body, data, amount) values ($1, $2, $3, $4, $5) on conflict do nothing";
            tx.execute(sql, &item.args()).await?.to_string()
        }
        Step::InsertOrAdd(item) => {
            let sql = "insert into item (id, owner, body, data, amount) values ($1, $2, $3, $4, $5) \
                on conflict (id) do update set amount = item.amount + excluded.amount, body = excluded.body";
            tx.execute(sql, &item.args()).await?.to_string()
        }
        Step::InsertParts(id) => {
            let sql = "insert into part (item, body) select $1, body from item where body is not null and id <> $1 \
                order by id limit 2";
            tx.execute(sql, args![*id]).await?.to_string()
        }
        Step::Take(id, amount) => {
            let sql = "update item set amount = amount - $2 where id = $1 and amount >= $2";
            tx.execute(sql, args![*id, *amount]).await?.to_string()
        }
        Step::TakeReturning(id, amount) => {
            let sql = "update item set amount = amount - $2 where id = $1 returning amount, body";
            format!("{:?}", tx.fetch_optional::<(i64, Option<String>)>(sql, args![*id, *amount]).await?)
        }
        Step::SetEach(amounts) => {
            let sql = "update item set amount = $2 where id = $1";
            let each: Vec<_> = amounts.iter().map(|(id, amount)| (sql, args![*id, *amount].to_vec())).collect();
            format!("{:?}", tx.execute_each(&each).await?)
        }
        Step::Delete(id) => tx.execute("delete from item where id = $1", args![*id]).await?.to_string(),
        Step::Find(id) => format!("{:?}", tx.fetch_optional::<Row>(COLUMNS, args![*id]).await?),
        Step::Lock(id) => format!("{:?}", tx.lock_optional::<Row>(COLUMNS, args![*id]).await?),
        Step::Page(after, limit) => {
            let sql = "select id, body from item where body is not null and (cast($1 as text) is null or body > $1) \
                order by body, id limit $2";
            format!("{:?}", tx.fetch_all::<(i64, String)>(sql, args![*after, *limit]).await?)
        }
        Step::Sum => {
            let sql = "select count(*), cast(coalesce(sum(amount), 0) as bigint), max(body), min(body) from item";
            format!("{:?}", tx.fetch_one::<(i64, i64, Option<String>, Option<String>)>(sql, &[]).await?)
        }
        Step::ByOwner => {
            let sql =
                "select owner, count(*), max(amount) from item where owner is not null group by owner order by owner";
            format!("{:?}", tx.fetch_all::<(Uuid, i64, i64)>(sql, &[]).await?)
        }
        Step::Misread(id) => {
            let sql = "select amount, body from item where id = $1 and body is not null";
            format!("{:?}", tx.fetch_optional::<(i64, i64)>(sql, args![*id]).await?)
        }
        Step::Restart => {
            tx.restart().await?;
            "anew".to_owned()
        }
    };
    Ok(format!("{text} at {}", tx.now_ms()))
}

impl Item {
    fn args(&self) -> [service_kit::db::Arg<'_>; 5] {
        [self.id.into(), self.owner.into(), self.body.into(), self.data.as_ref().into(), self.amount.into()]
    }
}

/// An error without what only one engine says.
fn kind(error: &Error) -> String {
    match error {
        Error::Constraint(_) => "constraint".to_owned(),
        Error::Corrupt { column, .. } => format!("corrupt {column}"),
        Error::Bug(text) if text == "refused" => text.clone(),
        Error::Bug(_) | Error::Unavailable(_) | Error::InDoubt(_) => panic!("{error:?}"),
    }
}

async fn perform(db: &Db, unit: &Unit) -> String {
    let Unit { reads, steps, begins_anew, refuses } = unit.clone();
    let work = async move |tx: &mut Tx<'_>| {
        let mut log = Vec::new();
        for step in &steps {
            match take(tx, step).await {
                Ok(text) => log.push(text),
                Err(error) if begins_anew && !reads => {
                    log.push(kind(&error));
                    tx.restart().await?;
                }
                Err(error) => return Err(error),
            }
        }
        if refuses { Err(Error::Bug("refused".into())) } else { Ok(log.join("; ")) }
    };
    let told = if reads { db.read(work).await } else { db.write(work).await };
    told.unwrap_or_else(|error| kind(&error))
}

#[tokio::test]
async fn both_engines_tell_and_keep_the_same() {
    let (mut refused, mut rows) = (0, 0);
    for seed in 0..SEEDS {
        let clock = Arc::new(ManualClock::at(1_000));
        let one = Db::open_inline(None, clock.clone()).unwrap();
        let other = testbed::connected(clock.clone()).await;
        for db in [&one, &other] {
            db.migrate("test", TABLES).await.unwrap();
        }
        let others = &["skald_migration"];
        let (read_one, read_other) =
            (Reader::new(&one, others).await.unwrap(), Reader::new(&other, others).await.unwrap());
        let mut dice = fastrand::Rng::with_seed(seed);
        for number in 0..UNITS {
            clock.advance(1);
            let unit = unit(&mut dice);
            let (told, other_told) = (perform(&one, &unit).await, perform(&other, &unit).await);
            assert_eq!(told, other_told, "seed {seed}, unit {number}: {unit:?}");
            let (books, other_books) = (read_one.read(&one).await.unwrap(), read_other.read(&other).await.unwrap());
            assert_eq!(books, other_books, "seed {seed}, unit {number}: {unit:?}");
            refused += usize::from(["constraint", "refused", "corrupt body"].contains(&told.as_str()));
            rows += books.rows();
        }
    }
    let units = usize::try_from(SEEDS).unwrap() * UNITS;
    assert!(refused > units / 10 && rows > units * 3, "vacuous: {refused} refused, {rows} rows in {units} units");
}
