//! What changed from one image to another.

use longshore_image::Digest;
use longshore_model::{Code, Error, Result};
use longshore_service::{Difference, EngineDifference, Images};

use crate::args::DiffArgs;
use crate::context::Context;
use crate::failure::{DIFFERENCE, DONE};
use crate::output::{Output, Style};

pub(crate) fn diff(args: &DiffArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let found = images.diff(&images.find(&args.from)?, &images.find(&args.to)?)?;
    let text = match context.json {
        true => serde_json::to_string_pretty(&found).map(|text| text + "\n").map_err(|error| {
            Error::new(Code::Internal, "the difference cannot be shown").because(error)
        })?,
        false => describe(&found, &context.output),
    };
    context.print(&text);
    Ok(if args.check && !found.is_empty() { DIFFERENCE } else { DONE })
}

fn describe(found: &Difference, output: &Output) -> String {
    let short = Digest::short;
    if found.is_empty() {
        let same = if found.from == found.to { "the same image" } else { "both do the same" };
        return format!("{same}: {} and {}\n", short(&found.from), short(&found.to));
    }
    let mut out = String::new();
    for engine in &found.engines {
        out.push_str(&described(engine));
    }
    for diff in found.files.values() {
        diff.lines().for_each(|line| {
            out.push_str(&colored(line, output));
            out.push('\n');
        });
    }
    out
}

fn described(one: &EngineDifference) -> String {
    let version = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".to_string());
    let (from, to) = (version(&one.from), version(&one.to));
    let versions = match from == to {
        true => format!("another build of {from}"),
        false => format!("{from} → {to}"),
    };
    let mut out = format!("engine for {}: {versions}\n", one.platform);
    if one.from.is_some() && one.to.is_some() {
        for package in &one.packages {
            let side = |versions: &[String]| match versions {
                [] => "none".to_string(),
                _ => versions.join(", "),
            };
            let (from, to) = (side(&package.from), side(&package.to));
            out.push_str(&format!("  {} {from} → {to}\n", package.name));
        }
    }
    out
}

fn colored(line: &str, output: &Output) -> String {
    let style = match line.chars().next() {
        Some('+') => Style::Green,
        Some('-') => Style::Red,
        _ => return line.to_string(),
    };
    output.styled(style, line)
}
