//! The report as one HTML file: no script, and no request ever leaves the page.

pub(super) mod format;
mod proof;
mod references;
mod table;

use std::fmt::Write;

use super::plot::{self, Curve, Labels, Part, Unit};
use super::{MoveReport, Report, Sample};
use format::{
    about, byte_rate, bytes, code, count, escape, moment, name, row_rate, seconds, share,
};
use table::{Align, table, with_bar};

const STYLE: &str = include_str!("html/style.css");

/// The whole page. Everything that comes from a system is escaped.
pub fn render(report: &Report) -> String {
    let headline = proof::headline(report);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} {} – {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&report.name),
        escape(&report.version),
        escape(headline.word),
    );
    let _ = write!(
        page,
        "<header class=\"{}\"><p class=\"eyebrow\">Longshore report · {} {}</p>\
         <h1><span class=\"mark\" aria-hidden=\"true\">{}</span> {}</h1><p class=\"lead\">{}</p>",
        headline.class,
        name(&report.name),
        escape(&report.version),
        headline.mark,
        escape(&headline.title),
        escape(&headline.detail),
    );
    if !report.error.is_empty() {
        page.push_str("<ol class=\"causes\">");
        for line in &report.error {
            let _ = write!(page, "<li>{}</li>", escape(line));
        }
        page.push_str("</ol>");
    }
    page.push_str("</header>\n");
    page.push_str(&figures(report));
    page.push_str(&facts(report));
    page.push_str(&speed(&report.samples));
    page.push_str("<div class=\"columns\">\n");
    page.push_str(&steps(report));
    page.push_str(&waits(report));
    page.push_str("</div>\n");
    for (index, one) in report.moves.iter().enumerate() {
        page.push_str(&moved(report, index, one));
    }
    page.push_str(&references::section(report));
    let _ = write!(
        page,
        "</main>\n<footer><p>Written by Longshore {} · {} · this page holds names, counts and keys, \
         no other values, and loads nothing.</p></footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&report.format),
    );
    page
}

/// The four figures that everybody looks for first.
fn figures(report: &Report) -> String {
    let tables = || report.moves.iter().flat_map(|one| &one.tables);
    let rows: u64 = tables().map(|table| table.rows).sum();
    let size: u64 = tables().map(|table| table.bytes).sum();
    let copied = report.samples.last().map_or(0, |sample| sample.rows);
    let copied_bytes = report.samples.last().map_or(0, |sample| sample.bytes);
    let time = report.performance.total;
    let speed = |amount: u64| if time > 0.0 { about(amount) / time } else { 0.0 };
    let mut html = String::from("<dl class=\"figures\">");
    for (title, value, note) in [
        ("Rows", count(rows), format::counted(tables().count() as u64, "table")),
        ("Data", bytes(about(size)), format!("{} bytes", count(size))),
        ("Duration", seconds(report.seconds), format!("{} of it the copy", seconds(time))),
        (
            "Speed of the copy",
            row_rate(speed(copied)).replace("/s", "\u{a0}rows/s").replace("\u{a0}\u{a0}", "\u{a0}"),
            byte_rate(speed(copied_bytes)),
        ),
    ] {
        let _ = write!(html, "<div><dt>{title}</dt><dd>{value}<small>{note}</small></dd></div>");
    }
    html.push_str("</dl>\n");
    html
}

fn facts(report: &Report) -> String {
    let mut rows = vec![
        ("Run", code(&report.run)),
        ("Plan", code(&report.plan)),
        ("Started", moment(&report.started)),
    ];
    for one in &report.moves {
        rows.push(("From", code(&one.from)));
        rows.push(("To", code(&one.to)));
    }
    let resumed = if report.resumed {
        "Yes: it went on after an interruption; times and speeds are those of this attempt"
    } else {
        "No: one uninterrupted run"
    };
    rows.push(("Resumed", resumed.to_string()));
    let mut html = String::from("<section><h2>The run</h2><dl class=\"facts\">");
    for (title, value) in rows {
        let _ = write!(html, "<div><dt>{title}</dt><dd>{value}</dd></div>");
    }
    html.push_str("</dl></section>\n");
    html
}

/// Two curves: rows and bytes in a second.
fn speed(samples: &[Sample]) -> String {
    let mut html = String::from("<section><h2>Speed</h2>");
    let rows = Curve::speed(samples, |sample| sample.rows);
    let size = Curve::speed(samples, |sample| sample.bytes);
    if rows.is_none() && size.is_none() {
        html.push_str("<p>No rows were copied in this attempt.</p></section>\n");
        return html;
    }
    html.push_str("<div class=\"columns\">");
    for (id, title, curve, unit) in [
        ("rows", "Rows per second", rows, Unit { write: row_rate, base: 1000.0 }),
        ("bytes", "Bytes per second", size, Unit { write: byte_rate, base: 1024.0 }),
    ] {
        let Some(curve) = curve else { continue };
        let (begin, end) = (curve.edges[0], curve.edges[curve.edges.len() - 1]);
        let description = format!(
            "From second {begin:.1} to second {end:.1} of the run, at most {}.",
            (unit.write)(curve.peak())
        );
        let labels = Labels { id, title, description: &description };
        html.push_str(&plot::area(&curve, &labels, &unit));
    }
    html.push_str("</div></section>\n");
    html
}

fn steps(report: &Report) -> String {
    let longest = report.steps.iter().map(|step| step.seconds).fold(0.0, f64::max);
    let rows = report.steps.iter().map(|step| {
        let share_of_run = share(step.seconds, report.seconds);
        vec![
            with_bar(&escape(&step.name), share(step.seconds, longest)),
            seconds(step.seconds),
            format!("{share_of_run:.0}\u{a0}%"),
        ]
    });
    let columns = [("Step", Align::Left), ("Time", Align::Right), ("Of the run", Align::Right)];
    format!("<section><h2>Steps</h2>{}</section>\n", table("Time by step", &columns, rows))
}

/// Where the workers' time went, and P.
fn waits(report: &Report) -> String {
    let performance = report.performance;
    let waits = performance.waits;
    let total = waits.source + waits.target + waits.own + waits.limits;
    let all = [
        ("source", "waiting for the source", waits.source),
        ("target", "waiting for the target", waits.target),
        ("own", "converting and fingerprinting", waits.own),
        ("limits", "held back by the limits of memory and rate", waits.limits),
    ];
    let parts = all.map(|(class, _, size)| Part { class, size });
    let description: Vec<_> =
        all.iter().map(|(_, what, size)| format!("{:.0} % {what}", share(*size, total))).collect();
    let description = description.join(", ");
    let labels = Labels { id: "waits", title: "Time of all workers", description: &description };
    let rows = all.iter().map(|(class, what, size)| {
        vec![
            format!("<span class=\"key {class}\" aria-hidden=\"true\"></span>{what}"),
            seconds(*size),
            format!("{:.0}\u{a0}%", share(*size, total)),
        ]
    });
    let columns = [("Workers were", Align::Left), ("Time", Align::Right), ("Share", Align::Right)];
    let bar = if total > 0.0 { plot::stack(&parts, &labels) } else { String::new() };
    format!(
        "<section><h2>Where the run waited</h2>{bar}{}<p class=\"note\">Performance \
         <b>P = {:.2}</b>: of {} of copying, no worker had a batch in hand for {} \
         (P = total / (total − idle); 1 is the best).</p></section>\n",
        table("Time of all workers together", &columns, rows),
        performance.ratio,
        seconds(performance.total),
        seconds(performance.idle),
    )
}

/// One move: its tables, what was lost, the proof, what stays behind.
fn moved(report: &Report, index: usize, one: &MoveReport) -> String {
    let mut html = String::new();
    if report.moves.len() > 1 {
        let _ = writeln!(
            html,
            "<h2 class=\"move\">Move {}: {} → {}</h2>",
            index + 1,
            code(&one.from),
            code(&one.to)
        );
    }
    html.push_str(&proof::verification(one));
    html.push_str(&tables(one));
    html.push_str(&proof::fidelity(one));
    html.push_str(&proof::not_moved(one));
    html.push_str(&proof::source(one));
    html
}

fn tables(one: &MoveReport) -> String {
    let largest = one.tables.iter().map(|table| table.bytes).max().unwrap_or(0);
    let rows = one.tables.iter().map(|table| {
        let title = if table.source == table.target {
            name(&table.source)
        } else {
            format!("{} → {}", name(&table.source), name(&table.target))
        };
        let speed = match table.seconds > 0.0 && table.rows > 0 {
            true => row_rate(about(table.rows) / table.seconds),
            false => "–".to_string(),
        };
        vec![
            with_bar(&title, share(about(table.bytes), about(largest))),
            count(table.rows),
            bytes(about(table.bytes)),
            count(table.chunks as u64),
            seconds(table.seconds),
            speed,
        ]
    });
    let columns = [
        ("Table", Align::Left),
        ("Rows", Align::Right),
        ("Data", Align::Right),
        ("Chunks", Align::Right),
        ("Worker time", Align::Right),
        ("Rows/s", Align::Right),
    ];
    format!(
        "<section><h2>Tables</h2>{}</section>\n",
        table("What moved; the bars compare the bytes", &columns, rows)
    )
}
