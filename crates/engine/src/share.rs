//! Several processes of one run: how one tells the others what it reads, and how they join it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_model::connector::{SharedTarget, Snapshot, Standing, Term};
use longshore_model::ledger::{Ledger, Session};
use longshore_model::plan::{MovePlan, Plan};
use longshore_model::spec::Spec;
use longshore_model::{Code, Error, Result, Retry};

use crate::cancel::Cancel;
use crate::connectors::Link;
use crate::event::{Event, Events};
use crate::job::{Job, Pace};
use crate::plan::spec_digest;
use crate::run::RunRequest;

/// How long a process waits for a session while another process holds the target, which may have much
/// to read again before it opens one.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The pauses between looks at a target that has no session.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// One of several processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Which one. The one with 0 claims the target, copies like the others, and finishes and verifies.
    pub index: u32,
    /// How many there are, more than one.
    pub count: u32,
    /// How long a lease of a chunk lives after it was renewed.
    pub lease: Duration,
    /// How long is waited for the process with index 0 while none holds the target.
    pub wait: Duration,
}

/// What a move that several processes copy needs to know of them.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub process: Process,
    /// For what leases are taken.
    pub term: Term,
}

impl Share {
    /// What the request says of it; `None` for a run of one process.
    pub(crate) fn of(request: &RunRequest) -> Option<Self> {
        let process = request.process?;
        let holder = &request.holder;
        let holder = format!(
            "process {} of {}, pid {} on {}",
            process.index, process.count, holder.pid, holder.host
        );
        Some(Self { process, term: Term { holder, length: process.lease } })
    }
}

/// Refuses what several processes cannot do, before anything is done.
pub fn check_shared(spec: &Spec, links: &[Link]) -> Result<()> {
    for link in links {
        let about = link.target.about();
        if !about.target.shared {
            return Err(Error::new(
                Code::Unsupported,
                "this target cannot be loaded by several processes",
            )
            .with("target", link.to.to_string())
            .with("system", about.title)
            .hint("Run the migration with one process: without --process."));
        }
    }
    if spec.policies.divert(spec.on_reject) {
        return Err(Error::new(
            Code::Unsupported,
            "reject files are kept where a process runs, so that several have none in common",
        )
        .hint("Run the migration with one process: without --process."));
    }
    Ok(())
}

/// The plan of the run that the process with index 0 has begun, for one that was given none. Waits
/// for it.
pub async fn await_plan(
    spec: &Spec,
    links: &[Link],
    process: Process,
    events: &Events,
    cancel: &Cancel,
) -> Result<Plan> {
    let Some(link) = links.first() else {
        return Err(Error::new(Code::SpecInvalid, "the migration has no move"));
    };
    let wanted = spec_digest(spec)?;
    let target = link.target.open_target(&link.to).await?;
    let shared = target.shared().ok_or_else(unshared)?;
    let mut waiting = Waiting::new(process, events, cancel);
    let mut read = None;
    loop {
        let standing = waiting.look(shared).await?;
        let ours = standing.session.as_ref().is_some_and(|one| one.spec_digest == wanted);
        if ours || standing.copied && read != Some(standing.claim) {
            read = Some(standing.claim);
            let ledger = target.ledger().await?;
            if let Some(ledger) = ledger.filter(|ledger| ledger.header.spec_digest == wanted) {
                return Plan::from_json(&ledger.header.plan);
            }
        }
        waiting.pause(&standing).await?;
    }
}

/// Opens the session of a move that the process with index 0 has prepared.
pub(crate) async fn open_session(job: &Job, ledger: &Ledger) -> Result<()> {
    let header = &ledger.header;
    let session = Session {
        claim: 0,
        spec_digest: header.spec_digest.clone(),
        plan_digest: header.plan_digest.clone(),
        move_index: header.move_index,
        position: header.position.clone(),
        invitation: job.snapshot.invitation(),
    };
    job.load()?.leases().ok_or_else(unshared)?.open(&session).await
}

/// What a process joins.
pub(crate) struct Joining<'a> {
    pub plan: &'a Arc<MovePlan>,
    pub link: &'a Link,
    pub index: usize,
    /// The digest of the whole plan.
    pub digest: &'a str,
}

/// Joins the session of a move, waiting for it; `None` when every chunk of the move is in already.
pub(crate) async fn join(
    joining: &Joining<'_>,
    request: &RunRequest,
    share: &Share,
    events: &Events,
) -> Result<Option<(Job, Ledger)>> {
    let target = joining.link.target.open_target(&joining.link.to).await?;
    let shared = target.shared().ok_or_else(unshared)?;
    let mut waiting = Waiting::new(share.process, events, &request.cancel);
    let mut apart: Option<Instant> = None;
    let mut read = None;
    loop {
        let standing = waiting.look(shared).await?;
        let session = standing.session.as_ref().filter(|one| one.plan_digest == joining.digest);
        match session {
            Some(one) if one.move_index > joining.index => return Ok(None),
            Some(one) if one.move_index == joining.index && standing.copied => return Ok(None),
            Some(one) if one.move_index == joining.index => {
                let opened = open(joining, one, request, share, events).await;
                match opened {
                    Ok(joined) => {
                        events.emit(Event::SessionJoined { index: joining.index });
                        return Ok(Some(joined));
                    }
                    // A session whose process has just ended may be followed by one that fits.
                    Err(error) if error.code() == Code::PositionApart => {
                        let since = apart.get_or_insert_with(Instant::now);
                        if standing.held && since.elapsed() > share.process.lease {
                            return Err(error);
                        }
                    }
                    Err(error) if error.retry() != Retry::Never => {}
                    Err(error) => return Err(error),
                }
            }
            _ if standing.copied && read != Some(standing.claim) => {
                read = Some(standing.claim);
                let ledger = target.ledger().await?;
                let is_over = |ledger: &Ledger| {
                    ledger.header.plan_digest == joining.digest
                        && ledger.header.move_index >= joining.index
                };
                if ledger.as_ref().is_some_and(is_over) {
                    return Ok(None);
                }
            }
            _ => {}
        }
        waiting.pause(&standing).await?;
    }
}

/// Opens both ends as a session says.
async fn open(
    joining: &Joining<'_>,
    session: &Session,
    request: &RunRequest,
    share: &Share,
    events: &Events,
) -> Result<(Job, Ledger)> {
    let Joining { plan, link, .. } = joining;
    let pace = Pace::new(&request.limits, link);
    let source = link.source.open_source(&link.from).await?;
    let snapshot = match (&session.invitation, source.shared()) {
        (Some(invitation), Some(shared)) => shared.join(invitation, pace.workers).await?,
        _ => source.snapshot(pace.workers).await?,
    };
    check_position(snapshot.as_ref(), session, plan)?;
    let target = link.target.open_target(&link.to).await?;
    let load = target.shared().ok_or_else(unshared)?.join(session).await?;
    let ledger = target.ledger().await?.filter(|ledger| {
        ledger.header.plan_digest == session.plan_digest
            && ledger.header.position == session.position
    });
    let ledger = ledger.ok_or_else(|| {
        Error::new(Code::SessionEnded, "the ledger is of another session").reopened()
    })?;
    let job = Job {
        plan: (*plan).clone(),
        link: (*link).clone(),
        snapshot: Arc::from(snapshot),
        load: Some(Arc::from(load)),
        events: events.clone(),
        cancel: request.cancel.clone(),
        rejects: Arc::from(request.rejects.as_path()),
        pace,
        share: Some(share.clone()),
    };
    Ok((job, ledger))
}

/// Refuses to read another state of the source than the session's.
fn check_position(snapshot: &dyn Snapshot, session: &Session, plan: &MovePlan) -> Result<()> {
    if *snapshot.position() == session.position {
        return Ok(());
    }
    Err(Error::new(
        Code::PositionApart,
        "the source is at another position than the one that the process with index 0 reads",
    )
    .with("source", plan.from.clone())
    .with("position", snapshot.position().0.clone())
    .with("session's", session.position.0.clone()))
}

fn unshared() -> Error {
    Error::new(Code::Internal, "a target that is declared to be shared is not")
}

/// The patience of a process without a session.
struct Waiting<'a> {
    process: Process,
    events: &'a Events,
    cancel: &'a Cancel,
    began: Instant,
    /// When somebody was last seen to hold the target.
    held: Instant,
    looked: bool,
    pause: Option<Duration>,
}

impl<'a> Waiting<'a> {
    fn new(process: Process, events: &'a Events, cancel: &'a Cancel) -> Self {
        let began = Instant::now();
        Self { process, events, cancel, began, held: began, looked: false, pause: None }
    }

    /// How the target stands. One that cannot be reached after it was once is waited for like one that
    /// nobody holds.
    async fn look(&mut self, shared: &dyn SharedTarget) -> Result<Standing> {
        match self.cancel.guard(shared.standing()).await {
            Ok(standing) => {
                self.looked = true;
                Ok(standing)
            }
            Err(error) if self.looked && error.retry() == Retry::Later => Ok(Standing::default()),
            Err(error) => Err(error),
        }
    }

    /// Waits a moment before the next look, or fails when it has been long enough.
    async fn pause(&mut self, standing: &Standing) -> Result<()> {
        if standing.held {
            self.held = Instant::now();
        }
        let waited = self.began.elapsed();
        if self.held.elapsed() > self.process.wait || waited > LONGEST_WAIT {
            return Err(Error::new(
                Code::SessionMissing,
                "no process with index 0 has opened a session of this migration",
            )
            .with("waited", format!("{} s", waited.as_secs()))
            .with("target is held", standing.held.to_string()));
        }
        let pause = match self.pause {
            None => {
                let Process { index, count, .. } = self.process;
                self.events.emit(Event::SessionAwaited { process: index, count });
                FIRST_LOOK
            }
            Some(pause) => (pause * 3 / 2).min(LONGEST_LOOK),
        };
        self.pause = Some(pause);
        let wait = async {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        self.cancel.guard(wait).await
    }
}
