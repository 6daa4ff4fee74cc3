//! How entries follow each other.

use super::*;

const CUSTOMER: Uuid = Uuid::from_u128(1);

fn refund(amount: i64, fee: i64) -> Posting {
    let key = Key { customer: CUSTOMER, saga: Uuid::from_u128(2) };
    let fee = (fee > 0).then(|| (fee, "fees/cancellation".to_owned()));
    let debit_account = "revenue/concerts/3".to_owned();
    Credit { key, kind: Kind::Refund, debit_account, amount, fee, request_id: Uuid::from_u128(4) }.posting()
}

fn head(balance: i64, count: i64) -> Head {
    Head { balance, count, hash: Some(vec![7; 32]) }
}

#[test]
fn entries_of_a_posting_follow_each_other_without_a_gap() {
    let entries = refund(90, 10).entries(head(100, 5), 9);
    let told: Vec<_> = entries.iter().map(|it| (it.sequence, it.kind, it.signed_amount(), it.balance_after)).collect();
    assert_eq!(told, [(4, Kind::Refund, 90, 100), (5, Kind::CancellationFee, 0, 100)]);
    assert_ne!(entries[0].id, entries[1].id);
    assert_eq!(entries[0].hash, Some(entries[0].chained_to(Some(&[7; 32]))));
    assert_eq!(entries[1].hash, Some(entries[1].chained_to(entries[0].hash.as_deref())));
}

#[test]
fn a_posting_without_a_gift_or_without_a_fee_has_one_entry() {
    let told = |posting: Posting| {
        let entries = posting.entries(head(0, 1), 9);
        entries.iter().map(|it| (it.sequence, it.kind)).collect::<Vec<_>>()
    };
    assert_eq!(told(refund(0, 10)), [(1, Kind::CancellationFee)]);
    assert_eq!(told(refund(10, 0)), [(1, Kind::Refund)]);
}

#[test]
fn a_correction_has_the_sides_that_its_sign_says() {
    let adjusted = |amount| {
        let (customer, reason, request_id) = (CUSTOMER, "why".to_owned(), CUSTOMER);
        let order = Adjustment { customer, amount, reason, request_id, balance_limit: 9 };
        let entry = order.posting().entries(Head { balance: 50, count: 1, hash: None }, 9).remove(0);
        (entry.signed_amount(), entry.debit_account, entry.reason)
    };
    assert_eq!(adjusted(5), (5, "adjustments".to_owned(), "why".to_owned()));
    assert_eq!(adjusted(-5), (-5, customers::name(CUSTOMER), "why".to_owned()));
}

#[test]
fn whatever_an_entry_says_is_in_its_hash() {
    let entry = refund(90, 0).entries(head(100, 5), 9).remove(0);
    type Change = (&'static str, fn(&mut Transfer));
    let changes: [Change; 12] = [
        ("customer", |it| it.customer = Uuid::nil()),
        ("sequence", |it| it.sequence += 1),
        ("id", |it| it.id = Uuid::nil()),
        ("kind", |it| it.kind = Kind::Charge),
        ("amount", |it| it.amount += 1),
        ("debit account", |it| it.debit_account.push('x')),
        ("credit account", |it| it.credit_account.push('x')),
        ("balance", |it| it.balance_after += 1),
        ("saga", |it| it.saga = None),
        ("request", |it| it.request_id = Uuid::nil()),
        ("reason", |it| it.reason.push('x')),
        ("time", |it| it.create_time += 1),
    ];
    for (what, change) in changes {
        let mut changed = entry.clone();
        change(&mut changed);
        assert_ne!(changed.chained_to(Some(&[7; 32])), entry.chained_to(Some(&[7; 32])), "{what}");
    }
    assert_ne!(entry.chained_to(None), entry.chained_to(Some(&[7; 32])), "the entry before");
    // The boundary between two texts counts too.
    let mut moved = entry.clone();
    let last = moved.debit_account.pop().unwrap();
    moved.credit_account.insert(0, last);
    assert_ne!(moved.chained_to(None), entry.chained_to(None));
}
