//! How a place is taken in Redis: a script gives the next sequence, then the token's row is written, then the place is
//! told. The row is the last word: when it shows that the customer has a live token already, or that the line is behind
//! the tables, the sequence is let go of and nobody has heard of it.

use std::time::Duration;

use proto::token::v1 as pb;
use service_kit::db::{self, Tx};
use service_kit::refusal::{Fault, Refusal};
use tonic::Code;
use uuid::Uuid;

use super::RedisLine;
use super::server::{Call, keys};
use crate::api::IDEMPOTENCY;
use crate::line::Asked;
use crate::queue::{Place, Token, TokenState};
use crate::room::Room;
use crate::{store, tokens};

/// Something else happened in between, and the move is to be made anew; nobody outside sees it.
const MOVED: &str = "LINE_MOVED";
/// The line is behind the tables, and is to be loaded anew; nobody outside sees it.
const BEHIND: &str = "LINE_BEHIND";
/// Each time something else has happened: this is never reached unless the stores contradict each other.
const TRIES: usize = 8;
/// How long the row of a place may take that was given to the customer a moment ago, by another call of theirs; looked for
/// in each of the first tries.
const ROW_PAUSE: Duration = Duration::from_millis(20);
const ROW_TRIES: usize = 5;

/// What the script says.
enum Given {
    Lost,
    Joined { token: Token, issued: i64, admitted: i64 },
    HasOne,
    Shut,
    Full,
}

impl RedisLine {
    pub(super) async fn take_place(&self, asked: Asked) -> Result<pb::QueueToken, Fault> {
        for tried in 0..TRIES {
            let room = self.rooms.get(&self.host.db, asked.key.room, self.now_ms()).await?;
            let answer = match self.next(&room, &asked).await? {
                Given::Lost => {
                    self.reload(room.id).await?;
                    continue;
                }
                Given::Joined { token, issued, admitted } => {
                    let room = Room { issued_count: issued, admitted_through: admitted, ..room };
                    self.record(&asked, room, token).await
                }
                Given::HasOne => self.show(&asked, room.id, tried < ROW_TRIES).await,
                Given::Full => full(room, self.now_ms()),
                Given::Shut => refused(room, self.now_ms()),
            };
            match answer {
                Err(Fault::Refused(refusal)) if refusal.reason == MOVED => self.rooms.forget(asked.key.room),
                Err(Fault::Refused(refusal)) if refusal.reason == BEHIND => self.forget(asked.key.room).await?,
                answer => return answer,
            }
        }
        Err(db::Error::Unavailable(format!("the line of room {} does not hold still; try again", asked.key.room))
            .into())
    }

    async fn next(&self, room: &Room, asked: &Asked) -> Result<Given, db::Error> {
        let (now_ms, key, names) = (self.time_at(room).await?, asked.key, keys(asked.key));
        // How many wait is for Redis to say.
        let joinable = Room { waiting_count: 0, ..room.clone() }.expect_joinable(now_ms).is_ok();
        let line = [names.line(), names.seq(), names.admitted(), names.gone()];
        let call = Call::on(line.into_iter().chain([names.token(key.token), names.customer(asked.customer)]));
        let call = call.with(key.token).with(asked.customer).with(now_ms);
        let call = call.with(i64::from(room.is_drawing_lots(now_ms))).with(room.settings.max_waiting);
        let call = call.with(i64::from(joinable)).with(super::LIFETIME_MS);
        let given: (i64, i64, i64, i64) = self.server.run(&self.server.scripts.issue, &call).await?;
        let (customer, state) = (asked.customer, TokenState::Waiting);
        Ok(match given {
            (0, sequence, issued, admitted) => {
                let token = Token { key, customer, sequence, state, create_time: now_ms, stay: None };
                Given::Joined { token, issued, admitted }
            }
            (1, ..) => Given::HasOne,
            (2, ..) => Given::Shut,
            (3, ..) => Given::Full,
            _ => Given::Lost,
        })
    }

    /// The time that decides whether a place is to be drawn: that of the database, on which all processes agree.
    async fn time_at(&self, room: &Room) -> Result<i64, db::Error> {
        if room.is_undrawn() && room.draw.is_none() {
            return self.host.db.read(async |tx| Ok(tx.now_ms())).await;
        }
        Ok(self.now_ms())
    }

    /// Writes the token's row; only then its place is told.
    async fn record(&self, asked: &Asked, room: Room, token: Token) -> Result<pb::QueueToken, Fault> {
        let Asked { call, key, .. } = asked.clone();
        let (view, id) = (self.view.clone(), room.id);
        let record = async move |tx: &mut Tx<'_>| Ok(view.place(&record_in(tx, room, token).await?));
        let answer = self.host.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, record).await).await;
        let told = answer.as_ref().is_ok_and(|answer| answer.name == key.name());
        if !told && !is_in_doubt(&answer) {
            self.let_go(id, token).await;
        }
        answer
    }

    /// Shows the live token that the customer has; ends it first when its time is over. A place without a row is about to
    /// get one, or its process has died: then it is let go of.
    async fn show(&self, asked: &Asked, room: Uuid, row_may_come: bool) -> Result<pb::QueueToken, Fault> {
        let Asked { call, customer, .. } = asked.clone();
        let view = self.view.clone();
        let (_, issued, admitted, ..) = self.counts(room).await?;
        let show = async move |tx: &mut Tx<'_>| match tokens::live(tx, room, customer).await? {
            Some(place) if place.token.state.is_live() => Ok(view.place(&counted(place, issued, admitted))),
            Some(_) | None => Err(moved().into()),
        };
        let shown = self.host.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, show).await).await;
        if is_moved(&shown) {
            match self.host.db.write(async move |tx| tokens::live(tx, room, customer).await).await? {
                Some(place) => self.tell_all(room, &[place.token]).await?,
                None if row_may_come => tokio::time::sleep(ROW_PAUSE).await,
                None => self.release(asked).await?,
            }
        }
        shown
    }

    /// Lets the customer take a place anew.
    async fn release(&self, asked: &Asked) -> Result<(), db::Error> {
        let mut release = redis::cmd("DEL");
        release.arg(keys(asked.key).customer(asked.customer));
        self.server.command::<i64>(&release).await.map(drop)
    }

    /// Lets go of a sequence that nobody has heard of. One that this misses is passed over when its turn is not claimed.
    async fn let_go(&self, room: Uuid, token: Token) {
        let token = Token { state: TokenState::Left, ..token };
        if let Err(fault) = self.tell_all(room, &[token]).await {
            tracing::warn!(%room, ?fault, "a sequence that nobody has heard of stays in Redis until its turn is over");
        }
    }
}

/// Writes the row of a new token; or finds the live one that its customer has.
async fn record_in(tx: &mut Tx<'_>, room: Room, token: Token) -> Result<Place, Fault> {
    let (now_ms, id) = (tx.now_ms(), room.id);
    // Who takes part in a draw is fixed in one moment, and everybody else stands behind them.
    if room.is_undrawn() && room.draw.is_none() {
        let locked = tokens::lock_room(tx, id).await?;
        if locked.is_drawing_lots(now_ms) != (token.sequence < 0) {
            return Err(moved().into());
        }
        if locked.is_draw_due(now_ms) {
            store::begin_draw(tx, id).await?;
        }
    }
    let lot = tokens::lot(&room, &token);
    if !store::insert_token(tx, &token, lot).await? {
        match tokens::live(tx, id, token.customer).await? {
            Some(place) if place.token.state.is_live() => {
                return Ok(counted(place, room.issued_count, room.admitted_through));
            }
            // Its time was over, and nobody had noticed.
            Some(_) if store::insert_token(tx, &token, lot).await? => {}
            // Somebody else has this sequence: the line is behind the tables.
            Some(_) | None => return Err(behind().into()),
        }
    }
    Ok(Place { room, token, now_ms })
}

/// A place in a line that stands as Redis tells.
fn counted(place: Place, issued_count: i64, admitted_through: i64) -> Place {
    Place { room: Room { issued_count, admitted_through, ..place.room }, ..place }
}

fn full(room: Room, now_ms: i64) -> Result<pb::QueueToken, Fault> {
    let waiting_count = room.settings.max_waiting;
    refused(Room { waiting_count, ..room }, now_ms)
}

/// The reason for which people may not join; it may be gone by now.
fn refused(room: Room, now_ms: i64) -> Result<pb::QueueToken, Fault> {
    room.expect_joinable(now_ms)?;
    Err(moved().into())
}

fn moved() -> Refusal {
    Refusal::new(Code::Aborted, MOVED, "the line has moved meanwhile; make the move anew")
}

fn behind() -> Refusal {
    Refusal::new(Code::Aborted, BEHIND, "the line is behind the tables; load it anew")
}

fn is_moved<T>(answer: &Result<T, Fault>) -> bool {
    matches!(answer, Err(Fault::Refused(refusal)) if refusal.reason == MOVED)
}

/// Whether the row may have been written.
fn is_in_doubt<T>(answer: &Result<T, Fault>) -> bool {
    matches!(answer, Err(Fault::Store(db::Error::InDoubt(_))))
}
