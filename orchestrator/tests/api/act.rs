//! What a person does from a saga's page, and what nobody can make his browser do.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use pb::saga::State;
use pb::saga_event::Kind;
use proto::orchestrator::v1 as pb;
use tower::ServiceExt as _;

use crate::operate::{end, events, get, placed};
use crate::world::World;

const HERE: &str = "127.0.0.1:7070";

/// A form as a browser posts it from the page itself.
fn posted(saga: &pb::Saga) -> http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(format!("/{}/act", saga.name))
        .header("host", HERE)
        .header("content-type", "application/x-www-form-urlencoded")
}

fn form(saga: &pb::Saga, verb: &str, reason: &str) -> String {
    format!("verb={verb}&version={}&reason={}", saga.version, reason.replace(' ', "+"))
}

async fn send(world: &World, request: Request<Body>) -> (StatusCode, String, String) {
    let answer = world.pages.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    (status, location, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn post(world: &World, saga: &pb::Saga, form: String) -> (StatusCode, String, String) {
    let request = posted(saga).header("sec-fetch-site", "same-origin").body(Body::from(form)).unwrap();
    send(world, request).await
}

async fn page(world: &World, path: &str) -> String {
    send(world, Request::builder().uri(path).body(Body::empty()).unwrap()).await.2
}

/// The verbs that a page offers, by its buttons.
fn offered(html: &str) -> Vec<&str> {
    let buttons = html.split("<button name=\"verb\" value=\"").skip(1);
    let shown = buttons.filter(|button| !button.split('>').next().unwrap().contains("hidden"));
    shown.map(|button| button.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn a_saga_is_suspended_resumed_and_aborted_from_its_page_and_the_history_has_who_and_why() {
    let world = World::new().await;
    let _never = world.fakes.hold("ReservePoints");
    let mut saga = placed(&world).await;
    for (verb, state, next) in [
        ("suspend", State::Suspended, &["resume", "abort", "resolve"][..]),
        ("resume", State::Running, &["retry", "suspend", "abort", "resolve"]),
        ("abort", State::Compensating, &["retry", "suspend", "resolve"]),
    ] {
        saga = get(&world, &saga.name).await;
        let (status, location, _) = post(&world, &saga, form(&saga, verb, "so that <b>all</b> see")).await;
        assert_eq!((status, location.as_str()), (StatusCode::SEE_OTHER, &*format!("/{}?done={verb}", saga.name)));
        let shown = page(&world, &location).await;
        assert!(shown.contains(&format!("Done: {verb}.")), "{verb}");
        let now = get(&world, &saga.name).await;
        if now.state() == state {
            assert_eq!(offered(&shown), next, "after {verb}");
        }
        assert!(shown.contains("operator at the console asked to") && !shown.contains("<b>all</b>"));
    }
    let ended = end(&world, &saga.name).await;
    assert_eq!(ended.state(), State::Compensated);
    let acts: Vec<_> =
        events(&world, &saga.name, 0).await.into_iter().filter(|event| event.kind() == Kind::Intervention).collect();
    let who: Vec<_> = acts.iter().map(|event| (event.actor.as_str(), event.reason.as_str())).collect();
    assert_eq!(who, [("operator at the console", "so that <b>all</b> see"); 3]);
    let over = page(&world, &format!("/{}", saga.name)).await;
    assert!(offered(&over).is_empty(), "nothing can be done to what has ended");
}

#[tokio::test]
async fn a_page_acts_on_the_version_that_it_shows() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let saga = placed(&world).await;
    let shown = page(&world, &format!("/{}", saga.name)).await;
    assert!(shown.contains(&format!("name=\"version\" value=\"{}\"", saga.version)));
    assert_eq!(post(&world, &saga, form(&saga, "suspend", "a look")).await.0, StatusCode::SEE_OTHER);
    // The same form once more, as after going back.
    let (status, _, html) = post(&world, &saga, form(&saga, "abort", "never mind")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(html.contains("moved on to version") && html.contains("never mind</textarea>"), "{html}");
    let now = get(&world, &saga.name).await;
    assert_eq!(now.state(), State::Suspended);
    assert!(
        html.contains(&format!("name=\"version\" value=\"{}\"", now.version)),
        "the next try is on what is shown now"
    );
}

#[tokio::test]
async fn what_is_missing_or_makes_no_sense_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let saga = placed(&world).await;
    let version = saga.version;
    for (form, status, told) in [
        (format!("verb=abort&version={version}&reason="), StatusCode::BAD_REQUEST, "reason is required"),
        (format!("verb=abort&version={version}&reason=+"), StatusCode::BAD_REQUEST, "reason is required"),
        (format!("verb=abort&version={version}"), StatusCode::BAD_REQUEST, "reason is required"),
        (
            format!("verb=abort&version={version}&reason={}", "x".repeat(501)),
            StatusCode::BAD_REQUEST,
            "longer than 500",
        ),
        (format!("verb=abort&version={version}&reason=a%00b"), StatusCode::BAD_REQUEST, "NUL"),
        ("verb=abort&reason=x".into(), StatusCode::BAD_REQUEST, "version is missing"),
        ("verb=abort&reason=x&version=0".into(), StatusCode::BAD_REQUEST, "version is missing"),
        (format!("verb=explode&version={version}&reason=x"), StatusCode::BAD_REQUEST, "verb is none"),
        (format!("version={version}&reason=x"), StatusCode::BAD_REQUEST, "verb is none"),
        (format!("verb=resume&version={version}&reason=x"), StatusCode::CONFLICT, "not suspended"),
        (format!("verb=resolve&version={version}&reason=x"), StatusCode::BAD_REQUEST, "evidence is required"),
        (
            format!("verb=resolve&version={version}&reason=x&evidence=y&step=lock-reservation&state=REFUSED"),
            StatusCode::CONFLICT,
            "in flight",
        ),
        (format!("verb=abort&version={version}&reason={}", "x".repeat(20_000)), StatusCode::PAYLOAD_TOO_LARGE, ""),
    ] {
        let (code, _, html) = post(&world, &saga, form.clone()).await;
        assert_eq!(code, status, "{form}: {html}");
        assert!(html.contains(told), "{form}: {html}");
    }
    let gone = pb::Saga { name: format!("sagas/{}", uuid::Uuid::nil()), ..saga.clone() };
    assert_eq!(post(&world, &gone, form(&gone, "abort", "x")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&world, &saga.name).await, saga);
}

#[tokio::test]
async fn no_other_site_can_make_a_browser_act() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let saga = placed(&world).await;
    let foreign = "https://evil.example";
    // Sec-Fetch-Site, Origin, Host.
    for (site, origin, host) in [
        (Some("cross-site"), Some(foreign), HERE),
        (Some("cross-site"), None, HERE),
        (Some("same-site"), Some("http://127.0.0.1:8080"), HERE),
        (Some("none"), None, HERE),
        (Some("cross-site"), Some("http://127.0.0.1:7070"), HERE),
        (None, Some(foreign), HERE),
        (None, Some("null"), HERE),
        (None, Some("http://127.0.0.1:8080"), HERE),
        (None, Some("http://127.0.0.1"), HERE),
        (None, None, HERE),
        // A name that its owner has pointed here.
        (Some("same-origin"), Some("http://evil.example:7070"), "evil.example:7070"),
        (None, Some("http://evil.example:7070"), "evil.example:7070"),
    ] {
        let mut request = posted(&saga);
        request.headers_mut().unwrap().insert("host", host.parse().unwrap());
        for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let (status, _, html) = send(&world, request.body(Body::from(form(&saga, "abort", "x"))).unwrap()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{site:?} {origin:?} {host}");
        assert!(html.contains("Nothing was done"), "{html}");
    }
    assert_eq!(get(&world, &saga.name).await, saga);
    // An older browser tells the origin alone.
    let request = posted(&saga).header("origin", format!("http://{HERE}"));
    let request = request.body(Body::from(form(&saga, "suspend", "x"))).unwrap();
    assert_eq!(send(&world, request).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nothing_is_done_by_looking() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let saga = placed(&world).await;
    let form = form(&saga, "abort", "x");
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let request = Request::builder().method(method.clone()).uri(format!("/{}/act?{form}", saga.name));
        let request = request.header("host", HERE).header("sec-fetch-site", "same-origin").body(Body::empty()).unwrap();
        assert_eq!(send(&world, request).await.0, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    page(&world, &format!("/{}?{form}&done=%3Cscript%3E", saga.name)).await;
    let json = posted(&saga).header("sec-fetch-site", "same-origin");
    let json = json.header("content-type", "application/json").body(Body::from("{}")).unwrap();
    assert!(send(&world, json).await.0.is_client_error());
    assert_eq!(get(&world, &saga.name).await, saga);
}

#[tokio::test]
async fn the_page_of_the_exposure_shows_what_is_held_and_why() {
    let world = World::new().await;
    let _never = world.fakes.hold("ReservePoints");
    let saga = placed(&world).await;
    while !page(&world, "/exposure/table").await.contains("50,000") {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let saga = get(&world, &saga.name).await;
    post(&world, &saga, form(&saga, "suspend", "a look")).await;
    let html = page(&world, "/exposure").await;
    for text in ["1 suspended", "reserve-points", "SUSPENDED", "50,000", "/sagas?state=SUSPENDED", "data-poll"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(page(&world, "/sagas").await.contains("<b class=\"bad\">1</b> suspended"));
}
