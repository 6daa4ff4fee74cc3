//! The pages for people.

use axum::body::Body;
use http::{Request, StatusCode};
use proto::orchestrator::v1 as pb;
use service_kit::refusal::{Refusal, SagaOutcome};
use tower::ServiceExt as _;

use crate::world::{World, request, seconds};

async fn answer(world: &World, path: &str) -> http::Response<Body> {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    world.pages.clone().oneshot(request).await.unwrap()
}

pub(crate) async fn page(world: &World, path: &str) -> (StatusCode, String) {
    let answer = answer(world, path).await;
    let status = answer.status();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn id(name: &str) -> &str {
    name.split_once('/').unwrap().1
}

#[tokio::test]
async fn the_list_shows_each_saga_and_filters_narrow_it() {
    let world = World::new().await;
    let ended = world.ended(1).await;
    let (status, html) = page(&world, "/sagas").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains(&format!("/sagas/{}", id(&ended.name))) && html.contains("badge completed"));
    for (query, shown) in [
        ("state=COMPLETED", true),
        ("state=SUSPENDED", false),
        (&*format!("customer={}", ended.customer), true),
        (&*format!("customer={}", id(&ended.customer)), true),
        ("customer=customers/nobody", false),
        (&*format!("reservation={}", ended.reservation), true),
    ] {
        let (_, html) = page(&world, &format!("/sagas/list?{query}")).await;
        assert_eq!(html.contains(id(&ended.name)), shown, "{query}");
    }
    assert_eq!(answer(&world, "/").await.headers()["location"], "/sagas");
}

#[tokio::test]
async fn older_sagas_are_on_later_pages() {
    let world = World::new().await;
    for number in 0..60 {
        world.ended(number).await;
    }
    let (_, first) = page(&world, "/sagas/list").await;
    assert_eq!(first.matches("<a class=\"id\"").count(), 50);
    let token = first.split("name=\"page\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, second) = page(&world, &format!("/sagas/list?page={token}")).await;
    assert_eq!(second.matches("<a class=\"id\"").count(), 10);
    assert!(!second.contains("name=\"page\""));
}

#[tokio::test]
async fn a_saga_is_shown_with_every_attempt_and_its_history() {
    let world = World::new().await;
    let ended = world.ended(1).await;
    let (status, html) = page(&world, &format!("/sagas/{}", id(&ended.name))).await;
    assert_eq!(status, StatusCode::OK);
    for text in ["lock-reservation", "complete-token", "side by side", "The Weaving", "Floor A 12", "accepted"] {
        assert!(html.contains(text), "{text}");
    }
    assert_eq!(html.matches("<rect").count(), 6);
}

#[tokio::test]
async fn whatever_others_wrote_is_shown_as_text() {
    let world = World::new().await;
    let hostile = "</script><script>alert(1)</script>\r\n\r\ndata: \"'><img src=x onerror=alert(1)>\u{202e}";
    *world.fakes.title.lock().unwrap() = hostile.into();
    let refusal = Refusal::precondition("INSUFFICIENT_POINTS", hostile);
    world.fakes.fail("ReservePoints", SagaOutcome::Refused.mark(refusal.into_status("x")));
    let ended = world.ended(1).await;
    let saga = format!("/sagas/{}", id(&ended.name));
    let hostile_query =
        "state=%22%3E%3Cscript%3E&customer=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&reservation=%00&page=%3C";
    for path in [saga.clone(), format!("{saga}/live"), "/sagas".into(), format!("/sagas?{hostile_query}")] {
        let (status, html) = page(&world, &path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/assets/console.js\"").count());
        assert!(!html.contains("<img"), "{path}");
    }
    let (_, stream) = page(&world, &format!("{saga}/live")).await;
    let mut lines = stream.trim_end().split(['\n', '\r']);
    assert_eq!(lines.next(), Some("event: end"));
    assert!(lines.all(|line| line.starts_with("data: ")), "nothing cuts the event in two");
    let (status, html) = page(&world, "/sagas/%3Cscript%3Ealert(1)").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(!html.contains("<script>"));
}

#[tokio::test]
async fn odd_addresses_are_answered_and_never_break_a_page() {
    let world = World::new().await;
    for path in
        ["/sagas?page=%FF%FE", "/sagas?state=", "/sagas?x=y&x=z", "/sagas?page=MSwyLDM", "/sagas?&&==", "/sagas?%"]
    {
        assert_eq!(answer(&world, path).await.status(), StatusCode::OK, "{path}");
    }
    let unknown = uuid::Uuid::nil();
    for path in [format!("/sagas/{unknown}"), format!("/sagas/{unknown}/live"), "/sagas/x".into()] {
        assert_eq!(answer(&world, &path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_hold_no_script_or_style_of_their_own() {
    let world = World::new().await;
    let ended = world.ended(1).await;
    for path in ["/sagas".to_owned(), format!("/sagas/{}", id(&ended.name)), "/sagas/x".into()] {
        let policy = answer(&world, &path).await.headers()["content-security-policy"].clone();
        assert!(policy.to_str().unwrap().starts_with("default-src 'self'"));
        let (_, html) = page(&world, &path).await;
        for inline in ["<style", "style=", "onclick", "<script>", "http://", "https://"] {
            assert!(!html.contains(inline), "{path}: {inline}");
        }
    }
    for (path, kind) in [("/assets/console.css", "text/css"), ("/assets/console.js", "text/javascript")] {
        let answer = answer(&world, path).await;
        assert_eq!((answer.status(), &answer.headers()["content-type"]), (StatusCode::OK, &kind.parse().unwrap()));
    }
}

#[tokio::test]
async fn a_saga_is_streamed_version_by_version_until_it_has_ended() {
    let world = World::new().await;
    let release = world.fakes.hold("LockReservation");
    let placed = world.create(pb::CreateCheckoutRequest { wait: seconds(0), ..request(1) }).await.unwrap();
    let path = format!("/sagas/{}/live", id(&placed.name));
    let ((_, stream), ()) = tokio::join!(page(&world, &path), async {
        tokio::task::yield_now().await;
        release.send(true).unwrap();
    });
    assert!(stream.starts_with("event: version\n"), "{stream}");
    assert_eq!(stream.matches("event: end\n").count(), 1);
    let (_, again) = page(&world, &path).await;
    assert!(again.starts_with("event: end\n"));
}

#[tokio::test]
async fn a_stop_ends_the_stream_of_a_page() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let placed = world.create(pb::CreateCheckoutRequest { wait: seconds(0), ..request(1) }).await.unwrap();
    let path = format!("/sagas/{}/live", id(&placed.name));
    let ((_, stream), ()) = tokio::join!(page(&world, &path), async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.host.stop.cancel();
    });
    assert!(!stream.contains("event: end"), "so that the page comes back when there is a server again");
}
