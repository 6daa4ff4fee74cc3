//! The processor over HTTP. What a payment has become is in the body, whatever the status says; 402 means that the bank
//! has declined a capture.

use std::io;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, http::StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::books::{Books, No, Order, Payment};
use super::faults::{Fate, Faults};
use super::{Desk, SharedDesk};

/// What a request asks for.
#[derive(Debug, Clone)]
enum Ask {
    Authorize(Order),
    Capture(String),
    Void(String),
    Refund(String, Refund),
    Read(String),
}

#[derive(Debug, Clone, Deserialize)]
struct Refund {
    id: String,
    amount: i64,
}

pub(super) fn routes(desk: SharedDesk) -> Router {
    Router::new()
        .route("/payments", post(authorize))
        .route("/payments/{id}", get(read))
        .route("/payments/{id}/capture", post(capture))
        .route("/payments/{id}/void", post(void))
        .route("/payments/{id}/refunds", post(refund))
        .route("/admin/faults", put(set_faults).get(faults))
        .route("/admin/books", get(books))
        .with_state(desk)
}

async fn authorize(Extract(desk): Extract<SharedDesk>, Json(order): Json<Order>) -> Response {
    handle(desk, Ask::Authorize(order)).await
}

async fn read(Extract(desk): Extract<SharedDesk>, Path(id): Path<String>) -> Response {
    handle(desk, Ask::Read(id)).await
}

async fn capture(Extract(desk): Extract<SharedDesk>, Path(id): Path<String>) -> Response {
    handle(desk, Ask::Capture(id)).await
}

async fn void(Extract(desk): Extract<SharedDesk>, Path(id): Path<String>) -> Response {
    handle(desk, Ask::Void(id)).await
}

async fn refund(Extract(desk): Extract<SharedDesk>, Path(id): Path<String>, Json(refund): Json<Refund>) -> Response {
    handle(desk, Ask::Refund(id, refund)).await
}

async fn set_faults(Extract(desk): Extract<SharedDesk>, Json(faults): Json<Faults>) -> StatusCode {
    desk.set(faults);
    StatusCode::NO_CONTENT
}

async fn faults(Extract(desk): Extract<SharedDesk>) -> Json<Faults> {
    Json(desk.faults())
}

async fn books(Extract(desk): Extract<SharedDesk>) -> Json<Vec<Payment>> {
    Json(desk.books().into_values().collect())
}

async fn handle(desk: SharedDesk, ask: Ask) -> Response {
    let fate = desk.receive().await;
    tokio::time::sleep(fate.delay).await;
    if fate.is_lost {
        return broken();
    }
    if fate.is_unavailable {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let answer = act(&desk, &ask, &fate);
    if let Some(later) = fate.again {
        let (desk, fate) = (desk.clone(), fate.clone());
        desk.clone().later(later, move || {
            drop(act(&desk, &ask, &fate));
        });
    }
    if fate.reply_is_lost {
        return broken();
    }
    match answer {
        Ok(payment) => Json(payment).into_response(),
        Err(No::Unknown) => StatusCode::NOT_FOUND.into_response(),
        Err(No::Conflict(payment)) => (StatusCode::CONFLICT, Json(*payment)).into_response(),
        Err(No::Declined(code)) => (StatusCode::PAYMENT_REQUIRED, Json(json!({ "code": code }))).into_response(),
    }
}

/// Does what is asked for, and tells the merchant.
fn act(desk: &Desk, ask: &Ask, fate: &Fate) -> Result<Payment, No> {
    let (event, answer) = desk.with(|books: &mut Books| match ask {
        Ask::Authorize(order) => {
            let decline = order.token.strip_prefix("tok_decline_").map(str::to_owned);
            ("payment.authorized", books.authorize(order, decline.or_else(|| fate.decline.clone())))
        }
        Ask::Capture(id) => ("payment.captured", books.capture(id, fate.decline_capture.clone())),
        Ask::Void(id) => ("payment.voided", books.void(id)),
        Ask::Refund(id, refund) => ("payment.refunded", books.refund(id, &refund.id, refund.amount)),
        Ask::Read(id) => ("", books.payment(id)),
    });
    if let (Ok(payment), false) = (&answer, event.is_empty()) {
        desk.tell(&payment.id, event);
    }
    answer
}

/// A reply that breaks off, and its connection with it.
fn broken() -> Response {
    let end = futures_util::stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
    Response::new(Body::from_stream(end))
}
