//! Values between COPY's two forms and Arrow.
//!
//! The binary form of each type is what its `…recv` and `…send` functions of the server take and
//! give; lengths and numbers are big-endian.

mod bits;
mod decode;
mod encode;
mod lane;
mod numeric;
mod text;

pub(crate) use decode::Decoder;
pub(crate) use encode::Encoder;

/// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days between the same.
const EPOCH_DAYS: i32 = 10_957;

#[cfg(test)]
mod tests;
