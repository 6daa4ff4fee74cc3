//! Events that nobody takes: listed, and offered again to who takes them by now.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::process::{Skald, run, stderr, stdout};
use crate::shop::{self, Size};

const SIZE: Size = Size { customers: 2, seats_each: 1, affordable: 1, spare: 0 };
const PATIENCE: Duration = Duration::from_secs(60);

/// A webhook that answers every request with the same status, and counts them. It ends with the test process.
fn webhook(status: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("events.webhook.url=http://{}/", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            // A body is JSON and so ends with a bracket.
            while !request.ends_with(b"}") {
                match stream.read(&mut bytes) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&bytes[..read]),
                }
            }
            count.fetch_add(1, Ordering::SeqCst);
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    (url, asked)
}

fn dead(directory: &Path) -> Vec<Value> {
    let listed = run(&["events", "dead", "--json", "--data-dir", directory.to_str().unwrap()]);
    assert_eq!(listed.status.code(), Some(0), "{}", stderr(&listed));
    serde_json::from_str(&stdout(&listed)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_listed_and_goes_out_when_it_is_offered_again() {
    let dir = tempfile::tempdir().unwrap();
    let (url, _) = webhook("422 Unprocessable Entity");
    let refusing = ["--set", "events.sinks=[\"webhook\"]", "--set", "events.refusals=1", "--set", &url];
    let skald = Skald::start(dir.path(), &refusing).await;
    shop::open(&skald.channel().await, SIZE).await;
    let listed = tokio::time::timeout(PATIENCE, async {
        while dead(dir.path()).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    listed.await.unwrap();
    assert_eq!(skald.terminate().await.0, Some(0));
    let letters = dead(dir.path());
    let text = |name: &str| letters[0][name].as_str().unwrap().to_owned();
    let (event, source, sink) = (text("event"), text("source"), text("sink"));
    assert_eq!((sink.as_str(), text("why").as_str()), ("webhook", "422 Unprocessable Entity"));

    let directory = dir.path().to_str().unwrap();
    let again = || run(&["events", "again", &event, &source, &sink, "--data-dir", directory]);
    let said = again();
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    assert!(stdout(&said).contains("is offered to webhook again"), "{}", stdout(&said));
    let said = again();
    assert_eq!(said.status.code(), Some(1));
    assert!(stderr(&said).contains("has no dead letter"), "{}", stderr(&said));
    assert_eq!(dead(dir.path()).len() + 1, letters.len());

    let (url, taken) = webhook("204 No Content");
    let skald = Skald::start(dir.path(), &["--set", "events.sinks=[\"webhook\"]", "--set", &url]).await;
    let arrived = tokio::time::timeout(PATIENCE, async {
        while taken.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    });
    arrived.await.unwrap();
    assert_eq!(skald.terminate().await.0, Some(0));
}
