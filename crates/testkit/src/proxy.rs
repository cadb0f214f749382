//! A TCP proxy that can break: connections are cut after so many bytes, or stand still.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// A proxy on a free port of 127.0.0.1, before a server on another one.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// The bytes that may still pass, in both directions and all connections together.
    left: AtomicU64,
    passed: AtomicU64,
    stalled: AtomicBool,
}

const ENDLESS: u64 = u64::MAX;

impl Proxy {
    /// A proxy before a port of 127.0.0.1 that lets everything through.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            left: AtomicU64::new(ENDLESS),
            passed: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                join(&client, &server, &shared);
            }
        });
        Self { port: own, state }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection once so many more bytes have passed. New ones are cut too, until
    /// [`Proxy::mend`].
    pub fn cut_after(&self, bytes: u64) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }

    /// Lets everything through from now on.
    pub fn mend(&self) {
        self.state.left.store(ENDLESS, Ordering::SeqCst);
        self.state.stalled.store(false, Ordering::SeqCst);
    }

    /// Holds all bytes back, without closing anything, until [`Proxy::mend`].
    pub fn stall(&self) {
        self.state.stalled.store(true, Ordering::SeqCst);
    }

    /// The bytes that have passed, in both directions.
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }
}

fn join(client: &TcpStream, server: &TcpStream, state: &Arc<State>) {
    for (from, to) in [(client, server), (server, client)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        let state = state.clone();
        thread::spawn(move || pass(from, to, &state));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        while state.stalled.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let allowed = take(&state.left, read as u64);
        let part = &buffer[..usize::try_from(allowed).unwrap_or(read)];
        state.passed.fetch_add(allowed, Ordering::SeqCst);
        if to.write_all(part).is_err() || part.len() < read {
            break;
        }
    }
    let _closed_already = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// Takes up to `wanted` bytes of what may still pass.
fn take(left: &AtomicU64, wanted: u64) -> u64 {
    let mut taken = 0;
    let _never_refused = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        taken = if left == ENDLESS { wanted } else { wanted.min(left) };
        Some(if left == ENDLESS { ENDLESS } else { left - taken })
    });
    taken
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::Proxy;

    #[test]
    fn connections_are_cut_at_the_byte() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let proxy = Proxy::before(listener.local_addr().expect("an address").port());
        proxy.cut_after(5);
        let server = thread::spawn(move || {
            let mut text = Vec::new();
            let (mut stream, _) = listener.accept().expect("a client");
            let _cut = stream.read_to_end(&mut text);
            text
        });
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).expect("the proxy");
        client.write_all(b"0123456789").expect("taken by the proxy");
        assert_eq!(server.join().expect("a server"), b"01234");
        assert_eq!(proxy.passed(), 5);
    }
}
