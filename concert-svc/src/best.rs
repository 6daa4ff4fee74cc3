//! Seats that the house chooses: the first that are free, by ordinal, and when the customer wants so, side by side. Those
//! that somebody else is about to take are passed over, so that a crowd does not queue up for the same seat; only when
//! too few are left beside them does it matter what becomes of those, and then the order is asked again.

use std::time::Duration;

use service_kit::db::{self, Tx};
use service_kit::refusal::{Fault, Refusal};
use uuid::Uuid;

use crate::record::Cause;
use crate::seat::Seat;
use crate::{hold, store};

/// Free seats that are looked at in one step, of those that must lie side by side.
const PAGE: i64 = 500;
/// Groups that others may snatch away before the order is asked again.
const SNATCHED: usize = 8;
/// Lapsed holds that an order ends before it chooses: their seats are as good as any. More are ended when seats are short.
const LAPSED: i64 = 32;
/// When to ask again while others are in the way: about as long as they take.
const SOON: Duration = Duration::from_millis(10);

/// What the house may choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Best {
    /// How many seats, at least one.
    pub(crate) count: usize,
    /// Of that grade, or of any.
    pub(crate) grade: Option<String>,
    /// Of that section, or of any.
    pub(crate) section: Option<String>,
    /// All of them side by side.
    pub(crate) adjacent: bool,
}

/// What there was to choose from.
enum Choice {
    /// The ids; until the end of the transaction they are nobody else's.
    Seats(Vec<String>),
    /// Too few, for certain.
    None,
    /// Too few beside those that others are about to take or to leave.
    Unclear,
}

/// Chooses seats of the performance, which only this transaction can take from here on. [`Fault::Pending`] tells to ask
/// again in a transaction of its own: this one must not wait for seats while it has others locked.
pub(crate) async fn choose(
    tx: &mut Tx<'_>,
    performance: Uuid,
    best: &Best,
    announces_holds: bool,
) -> Result<Vec<String>, Fault> {
    loop {
        let ended = hold::lapse_some_of(tx, performance, LAPSED, &Cause::time(announces_holds)).await?;
        let choice = match best.adjacent {
            true => side_by_side(tx, performance, best).await?,
            false => first(tx, performance, best).await?,
        };
        match choice {
            Choice::Seats(seats) => return Ok(seats),
            Choice::Unclear => return Err(Fault::Pending(SOON)),
            Choice::None if ended as i64 == LAPSED => {}
            // Others are just ending them.
            Choice::None if store::has_lapsed(tx, performance).await? => return Err(Fault::Pending(SOON)),
            Choice::None => return Err(sold_out(tx, performance, best).await?.into()),
        }
    }
}

async fn first(tx: &mut Tx<'_>, performance: Uuid, best: &Best) -> Result<Choice, db::Error> {
    let count = best.count as i64;
    let claimed = store::claim_free(tx, performance, best, (-1, count)).await?;
    if claimed.len() == best.count {
        return Ok(Choice::Seats(ids(&claimed)));
    }
    let free = store::free(tx, performance, best, (-1, count)).await?;
    Ok(if free.len() == best.count { Choice::Unclear } else { Choice::None })
}

/// Looks through the free seats from the first on. What is found is claimed, and is not there for us if somebody else was
/// faster.
async fn side_by_side(tx: &mut Tx<'_>, performance: Uuid, best: &Best) -> Result<Choice, db::Error> {
    let (mut last, mut seen, mut snatched) = (-1, Vec::new(), 0);
    loop {
        let page = store::free(tx, performance, best, (last, PAGE)).await?;
        let is_end = (page.len() as i64) < PAGE;
        last = page.last().map_or(last, |seat| seat.ordinal);
        seen.extend(page);
        while let Some(start) = group(&seen, best.count) {
            let found = &seen[start..start + best.count];
            let before = found[0].ordinal - 1;
            let claimed = store::claim_free(tx, performance, best, (before, best.count as i64)).await?;
            if ids(&claimed) == ids(found) {
                return Ok(Choice::Seats(ids(found)));
            }
            snatched += 1;
            if snatched == SNATCHED {
                return Ok(Choice::Unclear);
            }
            seen.drain(..=start);
        }
        if is_end {
            return Ok(if snatched > 0 { Choice::Unclear } else { Choice::None });
        }
        // A group may go on in the next page.
        seen.drain(..seen.len().saturating_sub(best.count - 1));
    }
}

/// Where the first `count` seats begin that lie side by side; the seats come by ordinal.
fn group(seats: &[Seat], count: usize) -> Option<usize> {
    let mut start = 0;
    (0..seats.len()).find_map(|at| {
        if at > start && !are_side_by_side(&seats[at - 1], &seats[at]) {
            start = at;
        }
        (at + 1 - start == count).then_some(start)
    })
}

/// Places without a row are wherever one stands.
fn are_side_by_side(left: &Seat, right: &Seat) -> bool {
    let follow = left.row.is_empty() || left.ordinal + 1 == right.ordinal;
    left.section == right.section && left.row == right.row && follow
}

async fn sold_out(tx: &mut Tx<'_>, performance: Uuid, best: &Best) -> Result<Refusal, db::Error> {
    let available = store::free(tx, performance, best, (-1, best.count as i64)).await?.len();
    let Best { count, adjacent, .. } = best;
    let message = match (available, adjacent) {
        (available, true) if available == *count => format!("no {count} seats are left side by side"),
        (available, _) => format!("{available} seats are left of what is asked for, not {count}"),
    };
    Ok(Refusal::precondition("SOLD_OUT", message).with("required", count).with("available", available))
}

fn ids(seats: &[Seat]) -> Vec<String> {
    seats.iter().map(|seat| seat.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::SeatState;

    /// Seats by section, row and ordinal, e.g. "A1:0 A1:1".
    fn seats(text: &str) -> Vec<Seat> {
        let seat = |word: &str| {
            let (place, ordinal) = word.split_once(':').unwrap();
            let (section, row) = place.split_at(1);
            Seat {
                id: word.into(),
                section: section.into(),
                row: row.into(),
                number: String::new(),
                grade: String::new(),
                price: 0,
                state: SeatState::Available,
                ordinal: ordinal.parse().unwrap(),
            }
        };
        text.split_whitespace().map(seat).collect()
    }

    #[test]
    fn seats_are_side_by_side_in_one_row_without_a_gap() {
        for (free, count, start) in [
            ("A1:0 A1:1 A1:2", 2, Some(0)),
            ("A1:0 A1:2 A1:3", 2, Some(1)),
            ("A1:0 A2:1 A2:2", 2, Some(1)),
            ("A1:0 B1:1", 2, None),
            ("A1:0 A1:2 A1:4", 2, None),
            ("A1:0 A1:1 A1:3 A1:4 A1:5", 3, Some(2)),
            ("A1:7", 1, Some(0)),
            ("", 1, None),
        ] {
            assert_eq!(group(&seats(free), count), start, "{free}");
        }
    }

    #[test]
    fn places_without_a_row_are_side_by_side_within_their_section() {
        assert_eq!(group(&seats("G:0 G:5 G:9"), 3), Some(0));
        assert_eq!(group(&seats("G:0 H:1 H:7"), 2), Some(1));
        assert_eq!(group(&seats("G:0 G1:1"), 2), None);
    }
}
