//! Types: what those of the servers mean, and how every logical type is stored in them.

use longshore_model::catalog::Column;
use longshore_model::connector::Mapping;
use longshore_model::loss::LossKind;
use longshore_model::{LogicalType, Unit};

use crate::flavor::Flavor;
use crate::sql;

/// The most digits of a decimal, and of its fraction.
const DIGITS: (u8, u8) = (65, 30);

/// The most characters of a text with a bound.
const CHARACTERS: u32 = 10_000;

/// The most texts of an enumeration.
const ENUMERATED: usize = 65_535;

/// The longest bit string.
const BITS: u32 = 64;

/// What values of a declared type, such as `int(10) unsigned`, mean to other systems.
pub(crate) fn logical(declared: &str) -> LogicalType {
    let name = word(declared);
    let arguments = arguments(declared);
    let unsigned = declared.contains(" unsigned");
    let int = |bits| LogicalType::Int { bits, unsigned };
    match name {
        "tinyint" => int(8),
        "smallint" => int(16),
        "mediumint" | "int" | "integer" => int(32),
        "bigint" => int(64),
        "year" => LogicalType::Int { bits: 16, unsigned: false },
        "float" => LogicalType::Float { bits: 32 },
        "double" | "real" => LogicalType::FLOAT64,
        "decimal" | "numeric" => {
            let number = |at: usize, default| {
                arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default)
            };
            let scale = i8::try_from(number(1, 0u8)).unwrap_or(0);
            LogicalType::Decimal { precision: number(0, 10), scale }
        }
        "bit" => {
            let length = arguments.first().and_then(|text| text.parse().ok());
            LogicalType::Bits { length: length.unwrap_or(1) }
        }
        "date" => LogicalType::Date,
        "datetime" => LogicalType::Timestamp { unit: Unit::Micro, utc: false },
        "timestamp" => LogicalType::Timestamp { unit: Unit::Micro, utc: true },
        // It is a span of up to 838 hours, not a time of day.
        "time" => LogicalType::Interval,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        | "inet4" | "inet6" => LogicalType::Text,
        "json" => LogicalType::Json,
        "uuid" => LogicalType::Uuid,
        _ => LogicalType::Bytes,
    }
}

/// The first word of a declared type.
pub(crate) fn word(declared: &str) -> &str {
    declared.split(['(', ' ']).next().unwrap_or_default()
}

fn arguments(declared: &str) -> Vec<&str> {
    sql::parentheses(declared).map(|(_, inner, _)| sql::split(inner)).unwrap_or_default()
}

/// The most characters of a text.
pub(crate) fn length(declared: &str) -> Option<u32> {
    let bounded = matches!(word(declared), "char" | "varchar");
    arguments(declared).first().filter(|_| bounded)?.parse().ok()
}

/// The texts of an enumeration.
pub(crate) fn values(declared: &str) -> Vec<String> {
    if word(declared) != "enum" {
        return Vec::new();
    }
    arguments(declared).into_iter().filter_map(sql::text_of).collect()
}

/// The enumeration of some texts; `None` where the servers have none of them.
fn enumeration(values: &[String]) -> Option<String> {
    let fits = |text: &String| text.chars().count() <= 255 && !text.ends_with(' ');
    if values.is_empty() || values.len() > ENUMERATED || !values.iter().all(fits) {
        return None;
    }
    let values: Vec<String> = values.iter().map(|text| sql::literal(text)).collect();
    Some(format!("enum({})", values.join(",")))
}

/// Whether its values are texts in a character set.
pub(crate) fn is_text(declared: &str) -> bool {
    matches!(
        word(declared),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
    )
}

/// How a column is declared, stored and read back. A declaration of the same dialect stays.
pub(crate) fn map_column(column: &Column, flavor: Flavor) -> Mapping {
    if !column.native.is_empty() {
        let (native, logical) = (column.native.clone(), column.logical.clone());
        return Mapping { native, logical, guards: Vec::new() };
    }
    let logical = stored(&column.logical);
    let native = match (&logical, enumeration(&column.values)) {
        (LogicalType::Text | LogicalType::Opaque { .. }, Some(native)) => native,
        (LogicalType::Text, None) if let Some(length @ 1..=CHARACTERS) = column.length => {
            format!("varchar({length})")
        }
        _ => declare(&logical, flavor),
    };
    let guards = match &logical {
        LogicalType::Float { .. } => match flavor {
            Flavor::MySql => vec![LossKind::Nan, LossKind::OutOfRange],
            Flavor::MariaDb => vec![LossKind::Nan, LossKind::OutOfRange, LossKind::NegativeZero],
        },
        LogicalType::Date | LogicalType::Timestamp { unit: Unit::Micro, .. } => {
            vec![LossKind::OutOfRange]
        }
        _ => Vec::new(),
    };
    Mapping { native, logical, guards }
}

/// The type that is written and read back.
fn stored(logical: &LogicalType) -> LogicalType {
    match logical {
        // TIMESTAMP ends in 2038, so an instant is stored as the wall clock of UTC.
        LogicalType::Timestamp { unit: Unit::Micro, utc: true } => {
            LogicalType::Timestamp { unit: Unit::Micro, utc: false }
        }
        other => other.clone(),
    }
}

/// The declaration of a type; what the servers have no type for is kept as its text.
fn declare(logical: &LogicalType, flavor: Flavor) -> String {
    let native = match logical {
        LogicalType::Boolean => "tinyint(1)",
        LogicalType::Int { bits, unsigned } => {
            let name = match bits {
                8 => "tinyint",
                16 => "smallint",
                32 => "int",
                _ => "bigint",
            };
            return if *unsigned { format!("{name} unsigned") } else { name.to_string() };
        }
        LogicalType::Float { bits: 32 } => "float",
        LogicalType::Float { .. } => "double",
        LogicalType::Decimal { precision, scale }
            if *precision <= DIGITS.0
                && u8::try_from(*scale).is_ok_and(|scale| scale <= DIGITS.1) =>
        {
            return format!("decimal({precision},{scale})");
        }
        LogicalType::Bits { length } if (1..=BITS).contains(length) => {
            return format!("bit({length})");
        }
        LogicalType::Bytes => "longblob",
        LogicalType::Date => "date",
        LogicalType::Time { unit: Unit::Micro } => "time(6)",
        LogicalType::Timestamp { unit: Unit::Micro, .. } => "datetime(6)",
        // MariaDB's own type refuses identifiers of versions and variants that it does not know.
        LogicalType::Uuid => "char(36)",
        // The type of its own sorts keys and changes numbers; in MariaDB it is a text with a check.
        LogicalType::Json if flavor == Flavor::MariaDb => "json",
        LogicalType::Opaque { system, name } if system == flavor.dialect() => return name.clone(),
        _ => "longtext",
    };
    native.to_string()
}

#[cfg(test)]
mod tests {
    use super::{logical, map_column, values};
    use crate::flavor::Flavor;
    use longshore_model::LogicalType;
    use longshore_model::catalog::Column;

    #[test]
    fn declared_types_have_meanings() {
        for (declared, expected) in [
            ("tinyint(1)", "int8"),
            ("tinyint(3) unsigned", "uint8"),
            ("int(10) unsigned zerofill", "uint32"),
            ("mediumint", "int32"),
            ("bigint unsigned", "uint64"),
            ("decimal(65,30)", "decimal(65,30)"),
            ("decimal(10,2) unsigned", "decimal(10,2)"),
            ("float(7,2)", "float32"),
            ("bit(12)", "bits(12)"),
            ("year(4)", "int16"),
            ("datetime(6)", "timestamp(us)"),
            ("timestamp", "timestamptz(us)"),
            ("time(3)", "interval"),
            ("enum('a','b')", "text"),
            ("varbinary(10)", "bytes"),
            ("point", "bytes"),
            ("json", "json"),
        ] {
            assert_eq!(logical(declared).to_string(), expected, "{declared}");
        }
        assert_eq!(values(r"enum('a,b','it''s','(','\\')"), ["a,b", "it's", "(", "\\"]);
    }

    #[test]
    fn enumerations_stay_where_the_servers_have_them() {
        let declared = |values: &[&str]| {
            let values = values.iter().map(ToString::to_string).collect();
            let column = Column { values, ..Column::new("c", LogicalType::Text) };
            map_column(&column, Flavor::MySql).native
        };
        assert_eq!(declared(&["a", "it's", ""]), "enum('a','it''s','')");
        assert_eq!(declared(&["a", "b "]), "longtext");
        assert_eq!(declared(&[&"x".repeat(256)]), "longtext");
    }

    #[test]
    fn every_type_has_a_declaration() {
        for (text, declared, back) in [
            ("boolean", "tinyint(1)", "boolean"),
            ("uint64", "bigint unsigned", "uint64"),
            ("decimal(66,2)", "longtext", "decimal(66,2)"),
            ("decimal(5,-2)", "longtext", "decimal(5,-2)"),
            ("timestamptz(us)", "datetime(6)", "timestamp(us)"),
            ("timestamp(ns)", "longtext", "timestamp(ns)"),
            ("interval", "longtext", "interval"),
            ("bits(65)", "longtext", "bits(65)"),
            ("uuid", "char(36)", "uuid"),
            ("json", "longtext", "json"),
        ] {
            let logical: LogicalType = text.parse().expect(text);
            let column = Column::new("c", logical);
            let mapping = map_column(&column, Flavor::MySql);
            assert_eq!(
                (mapping.native.as_str(), mapping.logical.to_string().as_str()),
                (declared, back),
                "{text}"
            );
        }
    }
}
