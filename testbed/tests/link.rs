//! A link between processes that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use testbed::link::{Link, Way};

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// A request, and the answer to it: long enough not to be taken for housekeeping.
const QUESTION: &[u8] = b"a question that is as long as questions are";

/// Answers everything with the same, and tells what it was asked.
fn echo() -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, tells) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            std::thread::spawn(move || {
                let (mut client, mut buffer) = (client, [0; 256]);
                while let Ok(length @ 1..) = client.read(&mut buffer) {
                    if told.send(buffer[..length].to_vec()).is_err() || client.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, tells)
}

fn connect(link: &Link) -> TcpStream {
    let client = TcpStream::connect(link.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Whether the answer comes; else the connection has ended.
fn ask(client: &mut TcpStream) -> bool {
    let mut answer = vec![0; QUESTION.len()];
    client.write_all(QUESTION).is_ok() && client.read_exact(&mut answer).is_ok() && answer == QUESTION
}

#[test]
fn what_is_cut_can_be_opened_again_and_what_is_down_cannot() {
    let (server, _asked) = echo();
    let link = Link::to(&server).unwrap();
    let mut client = connect(&link);
    assert!(ask(&mut client));
    link.cut();
    assert!(!ask(&mut client));
    assert!(ask(&mut connect(&link)));
    link.take_down();
    assert!(!ask(&mut connect(&link)));
    link.heal();
    assert!(ask(&mut connect(&link)));
    assert!(link.counts().cut >= 2, "{:?}", link.counts());
}

#[test]
fn a_lost_reply_was_asked_for_and_done() {
    let (server, asked) = echo();
    let link = Link::to(&server).unwrap();
    link.lose_replies(b"question", 1);
    assert!(!ask(&mut connect(&link)));
    assert_eq!(asked.recv_timeout(PATIENCE).unwrap(), QUESTION, "it has arrived");
    assert_eq!(link.counts().lost, 1);
    assert!(ask(&mut connect(&link)), "only that one");
    link.lose_replies(b"something else", 1);
    assert!(ask(&mut connect(&link)), "only those that are meant");
}

#[test]
fn what_is_held_in_one_direction_arrives_once_it_is_let_go() {
    let (server, asked) = echo();
    let link = Link::to(&server).unwrap();
    let mut client = connect(&link);
    link.hold(Way::Back);
    client.write_all(QUESTION).unwrap();
    assert_eq!(asked.recv_timeout(PATIENCE).unwrap(), QUESTION, "the other direction is open");
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut answer = vec![0; QUESTION.len()];
    assert!(client.read(&mut answer).is_err(), "nothing comes back");
    link.heal();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.read_exact(&mut answer).unwrap();
    assert_eq!(answer, QUESTION);
    link.hold(Way::There);
    client.write_all(QUESTION).unwrap();
    assert!(asked.recv_timeout(Duration::from_millis(50)).is_err(), "nothing gets there");
    link.cut();
    assert!(client.read_exact(&mut answer).is_err(), "one that is held can be cut");
}

#[test]
fn what_is_late_arrives_and_who_is_led_elsewhere_gets_there() {
    let (server, _asked) = echo();
    let (other, asked) = echo();
    let link = Link::to(&server).unwrap();
    link.delay(Way::There, Duration::from_millis(20));
    assert!(ask(&mut connect(&link)));
    assert_eq!(link.counts().late, 1);
    link.lead_to(&other);
    assert!(ask(&mut connect(&link)));
    assert_eq!(asked.recv_timeout(PATIENCE).unwrap(), QUESTION);
}
