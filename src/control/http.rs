//! Metrics and health over HTTP/1.
//!
//! `/metrics` for Prometheus, `/-/healthy` while the process answers, `/-/ready` while the agent
//! does its work, `/` for people. GET and HEAD only; nothing can be changed from here. A connection
//! carries one request and does not live long, so that nobody can keep others out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::View;

/// The text format's own content type.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Largest request head. hyper takes no less than 8 KiB.
const HEAD_OCTETS: usize = 16 * 1_024;

/// Wait after a failed `accept`, which means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What bounds the connections.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// So many at a time. Further ones wait in the kernel's backlog.
    connections: usize,
    /// So long may a request's head take.
    head: Duration,
    /// So long may it all take, the reading of our answer included.
    lifetime: Duration,
}

/// A scrape takes milliseconds and Prometheus gives up after 10 s.
const LIMITS: Limits = Limits {
    connections: 64,
    head: Duration::from_secs(5),
    lifetime: Duration::from_secs(15),
};

/// Answers on `listener` until it is dropped.
pub async fn serve(listener: TcpListener, view: View) -> Infallible {
    serve_within(LIMITS, listener, view).await
}

async fn serve_within(limits: Limits, listener: TcpListener, view: View) -> Infallible {
    let slots = Arc::new(Semaphore::new(limits.connections));
    // Dropped with this future, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let view = view.clone();
                connections.spawn(async move {
                    converse(limits, stream, view).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse<S>(limits: Limits, stream: S, view: View)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| {
        let response = answer(&request, &view);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        // Simple clients say by it that this was all; the lifetime bounds those that went away.
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_OCTETS)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(limits.lifetime, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection broke off"),
        Err(_) => tracing::debug!("an HTTP connection took too long"),
    }
}

fn answer<B>(request: &Request<B>, view: &View) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let text = "only GET and HEAD\n".to_owned();
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => metrics(view),
        "/-/healthy" => plain(StatusCode::OK, TEXT, "alive\n".to_owned()),
        "/-/ready" => match view.unready() {
            None => plain(StatusCode::OK, TEXT, "ready\n".to_owned()),
            Some(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
        },
        "/" => plain(StatusCode::OK, HTML, landing(&view.facts().version)),
        _ => plain(StatusCode::NOT_FOUND, TEXT, "no such page\n".to_owned()),
    }
}

fn metrics(view: &View) -> Response<Full<Bytes>> {
    view.metrics.observe(&view.snapshot());
    let brakes = view.brakes();
    view.metrics
        .observe_brakes(brakes.pause.is_some(), brakes.safe_mode);
    match view.metrics.render() {
        Ok(text) => plain(StatusCode::OK, METRICS, text),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no metrics");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                format!("{error}\n"),
            )
        }
    }
}

fn landing(version: &str) -> String {
    format!(
        "<!doctype html>\n<title>macmoved</title>\n<h1>macmoved {version}</h1>\n<ul>\n\
         <li><a href=\"/metrics\">metrics</a>\n<li><a href=\"/-/healthy\">healthy</a>\n\
         <li><a href=\"/-/ready\">ready</a>\n</ul>\n"
    )
}

fn plain(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests;
