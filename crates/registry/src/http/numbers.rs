//! The page of numbers, on an address of its own.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::answer::{Body, empty, whole, with};
use super::listen::PAUSE;
use super::patience::Patience;
use super::stream::Stream;
use super::{Serving, off};
use crate::fault::Fault;
use crate::meter::Meter;

const PAGE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Readers of numbers at once.
const READERS: usize = 16;

/// Serves the numbers of a registry at `/metrics`, to whoever reaches the address, until it is dropped.
pub async fn serve_metrics(listener: TcpListener, serving: Serving) {
    let readers = Arc::new(Semaphore::new(READERS));
    // What readers of numbers do is none of these.
    let uncounted = Arc::new(Meter::default());
    loop {
        let Ok(reader) = readers.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                (serving.house.log)(&format!("no reader of metrics can be taken: {error}"));
                sleep(PAUSE).await;
                continue;
            }
        };
        let stream = Stream::new(stream, uncounted.clone(), Patience::new(serving.house.limits));
        let serving = serving.clone();
        tokio::spawn(async move {
            let head = serving.house.limits.head;
            let service = service_fn(move |request| {
                let serving = serving.clone();
                async move { Ok::<_, Infallible>(answer(&serving, &request).await) }
            });
            let mut connection = http1::Builder::new();
            connection.timer(TokioTimer::new()).header_read_timeout(head).keep_alive(false);
            // A reader that goes away is no failure.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            drop(reader);
        });
    }
}

async fn answer(serving: &Serving, request: &Request<Incoming>) -> Response<Body> {
    if request.uri().path() != "/metrics" {
        return empty(with(StatusCode::NOT_FOUND));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return empty(with(StatusCode::METHOD_NOT_ALLOWED));
    }
    let (meter, store) = (serving.house.meter.clone(), serving.store.clone());
    match off(move || meter.text(&store)).await {
        Ok(text) => whole(with(StatusCode::OK).header(CONTENT_TYPE, PAGE), text),
        Err(fault) => {
            if let Fault::Disk(why) = fault {
                (serving.house.log)(&why);
            }
            empty(with(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}
