use std::pin::pin;

use futures_util::StreamExt;
use longshore_model::WireBatch;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_postgres::tls::ChannelBinding;

use super::Tap;
use crate::wire::{HEADER, TRAILER, Wire};

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message").to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// Sends bytes through a tap in parts of a length; gives the batches and what was passed on.
fn through(sent: &[u8], wire: Wire, bound: usize, part: usize) -> (Vec<WireBatch>, Vec<u8>, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let tap = Tap::default();
        let batches = tap.open(wire, bound);
        let (mut server, client) = duplex(part);
        let mut tapped = tap.on(client, |_| ChannelBinding::none());
        let write = async {
            for part in sent.chunks(part) {
                server.write_all(part).await.expect("an open pipe");
            }
            drop(server);
        };
        let read = async {
            let mut passed = Vec::new();
            let mut buffer = vec![0; part];
            loop {
                match tapped.read(&mut buffer).await.expect("bytes") {
                    0 => break,
                    count => passed.extend_from_slice(&buffer[..count]),
                }
            }
            drop(tapped);
            passed
        };
        let take = async {
            let mut batches = pin!(batches);
            let (mut all, mut failed) = (Vec::new(), false);
            while let Some(batch) = batches.next().await {
                match batch {
                    Ok(batch) => all.push(batch),
                    Err(_) => failed = true,
                }
            }
            (all, failed)
        };
        let ((), passed, (all, failed)) = tokio::join!(write, read, take);
        (all, passed, failed)
    })
}

fn rows_of(batches: &[WireBatch]) -> Vec<Vec<u8>> {
    let rows = |batch: &WireBatch| {
        let starts = [0].into_iter().chain(batch.ends.iter().copied());
        let pairs = starts.zip(batch.ends.clone());
        pairs.map(|(start, end)| batch.bytes[start..end].to_vec()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(rows).collect()
}

proptest! {
    #[test]
    fn rows_are_taken_and_all_else_is_passed_on(
        rows in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 3..200), 0..40),
        others in proptest::collection::vec(0..40usize, 0..5),
        (bound, part) in (1..600usize, 1..300usize),
        binary: bool,
        failed: bool,
    ) {
        let (mut sent, mut expected) = (message(b'2', b""), message(b'2', b""));
        if binary {
            let first = rows.first().map_or(if failed { &[][..] } else { &TRAILER }, |row| row);
            sent.extend(message(b'd', &[&HEADER[..], first].concat()));
        }
        for (number, row) in rows.iter().enumerate() {
            if others.contains(&number) {
                let notice = message(b'N', row);
                sent.extend(&notice);
                expected.extend(&notice);
            }
            if number > 0 || !binary {
                sent.extend(message(b'd', row));
            }
        }
        if binary && !failed && !rows.is_empty() {
            sent.extend(message(b'd', &TRAILER));
        }
        // After the end of the COPY, nothing is a row.
        for (kind, body) in [(if failed { b'E' } else { b'c' }, &b""[..]), (b'd', b"x"), (b'Z', b"I")] {
            sent.extend(message(kind, body));
            expected.extend(message(kind, body));
        }
        let wire = if binary { Wire::Binary } else { Wire::Text };
        let (batches, passed, broken) = through(&sent, wire, bound, part);
        prop_assert!(!broken);
        prop_assert_eq!(passed, expected);
        prop_assert_eq!(rows_of(&batches), rows);
        for batch in &batches {
            let last = batch.ends.len() - 1;
            let before = if last == 0 { 0 } else { batch.ends[last - 1] };
            prop_assert!(last == 0 || before < bound, "a batch ends with the row that fills it");
        }
    }

    #[test]
    fn no_bytes_make_a_tap_panic(sent in proptest::collection::vec(any::<u8>(), 0..400), part in 1..50usize) {
        through(&sent, Wire::Binary, 50, part);
        let framed: Vec<u8> = sent.chunks(7).flat_map(|body| message(b'd', body)).collect();
        through(&framed, Wire::Binary, 50, part);
    }
}

#[test]
fn what_has_no_header_is_refused() {
    let sent = [message(b'd', b"no header at all, but long enough"), message(b'c', b"")].concat();
    let (_, _, failed) = through(&sent, Wire::Binary, 1000, 64);
    assert!(failed);
}

#[test]
fn rows_that_nobody_takes_are_thrown_away() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let tap = Tap::default();
        drop(tap.open(Wire::Text, 10));
        let rows = message(b'd', &[b'x'; 100]).repeat(1000);
        let sent = [&rows[..], &message(b'c', b"")].concat();
        let mut tapped = tap.on(&sent[..], |_| ChannelBinding::none());
        let mut passed = Vec::new();
        tapped.read_to_end(&mut passed).await.expect("bytes");
        assert_eq!(passed, message(b'c', b""));
    });
}
