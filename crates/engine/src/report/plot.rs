//! Plots as SVG without script: the curve stretches to any width, its labels are HTML around it and
//! keep their size.

use std::fmt::Write;

use super::Sample;
use super::html::format::escape;

/// The most points of a curve: finer ones would show single batches.
const POINTS: usize = 96;

/// One curve: a value for every span of time.
pub(super) struct Curve {
    /// Seconds at the edges of the spans, one more than there are values.
    pub(super) edges: Vec<f64>,
    /// What arrived in a second.
    pub(super) values: Vec<f64>,
}

/// What a plot shows, in words.
pub(super) struct Labels<'a> {
    /// An identifier that the page has once.
    pub(super) id: &'a str,
    /// The title.
    pub(super) title: &'a str,
    /// One sentence with the figures, for those who do not see it.
    pub(super) description: &'a str,
}

/// The unit of a curve's values.
pub(super) struct Unit {
    /// Writes a value with its unit.
    pub(super) write: fn(f64) -> String,
    /// How many of a unit make the next larger one.
    pub(super) base: f64,
}

/// One part of a stacked bar.
pub(super) struct Part<'a> {
    /// Its class in the style sheet, which gives it its colour.
    pub(super) class: &'a str,
    /// Its size, in the unit of all others.
    pub(super) size: f64,
}

impl Curve {
    /// The speed over the part of a run in which anything arrived. `None` when nothing did.
    pub(super) fn speed(samples: &[Sample], count: impl Fn(&Sample) -> u64) -> Option<Self> {
        let moving: Vec<usize> = (1..samples.len())
            .filter(|&index| count(&samples[index]) != count(&samples[index - 1]))
            .collect();
        let (first, last) = (moving.first()? - 1, *moving.last()?);
        let part = &samples[first..=last];
        let (begin, end) = (part[0].at, part[part.len() - 1].at);
        if end <= begin {
            return None;
        }
        let points = (part.len() - 1).clamp(1, POINTS);
        let edges: Vec<f64> = (0..=points)
            .map(|index| begin + (end - begin) * float(index) / float(points))
            .collect();
        let totals: Vec<f64> = edges.iter().map(|&at| total_at(part, at, &count)).collect();
        let width = (end - begin) / float(points);
        let values = totals.windows(2).map(|two| ((two[1] - two[0]) / width).max(0.0)).collect();
        let curve = Self { edges, values };
        curve.peak().is_finite().then_some(curve)
    }

    /// The highest value.
    pub(super) fn peak(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }
}

impl Unit {
    /// The largest power of the base in which a value is not below 1.
    fn scale(&self, value: f64) -> f64 {
        let mut scale = 1.0;
        while value >= scale * self.base {
            scale *= self.base;
        }
        scale
    }
}

/// What had arrived at a moment, on the straight line between two samples.
fn total_at(samples: &[Sample], at: f64, count: &impl Fn(&Sample) -> u64) -> f64 {
    let after = samples.partition_point(|sample| sample.at < at).clamp(1, samples.len() - 1);
    let (one, two) = (&samples[after - 1], &samples[after]);
    let share = if two.at > one.at { (at - one.at) / (two.at - one.at) } else { 1.0 };
    let (from, to) = (whole(count(one)), whole(count(two)));
    from + (to - from) * share.clamp(0.0, 1.0)
}

/// An area plot over time; the unit's `base` keeps the numbers of the axis round.
pub(super) fn area(curve: &Curve, labels: &Labels<'_>, unit: &Unit) -> String {
    let Labels { id, title, description } = labels;
    let (begin, end) = (curve.edges[0], curve.edges[curve.edges.len() - 1]);
    let scale = unit.scale(curve.peak());
    let step = nice_step(curve.peak() / scale, 5) * scale;
    let top = (curve.peak() / step).ceil().max(1.0) * step;
    let x = |at: f64| 1000.0 * (at - begin) / (end - begin);
    let y = |value: f64| 300.0 - 300.0 * value / top;

    let mut line = String::new();
    for (index, &value) in curve.values.iter().enumerate() {
        let (left, right) = (x(curve.edges[index]), x(curve.edges[index + 1]));
        let middle = f64::midpoint(left, right);
        if index == 0 {
            let _ = write!(line, "M{left:.1} {:.1}", y(value));
        }
        let _ = write!(line, "L{middle:.1} {:.1}", y(value));
        if index + 1 == curve.values.len() {
            let _ = write!(line, "L{right:.1} {:.1}", y(value));
        }
    }
    let (mut grid, mut y_labels, mut x_labels) = (String::new(), String::new(), String::new());
    for value in ticks(0.0, top, step) {
        let _ = write!(grid, "M0 {0:.1}H1000", y(value));
        let percent = 100.0 * value / top;
        let _ =
            write!(y_labels, "<span style=\"bottom:{percent:.2}%\">{}</span>", (unit.write)(value));
    }
    let step = time_step(end - begin, 5);
    for at in ticks(begin, end, step) {
        let percent = x(at) / 10.0;
        let _ = write!(x_labels, "<span style=\"left:{percent:.2}%\">{}</span>", clock(at, step));
    }
    format!(
        "<figure class=\"plot\"><figcaption>{0}</figcaption><div class=\"frame\">\
         <div class=\"y\" aria-hidden=\"true\">{y_labels}</div>\
         <svg viewBox=\"0 0 1000 300\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{0}</title>\
         <desc id=\"{id}-desc\">{1}</desc><path class=\"grid\" d=\"{grid}\"/>\
         <path class=\"fill\" d=\"{line}L1000 300L0 300Z\"/><path class=\"line\" d=\"{line}\"/></svg>\
         <div class=\"x\" aria-hidden=\"true\">{x_labels}</div></div></figure>\n",
        escape(title),
        escape(description),
    )
}

/// A bar of parts, side by side. Parts of size 0 are left out.
pub(super) fn stack(parts: &[Part<'_>], labels: &Labels<'_>) -> String {
    let Labels { id, title, description } = labels;
    let total: f64 = parts.iter().map(|part| part.size).sum();
    let mut rects = String::new();
    let mut left = 0.0;
    for part in parts.iter().filter(|part| part.size > 0.0) {
        let width = 1000.0 * part.size / total;
        let class = part.class;
        let _ = write!(
            rects,
            "<rect class=\"{class}\" x=\"{left:.2}\" width=\"{width:.2}\" height=\"10\"/>"
        );
        left += width;
    }
    format!(
        "<svg class=\"stack\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{}</title>\
         <desc id=\"{id}-desc\">{}</desc>{rects}</svg>\n",
        escape(title),
        escape(description),
    )
}

/// The multiples of `step` from `begin` to `end`.
fn ticks(begin: f64, end: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (begin / step).ceil();
    // An axis has at most this many, even when the step is too small to count with.
    (0..20u8)
        .map(move |number| (first + f64::from(number)) * step)
        .take_while(move |at| *at <= end + step * 0.001)
}

/// The smallest of 1, 2, 2.5, 5 × 10ⁿ that divides `range` into at most `count` parts.
fn nice_step(range: f64, count: usize) -> f64 {
    let rough = range / float(count);
    if rough <= 0.0 || !rough.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let factor = factors.into_iter().find(|factor| factor * power >= rough * 0.9999);
    factor.unwrap_or(10.0) * power
}

/// Like [`nice_step`], in the parts of minutes, hours and days.
fn time_step(range: f64, count: usize) -> f64 {
    const STEPS: [f64; 17] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        14_400.0, 21_600.0, 43_200.0,
    ];
    let rough = range / float(count);
    if rough < 1.0 {
        return nice_step(range, count);
    }
    let step = STEPS.into_iter().find(|step| *step >= rough);
    step.unwrap_or_else(|| nice_step(range / 86_400.0, count).max(1.0) * 86_400.0)
}

/// A moment of the time axis: as exact as the axis's step.
fn clock(at: f64, step: f64) -> String {
    if step < 1.0 {
        let digits = if step < 0.01 {
            3
        } else if step < 0.1 {
            2
        } else {
            1
        };
        return format!("{at:.digits$} s");
    }
    let (minutes, seconds) = ((at / 60.0).floor(), at % 60.0);
    match (step >= 60.0, at >= 3600.0 || step >= 3600.0) {
        (_, true) => format!("{:.0}:{:02.0} h", (at / 3600.0).floor(), minutes % 60.0),
        (true, _) => format!("{minutes:.0} min"),
        (false, _) if at >= 60.0 => format!("{minutes:.0}:{seconds:02.0} min"),
        _ => format!("{at:.0} s"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of points or ticks")]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "what is drawn is narrower than 2⁵³ pixels")]
fn whole(count: u64) -> f64 {
    count as f64
}
