//! Several processes of one run: sessions and leases, where they are declared.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use longshore_model::connector::{
    Leases, Load, Place, Preparation, SharedTarget, Term, WriteRequest, Writer,
};
use longshore_model::ledger::{Lease, Session, Stage};
use longshore_model::{Batch, Code, Retry};

use super::System;
use super::harness::{Job, numbered, ok};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

fn term(length: Duration) -> Term {
    Term { holder: "it's a \"test\" \\ of leases".to_string(), length }
}

fn leases(load: &dyn Load) -> &dyn Leases {
    load.leases().expect("they are declared")
}

fn shared(job: &Job) -> &dyn SharedTarget {
    job.target.shared().expect("it is declared")
}

/// A target whose session is open, with two joined to it; `None` where the system has no sessions, and
/// says so.
async fn opened(
    system: &System,
    name: &str,
    chunks: &[usize],
) -> Option<(Job, Box<dyn Load>, Vec<Box<dyn Load>>)> {
    let job = Job::open(system, name, vec![numbered("t", chunks)]).await;
    let declared = system.connector.about().target.shared;
    assert_eq!(job.target.shared().is_some(), declared, "the target is as it is declared");
    let load = job.claim().await;
    assert_eq!(load.leases().is_some(), declared, "the load is as it is declared");
    if !declared {
        return None;
    }
    job.begin(&*load, Preparation::Create).await;
    assert_eq!(ok(shared(&job).standing().await, "standing").session, None);
    let joined = join_two(&job, &*load).await;
    Some((job, load, joined))
}

async fn join_two(job: &Job, load: &dyn Load) -> Vec<Box<dyn Load>> {
    let header = job.header();
    let session = Session {
        claim: 0,
        spec_digest: header.spec_digest,
        plan_digest: header.plan_digest,
        move_index: 0,
        position: header.position,
        invitation: Some("it's \\ an \"invitation\"".to_string()),
    };
    ok(leases(load).open(&session).await, "open");
    let standing = ok(shared(job).standing().await, "standing");
    let found = standing.session.expect("the session is open");
    assert!(found.claim > 0 && found.claim == standing.claim && standing.held);
    assert_eq!(Session { claim: 0, ..found.clone() }, session);
    let mut joined = Vec::new();
    for _ in 0..2 {
        joined.push(ok(shared(job).join(&found).await, "join"));
    }
    joined
}

async fn take(load: &dyn Load, chunks: &[Place], length: Duration) -> Option<Lease> {
    ok(leases(load).take(chunks, &term(length)).await, "take")
}

async fn written(job: &Job, load: &dyn Load, lease: &Lease) -> Box<dyn Writer> {
    let request = WriteRequest {
        table_index: lease.table,
        table: &job.plan.tables[lease.table],
        chunk_index: lease.chunk,
        memory: 8 << 20,
        offers: false,
        lease: Some(lease),
    };
    let mut writer = ok(load.writer(&request).await, "writer");
    for batch in &job.chunks[lease.table][lease.chunk] {
        ok(writer.write(Batch::Rows(batch.clone())).await, "write");
    }
    writer
}

async fn copy(job: &Job, load: &dyn Load, lease: &Lease) {
    let writer = written(job, load, lease).await;
    ok(writer.commit(job.entry(lease.table, lease.chunk)).await, "commit under a lease");
}

/// The writer commits nothing: its lease is gone.
async fn refused(job: &Job, writer: Box<dyn Writer>, chunk: usize) {
    let before = job.ledger().await.entries;
    let error = writer.commit(job.entry(0, chunk)).await.expect_err("the lease is gone");
    assert_eq!((error.code(), error.retry()), (Code::LeaseLost, Retry::Never), "{error:?}");
    assert_eq!(job.ledger().await.entries, before);
}

/// Chunks are taken in the order of the list, each by one; what is in is taken by nobody; together all
/// is in once.
pub async fn chunks_are_taken_once(system: Arc<System>) {
    let Some((job, load, joined)) = opened(&system, "taken", &[50; 6]).await else { return };
    let all: Vec<Place> = (0..6).map(|chunk| (0, chunk)).collect();
    assert_eq!(take(&*load, &[], LONG).await, None);
    let first = take(&*load, &[(0, 4), (0, 0)], LONG).await.expect("it is free");
    assert_eq!((first.table, first.chunk), (0, 4));
    assert_eq!(take(&*joined[0], &[(0, 4)], LONG).await, None, "it is another's");
    let second = take(&*joined[0], &[(0, 4), (0, 5)], LONG).await.expect("it is free");
    assert_eq!((second.table, second.chunk), (0, 5));
    copy(&job, &*load, &first).await;
    copy(&job, &*joined[0], &second).await;
    let arrived = ok(leases(&*joined[1]).arrived(&all).await, "arrived");
    let arrived: BTreeSet<_> = arrived.iter().map(|entry| entry.chunk).collect();
    assert_eq!(arrived, BTreeSet::from([4, 5]));
    assert_eq!(ok(leases(&*load).arrived(&[]).await, "arrived"), []);
    for (at, chunk) in [(0, 0), (1, 1), (0, 2), (1, 3)] {
        let lease = take(&*joined[at], &all, LONG).await.expect("some are free");
        assert_eq!(lease.chunk, chunk);
        copy(&job, &*joined[at], &lease).await;
    }
    assert_eq!(take(&*load, &all, LONG).await, None);
    ok(joined[1].mark(Stage::Copied).await, "mark by one who joined");
    assert!(ok(shared(&job).standing().await, "standing").copied);
    drop(joined);
    job.finish(&*load).await;
    drop(load);
    job.check(&system, "taken").await;
}

/// However many are after them at the same time, one gets each.
pub async fn a_chunk_is_one_process_s_however_many_want_it(system: Arc<System>) {
    let Some((job, load, joined)) = opened(&system, "raced", &[1; 12]).await else { return };
    let all: Vec<Place> = (0..12).map(|chunk| (0, chunk)).collect();
    let race = async |load: &dyn Load, length| {
        let mut taken = Vec::new();
        while let Some(lease) = take(load, &all, length).await {
            taken.push(lease);
        }
        taken
    };
    let loads = [&*load, &*joined[0], &*joined[1], &*joined[0], &*joined[1], &*load];
    let [a, b, c, d, e, f] = loads;
    // The first are left to expire, so that all of them are taken over at once.
    for length in [SHORT * 4, LONG] {
        let (a, b, c, d, e, f) = tokio::join!(
            race(a, length),
            race(b, length),
            race(c, length),
            race(d, length),
            race(e, length),
            race(f, length)
        );
        let taken = [a, b, c, d, e, f].concat();
        let chunks: BTreeSet<_> = taken.iter().map(|lease| lease.chunk).collect();
        let tokens: BTreeSet<_> = taken.iter().map(|lease| &lease.token).collect();
        if length == LONG {
            assert_eq!((chunks.len(), taken.len(), tokens.len()), (12, 12, 12));
        } else {
            assert_eq!((chunks.len(), tokens.len()), (12, taken.len()));
            tokio::time::sleep(length).await;
        }
    }
    drop((job, joined));
}

/// A lease that was renewed lives on; one that was not is another's for the taking, and whoever had it
/// can neither renew it nor commit under it, nor end that of the other.
pub async fn an_expired_lease_is_worth_nothing(system: Arc<System>) {
    let Some((job, load, joined)) = opened(&system, "expired", &[500, 500, 500]).await else {
        return;
    };
    let old = take(&*joined[0], &[(0, 0)], SHORT * 3).await.expect("it is free");
    ok(leases(&*joined[0]).renew(&old, SHORT * 3).await, "renew");
    let sleeper = written(&job, &*joined[0], &old).await;
    let kept = take(&*joined[1], &[(0, 1)], SHORT * 3).await.expect("it is free");
    for _ in 0..10 {
        tokio::time::sleep(SHORT / 2).await;
        ok(leases(&*joined[1]).renew(&kept, SHORT * 3).await, "renew");
        assert_eq!(take(&*load, &[(0, 1)], LONG).await, None, "it is renewed");
    }
    copy(&job, &*joined[1], &kept).await;
    // Nobody has taken the first over, and still it is worth nothing.
    let error = leases(&*joined[0]).renew(&old, LONG).await.expect_err("it has expired");
    assert_eq!(error.code(), Code::LeaseLost);
    refused(&job, sleeper, 0).await;

    let old = take(&*joined[0], &[(0, 0)], SHORT * 3).await.expect("it is free again");
    let sleeper = written(&job, &*joined[0], &old).await;
    tokio::time::sleep(SHORT * 4).await;
    let new = take(&*load, &[(0, 0)], LONG).await.expect("it has expired");
    assert_ne!(old.token, new.token);
    assert_eq!(
        leases(&*joined[0]).renew(&old, LONG).await.err().map(|e| e.code()),
        Some(Code::LeaseLost)
    );
    ok(leases(&*joined[0]).give_back(&old).await, "to give back what is lost is no error");
    copy(&job, &*load, &new).await;
    // Its connection may have been ended with the lease.
    let error = sleeper.commit(job.entry(0, 0)).await.expect_err("the chunk is another's");
    assert!(error.code() == Code::LeaseLost || error.retry() == Retry::Later, "{error:?}");

    // A chunk that is in is written by nobody, whatever lease is shown.
    let error = {
        let request = WriteRequest {
            table_index: 0,
            table: &job.plan.tables[0],
            chunk_index: 0,
            memory: 8 << 20,
            offers: false,
            lease: Some(&new),
        };
        load.writer(&request).await.err().expect("the chunk is in")
    };
    assert_eq!(error.code(), Code::LeaseLost, "{error:?}");

    let given = take(&*joined[0], &[(0, 2)], LONG).await.expect("it is free");
    drop(written(&job, &*joined[0], &given).await);
    ok(leases(&*joined[0]).give_back(&given).await, "give back");
    let last = take(&*joined[1], &[(0, 2)], LONG).await.expect("it was given back");
    copy(&job, &*joined[1], &last).await;
    drop(joined);
    job.finish(&*load).await;
    drop(load);
    job.check(&system, "expired").await;
}

/// What an expired lease left open in the target is in nobody's way: neither for who takes the chunk
/// over, nor for a claim, nor for statements that need the table.
pub async fn a_sleeping_writer_is_in_nobody_s_way(system: Arc<System>) {
    let Some((job, load, joined)) = opened(&system, "asleep", &[200, 200]).await else { return };
    let old = take(&*joined[0], &[(0, 0)], SHORT * 3).await.expect("it is free");
    let sleeper = written(&job, &*joined[0], &old).await;
    let other = take(&*joined[1], &[(0, 1)], LONG).await.expect("it is free");
    let second = written(&job, &*joined[1], &other).await;
    tokio::time::sleep(SHORT * 4).await;
    let new = take(&*load, &[(0, 0)], LONG).await.expect("it has expired");
    copy(&job, &*load, &new).await;
    drop(load);
    // A new claim ends the second one's lease too, which has not expired.
    let load = job.claim().await;
    assert_eq!(ok(shared(&job).standing().await, "standing").session, None, "it was the older's");
    let error = second.commit(job.entry(0, 1)).await.expect_err("the session has ended");
    assert!(error.code() == Code::SessionEnded || error.retry() == Retry::Later, "{error:?}");
    for ended in [
        leases(&*joined[0]).take(&[(0, 1)], &term(LONG)).await.err(),
        joined[1].mark(Stage::Copied).await.err(),
    ] {
        let error = ended.expect("the session has ended");
        assert_eq!((error.code(), error.retry()), (Code::SessionEnded, Retry::Reopened));
    }
    let again = join_two(&job, &*load).await;
    let lease = take(&*again[0], &[(0, 0), (0, 1)], LONG).await.expect("one is left");
    assert_eq!(lease.chunk, 1);
    copy(&job, &*again[0], &lease).await;
    // The finish may need the tables for itself.
    job.finish(&*load).await;
    drop((sleeper, again, joined));
    drop(load);
    job.check(&system, "asleep").await;
}
