//! The protocol: the distribution specification of OCI, version 1.1, over a store.

mod answer;
mod blobs;
mod body;
mod lists;
mod manifests;
mod route;
mod uploads;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use crate::fault::{Fault, Result};
use crate::store::Store;
use answer::{Body, refusal};
use route::{Asked, Route};

/// The longest that a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// The longest that requests may take to end when the registry is to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// A registry that is spoken to.
#[derive(Clone)]
pub struct Serving {
    /// What it keeps.
    pub store: Arc<Store>,
    /// Takes what went wrong here, in words for whoever runs the registry.
    pub log: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Serves until `stop` ends, and then what was begun.
///
/// # Errors
/// None: what fails with one client is no matter of the others.
pub async fn serve(listener: TcpListener, serving: Serving, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    (serving.log)(&format!("no connection can be taken: {error}"));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // What it costs when it is not set is only speed.
        let _ = stream.set_nodelay(true);
        let serving = serving.clone();
        let service = service_fn(move |request| {
            let serving = serving.clone();
            async move { Ok::<_, Infallible>(serving.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is no failure.
            let _ = connection.await;
        });
    }
    drop(listener);
    let _ended = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

impl Serving {
    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.perform(request).await {
            Ok(response) => response,
            Err(fault) => {
                if let Fault::Disk(why) = &fault {
                    (self.log)(why);
                }
                refusal(&fault)
            }
        }
    }

    async fn perform(&self, request: Request<Incoming>) -> Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let asked = Asked::of(&head)?;
        let store = self.store.clone();
        match (&asked.route, &head.method) {
            (Route::Base, &Method::GET | &Method::HEAD) => Ok(lists::base()),
            (Route::Catalog, &Method::GET | &Method::HEAD) => lists::catalog(store, &asked).await,
            (Route::Tags(name), &Method::GET | &Method::HEAD) => {
                lists::tags(store, name.clone(), &asked).await
            }
            (Route::Referrers(name, subject), &Method::GET | &Method::HEAD) => {
                lists::referrers(store, name.clone(), subject.clone(), &asked).await
            }
            (Route::Manifest(name, reference), &Method::GET | &Method::HEAD) => {
                manifests::get(store, name.clone(), reference.clone()).await
            }
            (Route::Manifest(name, reference), &Method::PUT) => {
                manifests::put(
                    store,
                    (name.clone(), reference.clone()),
                    &asked,
                    &head.headers,
                    body,
                )
                .await
            }
            (Route::Manifest(name, reference), &Method::DELETE) => {
                manifests::delete(store, name.clone(), reference.clone()).await
            }
            (Route::Blob(name, digest), &Method::GET) => {
                blobs::get(store, name.clone(), digest.clone(), &head.headers).await
            }
            (Route::Blob(name, digest), &Method::HEAD) => {
                blobs::head(store, name.clone(), digest.clone()).await
            }
            (Route::Blob(name, digest), &Method::DELETE) => {
                blobs::delete(store, name.clone(), digest.clone()).await
            }
            (Route::Uploads(name), &Method::POST) => {
                uploads::begin(store, name.clone(), &asked, body).await
            }
            (Route::Upload(name, id), &Method::GET | &Method::HEAD) => {
                uploads::progress(store, name.clone(), id.clone()).await
            }
            (Route::Upload(name, id), &Method::PATCH) => {
                uploads::append(store, (name.clone(), id.clone()), &head.headers, body).await
            }
            (Route::Upload(name, id), &Method::PUT) => {
                uploads::finish(store, (name.clone(), id.clone()), &asked, &head.headers, body)
                    .await
            }
            (Route::Upload(name, id), &Method::DELETE) => {
                uploads::cancel(store, name.clone(), id.clone()).await
            }
            (route, _) => Err(Fault::Method(route.methods())),
        }
    }
}

/// Does what blocks where it may.
async fn off<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Fault::Disk(format!("a request failed: {}", io::Error::other(error)))),
    }
}
