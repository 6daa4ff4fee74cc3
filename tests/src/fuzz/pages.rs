//! Addresses of the console's pages. Lines of the bytes are values of the parameters; the first byte chooses the page.
//! Whoever looks gets a page, and what he has asked for never becomes part of its markup.

use std::cell::RefCell;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use crate::World;

const PAGES: [&str; 5] = ["/sagas", "/sagas/list", "/exposure", "/exposure/table", "/sagas/"];
const PARAMETERS: [&str; 5] = ["page", "customer", "reservation", "state", "done"];

struct Set {
    world: World,
    runtime: Runtime,
    saga: String,
}

thread_local! {
    // Never taken down: a database cannot be while its thread's own storage is.
    static SET: &'static RefCell<Set> = Box::leak(Box::new(RefCell::new(Set::new())));
}

impl Set {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (world, saga) = runtime.block_on(async {
            let world = World::new().await;
            let held = world.held(1).await;
            let bought = world.buy(&held).await.name;
            let saga = bought.trim_start_matches("checkouts/").to_owned();
            (world, saga)
        });
        Self { world, runtime, saga }
    }

    async fn look(&self, address: &str) -> (StatusCode, String) {
        let Ok(request) = Request::get(address).body(Body::empty()) else {
            return (StatusCode::BAD_REQUEST, String::new());
        };
        let answer = self.world.started().pages.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

pub(super) fn run(data: &[u8]) {
    let Some((page, values)) = data.split_first() else { return };
    SET.with(|set| {
        let set = set.borrow();
        let mut address = PAGES[usize::from(*page) % PAGES.len()].to_owned();
        let mut values = values.split(|byte| *byte == b'\n');
        if address == "/sagas/" {
            let id = values.next().unwrap_or_default();
            address += &if id.is_empty() { set.saga.clone() } else { escape(id) };
        }
        let values: Vec<_> = values.take(PARAMETERS.len()).collect();
        let query = PARAMETERS.iter().zip(&values).map(|(name, value)| format!("{name}={}", escape(value)));
        address += &format!("?{}", query.collect::<Vec<_>>().join("&"));
        let (status, body) = set.runtime.block_on(set.look(&address));
        assert!(status.as_u16() < 500, "{status} at {address}: {body}");
        for value in values.iter().filter(|value| value.starts_with(b"<x")) {
            let shown = String::from_utf8_lossy(value).into_owned();
            assert!(!body.contains(shown.trim()), "{shown} is markup at {address}");
        }
    });
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "\0",
        "\0\ncustomers/01990000-0000-7000-8000-000000000001\nreservations/1\nRUNNING",
        "\u{1}MTgwMDAwMDAwMDAwMCwx\n<x onload=a>\n<x>\n<x>",
        "\u{2}",
        "\u{3}",
        "\u{4}",
        "\u{4}\n\n\n\n<x>",
        "\u{4}../../etc/passwd",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}
