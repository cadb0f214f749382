//! How much a registry holds.

use longshore_model::Result;
use longshore_registry::{Share, usage};
use longshore_service::number::size;

use super::{open, print_json};
use crate::args::DuArgs;
use crate::commands::images::columns;
use crate::context::Context;
use crate::failure::DONE;

pub(crate) fn du(args: &DuArgs, context: &Context) -> Result<u8> {
    let usage = usage(&open(args.root.as_ref(), context)?)?;
    if context.json {
        print_json(&usage, context)?;
        return Ok(DONE);
    }
    let heads = ["REPOSITORY", "TAGS", "MANIFESTS", "BLOBS", "BYTES", "APART", "UNIQUE", "SHARED"];
    let mut rows = vec![heads.map(str::to_string)];
    rows.extend(usage.repositories.iter().map(|(name, share)| row(name, share)));
    context.print(&columns(&rows));
    let missing = usage.repositories.iter().filter(|(_, share)| share.missing > 0);
    for (name, share) in missing {
        let count = share.missing;
        context.print(&format!(
            "{name}: {count} missing on the disk; `longshore registry check` says what\n"
        ));
    }
    let lines = [
        ("unique", usage.unique, "what one repository alone has"),
        ("shared", usage.shared, "what several have, each once"),
        ("loose", usage.loose, "what none has; `longshore registry gc` frees it"),
        ("uploads", usage.uploads, "what was not uploaded to its end"),
        ("books", usage.books, "links, tags and all that keeps order"),
        ("total", usage.total, "all files on the disk"),
        ("apart", usage.apart, "if each manifest had its own copy of its blobs"),
    ];
    context.print("\n");
    for (name, bytes, what) in lines {
        context.print(&format!("{name:8} {:>10}  {what}\n", size(bytes)));
    }
    Ok(DONE)
}

fn row(name: &str, share: &Share) -> [String; 8] {
    [
        name.to_string(),
        share.tags.to_string(),
        share.manifests.to_string(),
        share.blobs.to_string(),
        size(share.bytes),
        size(share.apart),
        size(share.unique),
        size(share.shared),
    ]
}
