use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::control::fixture::{Holder, connected, holder};
use crate::control::{Brakes, Pause};
use crate::engine::Snapshot;

struct Server {
    address: SocketAddr,
    holder: Holder,
    task: JoinHandle<Infallible>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn server(limits: Limits, snapshot: Snapshot) -> Server {
    let holder = holder(snapshot);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(serve_within(limits, listener, holder.view.clone()));
    Server {
        address,
        holder,
        task,
    }
}

/// Sends `request` and reads until the other end closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let response = exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn ready_means_connected_and_resynced_and_healthy_does_not() {
    let server = server(LIMITS, connected(false, false)).await;
    for (snapshot, expected) in [
        (connected(false, false), (503, "waiting for libvirt\n")),
        (
            connected(true, false),
            (503, "reading the guests from libvirt\n"),
        ),
        (connected(true, true), (200, "ready\n")),
        (connected(false, true), (503, "waiting for libvirt\n")),
    ] {
        server.holder.snapshot.send(Arc::new(snapshot)).unwrap();
        let (status, body) = get(server.address, "/-/ready").await;
        assert_eq!((status, body.as_str()), expected);
        assert_eq!(get(server.address, "/-/healthy").await.0, 200);
    }
}

#[tokio::test]
async fn a_scrape_shows_the_present_snapshot() {
    let server = server(LIMITS, connected(false, false)).await;
    let scraped = get(server.address, "/metrics").await.1;
    assert!(
        scraped.contains("\nmacmove_libvirt_connected 0\n"),
        "{scraped}"
    );
    server
        .holder
        .snapshot
        .send(Arc::new(connected(true, true)))
        .unwrap();
    let response = exchange(server.address, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        response.contains("\nmacmove_libvirt_connected 1\n"),
        "{response}"
    );
    assert!(response.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
}

#[tokio::test]
async fn only_known_pages_by_get_and_head() {
    let server = server(LIMITS, connected(true, true)).await;
    assert!(get(server.address, "/").await.1.contains("macmoved 1.2.3"));
    assert_eq!(get(server.address, "/-/ready?x=1").await.0, 200);
    for path in ["/metrics/", "/-/reload", "/../etc/passwd", "//metrics"] {
        assert_eq!(get(server.address, path).await.0, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let request = format!("{method} /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let response = exchange(server.address, &request).await;
        assert!(response.starts_with("HTTP/1.1 405 "), "{response}");
        assert!(response.contains("allow: GET, HEAD\r\n"), "{response}");
    }
    let response = exchange(server.address, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        response.starts_with("HTTP/1.1 200 ") && response.ends_with("\r\n\r\n"),
        "{response}"
    );
}

#[tokio::test]
async fn a_connection_carries_one_request() {
    let server = server(LIMITS, connected(true, true)).await;
    let one = "GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
    let response = exchange(server.address, &one.repeat(3)).await;
    assert_eq!(response.matches("HTTP/1.1 200").count(), 1, "{response}");
}

#[tokio::test]
async fn a_scrape_shows_the_brakes() {
    let server = server(LIMITS, connected(true, true)).await;
    for (paused, safe_mode) in [(true, false), (false, true)] {
        server.holder.brakes.send_replace(Brakes {
            pause: paused.then_some(Pause::Command { until: None }),
            safe_mode,
        });
        let (_, text) = get(server.address, "/metrics").await;
        for (name, holds) in [("paused", paused), ("safe_mode", safe_mode)] {
            let line = format!("\nmacmove_{name} {}\n", u8::from(holds));
            assert!(text.contains(&line), "{line}");
        }
    }
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let server = server(LIMITS, connected(true, true)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n",
        "x".repeat(4 * HEAD_OCTETS)
    );
    // The other end may close before it has all.
    let sent = stream.write_all(head.as_bytes()).await;
    let mut response = Vec::new();
    let read = stream.read_to_end(&mut response).await;
    let refused = String::from_utf8_lossy(&response).starts_with("HTTP/1.1 431 ");
    assert!(refused || sent.is_err() || read.is_err(), "{response:?}");
    assert_eq!(get(server.address, "/-/healthy").await.0, 200);
}

/// Limits that a test can wait for.
const TIGHT: Limits = Limits {
    connections: 2,
    head: Duration::from_millis(200),
    lifetime: Duration::from_millis(600),
};

#[tokio::test]
async fn callers_that_dawdle_keep_nobody_out_for_long() {
    let server = server(TIGHT, connected(true, true)).await;
    let mut dawdlers = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        dawdlers.push(stream);
    }
    let start = Instant::now();
    assert_eq!(get(server.address, "/-/healthy").await.0, 200);
    let waited = start.elapsed();
    // Six dawdlers in pairs, one head's time each.
    assert!(waited >= 2 * TIGHT.head, "bounded connections: {waited:?}");
    assert!(waited < 20 * TIGHT.head, "{waited:?}");
}

#[tokio::test]
async fn a_caller_that_never_reads_is_dropped() {
    let holder = holder(connected(true, true));
    // Too narrow for the answer, so that writing it waits for the reader.
    let (mut caller, ours) = tokio::io::duplex(64);
    let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    let start = Instant::now();
    let conversation = converse(TIGHT, ours, holder.view.clone());
    let (sent, ()) = tokio::join!(caller.write_all(request), conversation);
    sent.unwrap();
    let waited = start.elapsed();
    assert!(
        waited >= TIGHT.lifetime && waited < 10 * TIGHT.lifetime,
        "{waited:?}"
    );
}
