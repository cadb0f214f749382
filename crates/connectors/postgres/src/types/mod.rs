//! Types: what PostgreSQL's mean, how they are read, and how every logical type is stored in it.

mod map;
#[cfg(test)]
mod tests;

pub(crate) use map::map_column;

use longshore_model::LogicalType;
use longshore_model::Unit;

use crate::DIALECT;

/// A column's type as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NativeType {
    /// As it is declared, such as `numeric(10,2)`.
    pub name: String,
    /// The name of the type below every domain, such as `int4` or `_text`.
    pub base: String,
    /// Whether that type comes with the server.
    pub builtin: bool,
    /// Whether it is an enum, or a range of a built-in type.
    pub portable: bool,
    /// The modifier of the type below every domain; -1 when there is none.
    pub modifier: i32,
}

/// Built-in types whose binary form holds no number of an object, so that it is the same on every
/// server.
const BINARY: &[&str] = &[
    "bool",
    "char",
    "name",
    "int2",
    "int4",
    "int8",
    "text",
    "varchar",
    "bpchar",
    "bytea",
    "float4",
    "float8",
    "numeric",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "json",
    "jsonb",
    "oid",
    "bit",
    "varbit",
    "money",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "tsvector",
    "tsquery",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
    "tsmultirange",
    "tstzmultirange",
    "datemultirange",
    "jsonpath",
    "pg_lsn",
];

/// Whether values may pass from server to server in their binary form.
pub(crate) fn passes_in_binary(native: &NativeType) -> bool {
    let element = native.base.strip_prefix('_').unwrap_or(&native.base);
    native.portable || native.builtin && BINARY.contains(&element)
}

/// What values of a type mean to other systems.
pub(crate) fn logical(native: &NativeType) -> LogicalType {
    let int = |bits| LogicalType::Int { bits, unsigned: false };
    let opaque = || LogicalType::Opaque { system: DIALECT.into(), name: native.name.clone() };
    if !native.builtin {
        return opaque();
    }
    match native.base.as_str() {
        "bool" => LogicalType::Boolean,
        "int2" => int(16),
        "int4" => int(32),
        "int8" => int(64),
        "oid" => LogicalType::Int { bits: 32, unsigned: true },
        "float4" => LogicalType::Float { bits: 32 },
        "float8" => LogicalType::FLOAT64,
        "numeric" => decimal(native.modifier).unwrap_or(LogicalType::Number),
        "text" | "varchar" | "bpchar" | "name" => LogicalType::Text,
        "bytea" => LogicalType::Bytes,
        "date" => LogicalType::Date,
        "time" => LogicalType::Time { unit: Unit::Micro },
        "timestamp" => LogicalType::Timestamp { unit: Unit::Micro, utc: false },
        "timestamptz" => LogicalType::Timestamp { unit: Unit::Micro, utc: true },
        "interval" => LogicalType::Interval,
        "uuid" => LogicalType::Uuid,
        "json" | "jsonb" => LogicalType::Json,
        "bit" => match u32::try_from(native.modifier) {
            Ok(length @ 1..) => LogicalType::Bits { length },
            _ => opaque(),
        },
        _ => opaque(),
    }
}

impl NativeType {
    /// The most characters of a text.
    pub(crate) fn length(&self) -> Option<u32> {
        let bounded = self.builtin && matches!(self.base.as_str(), "varchar" | "bpchar");
        let length = self.modifier.checked_sub(4).filter(|_| bounded)?;
        u32::try_from(length).ok()
    }
}

/// The decimal of a modifier of `numeric`, where one exists.
fn decimal(modifier: i32) -> Option<LogicalType> {
    let packed = u32::try_from(modifier.checked_sub(4)?).ok()?;
    let precision = u8::try_from(packed >> 16).ok().filter(|precision| *precision <= 76)?;
    // Eleven bits with a sign; scales below zero and above the precision exist since version 15.
    let scale = packed & 0x7ff;
    let scale = i8::try_from(scale).ok().filter(|scale| scale.unsigned_abs() <= precision)?;
    Some(LogicalType::Decimal { precision, scale })
}

/// How a value is written in binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Bool,
    Int { bytes: u8 },
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    Jsonb,
    Bytes,
    Date,
    Time,
    Timestamp,
    Interval,
    Uuid,
    Bits,
}

/// The binary form in which a column of a type holds values of a logical type; `None` when only
/// text does.
pub(crate) fn form(native: &NativeType, logical: &LogicalType) -> Option<Form> {
    if !native.builtin {
        return None;
    }
    let signed = |bits| LogicalType::Int { bits, unsigned: false };
    let form = match (native.base.as_str(), logical) {
        ("bool", LogicalType::Boolean) => Form::Bool,
        ("int2", logical) if *logical == signed(16) => Form::Int { bytes: 2 },
        ("int4", logical) if *logical == signed(32) => Form::Int { bytes: 4 },
        ("int8", logical) if *logical == signed(64) => Form::Int { bytes: 8 },
        ("oid", LogicalType::Int { bits: 32, unsigned: true }) => Form::Oid,
        ("float4", LogicalType::Float { bits: 32 }) => Form::Float4,
        ("float8", LogicalType::Float { bits: 64 }) => Form::Float8,
        ("numeric", LogicalType::Decimal { .. } | LogicalType::Number) => Form::Numeric,
        ("text" | "varchar" | "bpchar" | "name" | "json", logical) if logical.is_textual() => {
            Form::Text
        }
        ("jsonb", LogicalType::Json) => Form::Jsonb,
        ("bytea", LogicalType::Bytes) => Form::Bytes,
        ("date", LogicalType::Date) => Form::Date,
        ("time", LogicalType::Time { unit: Unit::Micro }) => Form::Time,
        ("timestamp", LogicalType::Timestamp { unit: Unit::Micro, utc: false })
        | ("timestamptz", LogicalType::Timestamp { unit: Unit::Micro, utc: true }) => {
            Form::Timestamp
        }
        ("interval", LogicalType::Interval) => Form::Interval,
        ("uuid", LogicalType::Uuid) => Form::Uuid,
        ("bit", LogicalType::Bits { .. }) => Form::Bits,
        _ => return None,
    };
    Some(form)
}

/// Like [`form`], for reading: a number without bounds is read as its text.
pub(crate) fn read_form(native: &NativeType, logical: &LogicalType) -> Option<Form> {
    match logical {
        LogicalType::Number => None,
        logical => form(native, logical),
    }
}

/// How a column is selected so that a decoder gets what it expects.
pub(crate) fn read_expression(column: &str, native: &NativeType, logical: &LogicalType) -> String {
    match read_form(native, logical) {
        Some(_) => column.to_string(),
        None => format!("{column}::pg_catalog.text"),
    }
}
