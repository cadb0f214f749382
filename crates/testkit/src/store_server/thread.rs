//! The server that is no program of its own: s3s, in threads of this process.

use std::fmt;
use std::net::TcpListener;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::runtime::{Builder, Runtime};

/// A running server. Its connections are cut off when it is dropped.
pub(super) struct Thread(Option<Runtime>);

impl Thread {
    /// Serves a folder on a port of 127.0.0.1, for one key.
    pub(super) fn start(folder: &Path, port: u16, key: &str, secret: &str) -> Self {
        let files = FileSystem::new(folder).expect("the folder is there");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(key, secret));
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads for the server");
        let listener = bind(port);
        listener.set_nonblocking(true).expect("a listener that does not wait");
        runtime.spawn(serve(listener, service.build()));
        Self(Some(runtime))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Where tasks run, nothing may wait for the end of others.
            let stop = move || runtime.shutdown_timeout(Duration::from_secs(1));
            let _stopped = std::thread::spawn(stop).join();
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Thread")
    }
}

/// Takes a port, which the server of before may hold for a moment.
pub(super) fn bind(port: u16) -> TcpListener {
    let began = Instant::now();
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "{port}: {error}"),
        }
        sleep(Duration::from_millis(20));
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime with sockets");
    while let Ok((client, _)) = listener.accept().await {
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(client), service.clone());
        tokio::spawn(async move {
            let _client_gone = connection.await;
        });
    }
}
