//! The recorder's figures and the page that is made of them.

use longshore_model::catalog::NotMoved;
use longshore_model::loss::{Action, LossKind};
use longshore_model::spec::VerifyLevel;

use super::*;
use crate::event::{Event, Stage};

fn stage(recorder: &Recorder, from: f64, to: f64, name: Stage, events: &[(f64, Event)]) {
    recorder.listen(from, &Event::StageStarted { stage: name });
    for (at, event) in events {
        recorder.listen(*at, event);
    }
    recorder.listen(to, &Event::StageDone { stage: name, seconds: to - from });
}

fn copied(worker: usize, rows: u64, held: f64) -> Event {
    Event::Copied { table: "t".to_string(), worker, rows, bytes: rows * 10, held }
}

fn retry(rows: u64) -> Event {
    Event::ChunkRetry {
        table: "t".to_string(),
        chunk: 0,
        attempt: 1,
        error: String::new(),
        pause_seconds: 0.0,
        rows,
        bytes: rows * 10,
    }
}

fn done(seconds: f64, waits: Waits) -> Event {
    let (rows, bytes) = (1, 10);
    Event::ChunkDone {
        table: "t".to_string(),
        chunk: 0,
        worker: 0,
        rows,
        rejected: 0,
        bytes,
        seconds,
        waits,
    }
}

fn started() -> Event {
    let text = String::new;
    Event::RunStarted { run: text(), name: text(), version: text(), plan: text(), resumed: false }
}

#[test]
fn idle_is_the_time_in_which_no_worker_holds_a_batch() {
    let recorder = Recorder::new();
    let batches = [
        (3.0, copied(0, 1, 2.0)),
        (4.0, copied(1, 1, 2.0)),
        (4.5, copied(0, 1, 0.5)),
        // Held since before the span above, which it swallows.
        (8.0, copied(1, 1, 5.0)),
        (9.0, copied(0, 1, 0.0)),
    ];
    stage(&recorder, 0.0, 10.0, Stage::Copy, &batches);
    let performance = recorder.performance();
    assert_eq!((performance.total, performance.idle), (10.0, 3.0));
    assert!((performance.ratio - 10.0 / 7.0).abs() < 1e-9);
}

#[test]
fn a_commit_is_work_and_the_wait_for_a_batch_is_not() {
    let recorder = Recorder::new();
    let begun = |worker| Event::ChunkStarted { table: "t".to_string(), chunk: 0, worker };
    let events = [
        (0.0, begun(0)),
        (2.0, copied(0, 1, 1.0)),
        (5.0, copied(0, 1, 1.0)),
        (8.0, done(8.0, Waits::default())),
        (8.0, begun(0)),
        // Nothing was given since: an empty chunk's commit is no work on a batch.
        (9.0, done(1.0, Waits::default())),
    ];
    stage(&recorder, 0.0, 10.0, Stage::Copy, &events);
    assert_eq!(recorder.performance().idle, 5.0);
}

#[test]
fn many_separate_spans_add_up_in_bounded_memory() {
    let recorder = Recorder::new();
    let batches: Vec<_> = (0..20_000).map(|i| (f64::from(i) + 1.0, copied(0, 1, 0.25))).collect();
    stage(&recorder, 0.0, 20_000.0, Stage::Copy, &batches);
    assert!((recorder.performance().ratio - 4.0).abs() < 1e-9);
}

#[test]
fn batches_outside_the_copy_are_no_work_of_the_copy() {
    let recorder = Recorder::new();
    stage(&recorder, 0.0, 2.0, Stage::Copy, &[(1.0, copied(0, 1, 5.0))]);
    stage(&recorder, 2.0, 9.0, Stage::Verify, &[(8.0, copied(0, 1, 5.0))]);
    let performance = recorder.performance();
    assert_eq!((performance.total, performance.idle), (2.0, 1.0));
}

#[test]
fn a_copy_without_a_batch_is_not_idle() {
    let recorder = Recorder::new();
    assert_eq!(recorder.performance().ratio, 1.0);
    stage(&recorder, 0.0, 3.0, Stage::Copy, &[]);
    let performance = recorder.performance();
    assert_eq!((performance.total, performance.idle, performance.ratio), (3.0, 0.0, 1.0));
}

#[test]
fn stages_add_up_in_their_order_and_a_failed_one_counts() {
    let recorder = Recorder::new();
    stage(&recorder, 0.0, 1.0, Stage::Prepare, &[]);
    stage(&recorder, 1.0, 3.0, Stage::Copy, &[]);
    stage(&recorder, 3.0, 4.0, Stage::Prepare, &[]);
    recorder.listen(4.0, &Event::StageStarted { stage: Stage::Copy });
    recorder.listen(4.5, &copied(0, 1, 0.5));
    let expected = [("prepare", 2.0), ("copy", 2.5)];
    let steps = |recorder: &Recorder| -> Vec<(String, f64)> {
        recorder.steps().into_iter().map(|step| (step.name, step.seconds)).collect()
    };
    assert_eq!(steps(&recorder), expected.map(|(name, at)| (name.to_string(), at)));
    assert_eq!(recorder.performance().total, 2.5);
    recorder.listen(6.0, &Event::RunDone { outcome: Outcome::Failed, seconds: 6.0 });
    assert_eq!(steps(&recorder)[1], ("copy".to_string(), 4.0));
}

#[test]
fn samples_stay_few_even_and_true_however_long_the_run() {
    for (count, distance) in [(3, 0.01), (1000, 0.01), (5000, 3.7), (20, 5000.0)] {
        let recorder = Recorder::new();
        recorder.listen(100.0, &started());
        let mut at = 100.0;
        for _ in 0..count {
            at += distance;
            recorder.listen(at, &copied(0, 2, distance));
        }
        let samples = recorder.samples();
        assert!(samples.len() <= 401, "{}", samples.len());
        assert!(count < 1000 || samples.len() >= 190, "{}", samples.len());
        let last = samples[samples.len() - 1];
        assert_eq!((last.rows, last.bytes), (count * 2, count * 20));
        assert!((last.at - (at - 100.0)).abs() < 1e-6);
        for two in samples.windows(2) {
            assert!(two[0].at < two[1].at && two[0].rows <= two[1].rows);
        }
        for sample in &samples {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let rows = sample.rows as f64;
            assert!((rows / 2.0 - sample.at / distance).abs() <= 1.01);
        }
    }
}

#[test]
fn a_retry_takes_back_what_was_counted() {
    let recorder = Recorder::new();
    recorder.listen(1.0, &copied(0, 5, 0.1));
    recorder.listen(2.0, &retry(5));
    recorder.listen(2.5, &retry(5));
    recorder.listen(3.0, &copied(0, 7, 0.1));
    assert_eq!(recorder.samples().last().map(|sample| (sample.rows, sample.bytes)), Some((7, 70)));
}

#[test]
fn workers_time_is_kept_by_table_and_by_cause() {
    let recorder = Recorder::new();
    let waits = Waits { source: 1.0, target: 2.0, own: 3.0, limits: 4.0 };
    recorder.listen(1.0, &done(2.5, waits));
    recorder.clone().listen(2.0, &done(1.5, waits));
    assert_eq!((recorder.table_seconds("t"), recorder.table_seconds("u")), (4.0, 0.0));
    assert_eq!(recorder.performance().waits.limits, 8.0);
}

/// A name that tries everything.
const HOSTILE: &str = "<script>alert('1')</script>\"&amp;\u{0}\u{202e}\n";

fn report(outcome: Outcome, level: VerifyLevel, matches: bool, hostile: bool) -> Report {
    let text = |plain: &str| if hostile { HOSTILE.to_string() } else { plain.to_string() };
    let table = TableReport {
        source: text("orders"),
        target: text("orders_new"),
        planned_rows: 1_234_567,
        rows: 1_234_567,
        bytes: 98_765_432,
        chunks: 2,
        seconds: 3.5,
        rejected: if outcome == Outcome::Rejected { 17 } else { 0 },
    };
    let difference = Difference {
        kind: DifferenceKind::Different,
        key: text("id=7"),
        columns: vec![text("total")],
        count: 1,
    };
    let verification = Verification {
        level,
        independent: false,
        matches,
        repaired: 0,
        tables: vec![TableVerification {
            table: text("orders_new"),
            matches,
            expected_rows: 1_234_567,
            found_rows: 1_234_567,
            expected: text("1234567:00"),
            found: text("1234567:01"),
            missing: 0,
            extra: 0,
            different: u64::from(!matches),
            chunks: vec![1],
            differences: if matches { Vec::new() } else { vec![difference] },
            note: Some(text("a note")),
        }],
    };
    Report {
        format: FORMAT.to_string(),
        run: text("20261122-1"),
        name: text("shop"),
        version: text("1.0.0"),
        plan: text("sha256:00"),
        outcome,
        error: vec![text("the disk is full")],
        started: text("2026-11-22T10:00:00Z"),
        seconds: 4.0,
        resumed: true,
        steps: vec![Step { name: text("copy"), seconds: 3.0 }],
        performance: Performance { total: 3.0, idle: 1.0, ratio: 1.5, waits: Waits::default() },
        samples: (0..9u32)
            .map(|i| Sample { at: f64::from(i), rows: i.into(), bytes: u64::from(i) * 9 })
            .collect(),
        moves: vec![MoveReport {
            from: text("sqlite:a.db"),
            to: text("file:b"),
            position: text("frame 7"),
            source_unchanged: false,
            tables: vec![table],
            fidelity: vec![Fidelity {
                table: text("orders"),
                column: text("total"),
                kind: LossKind::Nan,
                action: Action::Null,
                predicted: 3,
                counted: 4,
                verified: Some(false),
                keys: vec![text("id=9")],
            }],
            not_moved: vec![NotMoved {
                kind: text("trigger"),
                name: text("t1"),
                reason: text("no"),
            }],
            rejects: Some(text("state/rejects/run-1")),
            verification: Some(verification),
        }],
        references: vec![ReferenceReport {
            columns: vec![text("attachments.path")],
            objects: text("file:uploads"),
            matches: true,
            rows: 30,
            elsewhere: 0,
            names: 20,
            missing: 2,
            in_source: 0,
            unnamed: 1,
            missing_names: vec![text("a.png"), text("b.png")],
            unnamed_names: vec![text("c.png")],
        }],
    }
}

#[test]
fn the_page_is_whole_and_nothing_leaves_it() {
    let page = render_html(&report(Outcome::Different, VerifyLevel::Full, false, false));
    for part in [
        "1,234,567",
        "94.2\u{a0}MiB",
        "id=7",
        "a note",
        "the disk is full",
        "not as predicted",
        "frame 7",
        "2026-11-22 10:00:00 UTC",
        "1.50",
        "default-src 'none'",
        "prefers-color-scheme:dark",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    for part in ["http:", "https:", "<script", "url(", "@import", "<link", "<img", "NaN", "inf"] {
        let page = page.replace("NaN, which", "");
        assert!(!page.contains(part), "{part} is in the page");
    }
    assert_balanced(&page);
}

#[test]
fn losses_are_shown_with_their_first_rows_and_rejects_with_their_folder() {
    let page = render_html(&report(Outcome::Rejected, VerifyLevel::Full, true, false));
    for part in ["id=9", "state/rejects/run-1", "Rejected", "becomes NULL"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    assert_balanced(&page);
    let page = render_html(&report(Outcome::Verified, VerifyLevel::Full, true, false));
    assert!(!page.contains("reject files"), "a run without rejects speaks of none");
}

#[test]
fn names_from_a_system_cannot_become_markup() {
    let page = render_html(&report(Outcome::Failed, VerifyLevel::Full, false, true));
    assert!(!page.contains("<script") && !page.contains('\0') && !page.contains("'1'"));
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)"));
    assert_balanced(&page);
}

#[test]
fn the_headline_says_no_more_than_is_proven() {
    let cases = [
        (Outcome::Verified, VerifyLevel::Full, true, "every row of 1\u{a0}table was read back"),
        (Outcome::Verified, VerifyLevel::Sample, true, "Sampled: a part of"),
        (Outcome::Verified, VerifyLevel::Count, true, "Counted:"),
        (Outcome::Verified, VerifyLevel::Full, false, "Incomplete:"),
        (Outcome::Different, VerifyLevel::Full, false, "Different: 1 of 1\u{a0}table"),
        (Outcome::Copied, VerifyLevel::Full, true, "Copied:"),
        (Outcome::Rejected, VerifyLevel::Full, true, "17\u{a0}rows are in reject files"),
        (Outcome::Failed, VerifyLevel::Full, true, "Failed:"),
        (Outcome::Cancelled, VerifyLevel::Full, true, "Stopped on request"),
    ];
    for (outcome, level, matches, expected) in cases {
        let page = render_html(&report(outcome, level, matches, false));
        let (_, rest) = page.split_once("<h1>").expect("a headline");
        let (headline, _) = rest.split_once("</h1>").expect("its end");
        assert!(headline.contains(expected), "{headline}");
        assert_eq!(
            headline.contains("every row"),
            level == VerifyLevel::Full && matches && outcome == Outcome::Verified
        );
    }
    let miscounted = report(Outcome::Different, VerifyLevel::Full, true, false);
    assert!(render_html(&miscounted).contains("Different: losses were not as predicted"));
    let mut unproven = report(Outcome::Verified, VerifyLevel::Full, true, false);
    unproven.moves[0].verification = None;
    assert!(render_html(&unproven).contains("Incomplete:"));
}

#[test]
fn an_empty_report_is_a_page_too() {
    let mut empty = report(Outcome::Failed, VerifyLevel::Full, true, false);
    empty.moves.clear();
    empty.samples.clear();
    empty.steps.clear();
    empty.seconds = 0.0;
    empty.performance = Performance::default();
    let page = render_html(&empty);
    assert!(page.contains("No rows were copied"));
    assert!(!page.contains("NaN") && !page.contains("inf"));
    assert_balanced(&page);
}

#[test]
fn a_curve_of_extremes_is_drawn_or_left_out() {
    for (at, rows) in [
        ([0.0, 1e-320], [0, u64::MAX]),
        ([1e18, 1e18 + 1024.0], [0, 1]),
        ([0.0, 1e12], [u64::MAX - 1, u64::MAX]),
        ([5.0, 5.0], [0, 7]),
        ([0.0, 0.001], [0, u64::MAX]),
        ([7.0, 3.0], [9, 0]),
    ] {
        let mut odd = report(Outcome::Failed, VerifyLevel::Full, true, false);
        odd.samples =
            at.iter().zip(rows).map(|(at, rows)| Sample { at: *at, rows, bytes: rows }).collect();
        let page = render_html(&odd);
        assert!(!page.contains("NaN\u{a0}") && !page.contains("inf"), "{at:?}");
        assert_balanced(&page);
    }
}

/// Every element that is opened is closed, in order.
fn assert_balanced(page: &str) {
    let mut open = Vec::new();
    let body = page.split_once("<body>").expect("a body").1;
    for tag in body.split('<').skip(1) {
        let tag = tag.split_once('>').expect("the end of a tag").0;
        let name = tag.trim_start_matches('/').split([' ', '/']).next().expect("a name");
        match tag.strip_prefix('/') {
            Some("body") => break,
            Some(_) => assert_eq!(open.pop(), Some(name), "in {tag}"),
            None if tag.ends_with('/') || name == "br" => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
