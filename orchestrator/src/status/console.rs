//! Pages for people: which sagas there are, and one saga as a tree of its steps. Rendered here, live by a small script
//! that fetches the same fragments again. What stands on a page is worked out in `list.rs` and `tree.rs`, how it looks
//! in the templates and assets beside the sources.
//!
//! Pages show; what can be done from them is in `act.rs`.

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::SAGAS;
use crate::desk::Desk;
use crate::journal::Record;

mod act;
mod exposure;
mod list;
mod text;
mod tree;

use act::Acting;
use exposure::Exposure;
use list::{List, Wanted};
use tree::Tree;

/// Longest form that is read, in bytes: two texts of the longest that a history keeps.
const LARGEST_FORM: usize = 16 * 1024;
/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "sagas.html")]
struct Sagas {
    list: List,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListAlone {
    list: List,
}

#[derive(Template)]
#[template(path = "saga.html")]
struct Saga {
    tree: Tree,
    acting: Acting,
}

impl Saga {
    async fn fetch(desk: &Desk, record: &Record, acting: Acting) -> Result<Self, Fault> {
        Ok(Self { tree: Tree::fetch(desk, record).await?, acting })
    }
}

#[derive(Template)]
#[template(path = "tree.html")]
struct TreeAlone {
    tree: Tree,
}

#[derive(Template)]
#[template(path = "exposure.html")]
struct WhatIsHeld {
    exposure: Exposure,
}

#[derive(Template)]
#[template(path = "exposure_table.html")]
struct WhatIsHeldAlone {
    exposure: Exposure,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem {
    status: StatusCode,
    title: &'static str,
    text: String,
}

/// The console's routes.
pub(crate) fn pages(desk: Desk) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/sagas") }))
        .route("/sagas", get(sagas))
        .route("/sagas/list", get(list_alone))
        .route("/sagas/{id}", get(saga))
        .route("/sagas/{id}/live", get(live))
        .route("/sagas/{id}/act", post(act::post))
        .route("/exposure", get(exposure))
        .route("/exposure/table", get(exposure_alone))
        .route("/assets/console.css", get(|| asset("text/css", include_str!("../../assets/console.css"))))
        .route("/assets/console.js", get(|| asset("text/javascript", include_str!("../../assets/console.js"))))
        .route("/assets/icon.svg", get(|| asset("image/svg+xml", include_str!("../../assets/icon.svg"))))
        .with_state(desk)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(map_response(guarded))
}

type Page = Result<Response, Problem>;
type Parameters = Query<Vec<(String, String)>>;

async fn sagas(State(desk): State<Desk>, Query(parameters): Parameters) -> Page {
    let list = List::fetch(&desk, Wanted::read(parameters)).await?;
    Ok(page(StatusCode::OK, &Sagas { list }))
}

async fn list_alone(State(desk): State<Desk>, Query(parameters): Parameters) -> Page {
    let list = List::fetch(&desk, Wanted::read(parameters)).await?;
    Ok(page(StatusCode::OK, &ListAlone { list }))
}

async fn saga(State(desk): State<Desk>, Path(id): Path<String>, Query(parameters): Parameters) -> Page {
    let record = desk.load(&SAGAS, read_id(&id)?).await?;
    let done = parameters.iter().find(|(name, _)| name == "done").map_or("", |(_, verb)| verb);
    let acting = Acting::on(&desk, &record, done);
    Ok(page(StatusCode::OK, &Saga::fetch(&desk, &record, acting).await?))
}

async fn exposure(State(desk): State<Desk>) -> Page {
    let exposure = Exposure::fetch(&desk).await?;
    Ok(page(StatusCode::OK, &WhatIsHeld { exposure }))
}

async fn exposure_alone(State(desk): State<Desk>) -> Page {
    let exposure = Exposure::fetch(&desk).await?;
    Ok(page(StatusCode::OK, &WhatIsHeldAlone { exposure }))
}

/// One event for each version; the last one, of a saga that has ended, goes by another name, so that the page need not
/// come back for more.
async fn live(State(desk): State<Desk>, Path(id): Path<String>) -> Page {
    let versions = desk.versions(&SAGAS, read_id(&id)?).await?;
    let events = versions.then(move |record| {
        let desk = desk.clone();
        async move {
            let tree = Tree::fetch(&desk, &record).await.map_err(|_| axum::Error::new("the journal cannot be read"))?;
            let fragment = TreeAlone { tree }.render().map_err(axum::Error::new)?;
            let name = if record.saga.is_terminal() { "end" } else { "version" };
            Ok::<_, axum::Error>(Event::default().event(name).data(fragment))
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn read_id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::missing(format!("sagas/{text} does not exist")))
}

impl Problem {
    fn missing(text: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, title: "No such saga", text }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        if let Fault::Refused(refusal) = fault {
            return Self::missing(refusal.message);
        }
        tracing::warn!(?fault, "a page cannot be shown");
        let text = "The journal cannot be read at the moment; try again.".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, title: "Not now", text }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        page(self.status, &self)
    }
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text)
}

async fn guarded(mut response: Response) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not less: a page that may not tell where it is may not tell the origin of what it posts either.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
