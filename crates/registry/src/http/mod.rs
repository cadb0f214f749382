//! The protocol: the distribution specification of OCI, version 1.1, over a store.

mod answer;
mod blobs;
mod body;
mod crowd;
mod listen;
mod lists;
mod manifests;
mod numbers;
mod patience;
mod queue;
mod route;
mod stream;
mod uploads;

use std::io;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Method, Request, Response};
use tokio::net::TcpListener;

use crate::access::{Access, Right, Visitor};
use crate::fault::{Fault, Result};
use crate::meter::Watch;
use crate::store::Store;
use answer::{refusal, watched};
use body::Inflow;
use patience::Patience;
use route::{Asked, Route};

pub use answer::Body;
pub use listen::{House, Identity, Peer, serve_with};
pub use numbers::serve_metrics;
pub use patience::Limits;

/// A registry that is spoken to.
#[derive(Clone)]
pub struct Serving {
    /// What it keeps.
    pub store: Arc<Store>,
    /// Who may do what.
    pub access: Arc<Access>,
    /// How clients are taken in.
    pub house: House,
}

/// Serves a registry until `stop` ends, and then ends what was begun.
pub async fn serve(
    listener: TcpListener,
    identity: Option<Identity>,
    serving: Serving,
    stop: impl Future<Output = ()>,
) {
    let house = serving.house.clone();
    let handler = move |request| {
        let serving = serving.clone();
        async move { serving.answer(request).await }
    };
    serve_with(listener, identity, house, handler, stop).await;
}

impl Serving {
    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut watch = self.house.meter.begin(request.method());
        let response = match self.perform(request, &mut watch).await {
            Ok(response) => response,
            Err(fault) => {
                if let Fault::Disk(why) = &fault {
                    (self.house.log)(why);
                }
                refusal(&fault)
            }
        };
        watch.answered(response.status());
        watched(response, watch)
    }

    async fn visitor(&self, header: Option<&HeaderValue>) -> Result<Visitor> {
        let access = self.access.clone();
        let header = header.map(|header| header.to_str().map(str::to_string));
        let header = header.transpose().map_err(|_| Fault::WhoAreYou)?;
        match (access.known(header.as_deref()), header) {
            (Some(visitor), _) => Ok(visitor),
            (None, None) => Err(Fault::WhoAreYou),
            (None, Some(header)) => {
                // Held until the proof ends, also when the client does not wait for it.
                let turn = access.turn().await;
                off(move || {
                    let proved = access.prove(&header);
                    drop(turn);
                    proved
                })
                .await
            }
        }
    }

    async fn perform(
        &self,
        request: Request<Incoming>,
        watch: &mut Watch,
    ) -> Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let body = Inflow::new(body, Patience::new(self.house.limits));
        let asked = Asked::of(&head)?;
        watch.leads_to(asked.route.name(), asked.route.takes_blobs(&head.method));
        let store = self.store.clone();
        let visitor = self.visitor(head.headers.get(AUTHORIZATION)).await?;
        admit(&visitor, &asked, &head.method)?;
        match (&asked.route, &head.method) {
            (Route::Base, &Method::GET | &Method::HEAD) => Ok(lists::base()),
            (Route::Catalog, &Method::GET | &Method::HEAD) => {
                lists::catalog(store, visitor, &asked).await
            }
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

/// Refuses what somebody may not ask for.
fn admit(visitor: &Visitor, asked: &Asked, method: &Method) -> Result<()> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match &asked.route {
        Route::Base | Route::Catalog => visitor.demand_any(),
        Route::Tags(name) | Route::Referrers(name, _) => visitor.demand(name, Right::Pull),
        Route::Manifest(name, _) | Route::Blob(name, _) if reads => {
            visitor.demand(name, Right::Pull)
        }
        Route::Manifest(name, _) | Route::Blob(name, _) if *method == Method::DELETE => {
            visitor.demand(name, Right::Delete)
        }
        Route::Uploads(name) => {
            visitor.demand(name, Right::Push)?;
            // What is mounted is read where it is.
            match asked.parameter("from").map(str::parse).transpose()? {
                Some(from) => visitor.demand(&from, Right::Pull),
                None => Ok(()),
            }
        }
        Route::Manifest(name, _) | Route::Blob(name, _) | Route::Upload(name, _) => {
            visitor.demand(name, Right::Push)
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
