//! The images that are here.

use longshore_model::{Code, Error, Result};
use longshore_service::number::size;
use longshore_service::{ImageLine, Images, Place};
use serde::Serialize;

use crate::args::{ImagesArgs, RmArgs, TagArgs};
use crate::context::Context;
use crate::failure::DONE;

pub(crate) fn images(args: &ImagesArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    if let Some(place) = &args.load {
        for (image, name) in images.take(place)? {
            let name = name.map_or("without a name".to_string(), |name| name.to_string());
            context.print(&format!("{}  {name}\n", image.digest));
        }
        return Ok(DONE);
    }
    let lines = images.list()?;
    context.print(&if context.json { json(&lines)? } else { table(&lines) });
    Ok(DONE)
}

pub(crate) fn tag(args: &TagArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let image = images.find(&args.image)?;
    if args.name.digest.is_some() {
        return Err(Error::new(Code::ImageName, "an image gets the name of a tag")
            .with("name", args.name.to_string()));
    }
    images.put(&image, &args.name, &Place::Name(args.name.clone()))?;
    context.print(&format!("{}  {}\n", image.digest, args.name));
    Ok(DONE)
}

pub(crate) fn rm(args: &RmArgs, context: &Context) -> Result<u8> {
    let removal = Images::of(&context.state)?.remove(&args.images, args.dry_run)?;
    if context.json {
        context.print(&json(&[removal])?);
        return Ok(DONE);
    }
    let said = if args.dry_run { "would lose its name" } else { "has lost its name" };
    for (name, image) in &removal.images {
        context.print(&format!("{}  {said} {name}\n", image.digest));
    }
    let bytes = size(removal.bytes);
    context.print(&match (args.dry_run, removal.is_swept) {
        (true, _) => format!("{bytes} would be freed\n"),
        (false, true) => format!("{bytes} freed\n"),
        (false, false) => format!(
            "{bytes} stay, because another process works with the images: `longshore rm` frees them later\n"
        ),
    });
    Ok(DONE)
}

fn json<T: Serialize>(lines: &[T]) -> Result<String> {
    let mut out = String::new();
    for line in lines {
        out.push_str(&serde_json::to_string(line).map_err(|error| {
            Error::new(Code::Internal, "an image cannot be shown").because(error)
        })?);
        out.push('\n');
    }
    Ok(out)
}

fn table(lines: &[ImageLine]) -> String {
    let mut rows =
        vec![["NAME", "DIGEST", "CREATED", "PLAN", "SIZE", "UNIQUE"].map(str::to_string)];
    rows.extend(lines.iter().map(|line| {
        let plan = line.plan.as_deref().and_then(|plan| plan.strip_prefix("sha256:"));
        [
            line.name.clone(),
            line.digest.short().to_string(),
            line.created.clone().unwrap_or_default(),
            plan.unwrap_or_default().chars().take(12).collect(),
            size(line.size),
            size(line.unique),
        ]
    }));
    columns(&rows)
}

/// Rows as a table, with as much room between columns as they need.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |place: usize| rows.iter().map(|row| row[place].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
