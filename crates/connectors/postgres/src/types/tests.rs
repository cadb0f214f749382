use super::{NativeType, form, logical, map_column, passes_in_binary};
use longshore_model::LogicalType;
use longshore_model::catalog::Column;

fn native(name: &str, base: &str, modifier: i32) -> NativeType {
    let (name, base) = (name.to_string(), base.to_string());
    NativeType { name, base, builtin: true, portable: false, modifier }
}

#[test]
fn numerics_with_bounds_are_decimals() {
    let of = |precision: i32, scale: i32| {
        logical(&native("numeric", "numeric", ((precision << 16) | (scale & 0x7ff)) + 4))
            .to_string()
    };
    assert_eq!(of(10, 2), "decimal(10,2)");
    assert_eq!(of(76, 76), "decimal(76,76)");
    for (precision, scale) in [(77, 0), (1000, 1000), (3, 5), (10, -2)] {
        assert_eq!(of(precision, scale), "number");
    }
    assert_eq!(logical(&native("numeric", "numeric", -1)), LogicalType::Number);
}

#[test]
fn bits_of_a_fixed_length_are_bits_elsewhere() {
    for (name, base, modifier, expected) in [
        ("bit(8)", "bit", 8, "bits(8)"),
        ("flags", "bit", 3, "bits(3)"),
        ("\"bit\"", "bit", -1, "opaque(postgres:\"bit\")"),
        ("bit varying(8)", "varbit", 8, "opaque(postgres:bit varying(8))"),
        ("bit(8)[]", "_bit", 8, "opaque(postgres:bit(8)[])"),
    ] {
        assert_eq!(logical(&native(name, base, modifier)).to_string(), expected, "{name}");
    }
}

#[test]
fn only_types_without_numbers_of_objects_pass_in_binary() {
    for good in ["int4", "_text", "tsvector", "_int4range", "jsonb"] {
        assert!(passes_in_binary(&native(good, good, -1)), "{good}");
    }
    for bad in ["regclass", "_regproc", "aclitem", "record", "pg_node_tree", "xml"] {
        assert!(!passes_in_binary(&native(bad, bad, -1)), "{bad}");
    }
    let mut own = native("int4", "int4", -1);
    own.builtin = false;
    assert!(!passes_in_binary(&own));
}

/// What a column was declared as is what a server says of it afterwards.
#[test]
fn what_is_declared_is_read_back() {
    for text in [
        "boolean",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float32",
        "float64",
        "decimal(10,2)",
        "decimal(60,-10)",
        "decimal(70,-20)",
        "number",
        "text",
        "bytes",
        "date",
        "time(us)",
        "time(ns)",
        "timestamp(us)",
        "timestamptz(us)",
        "timestamp(ns)",
        "interval",
        "uuid",
        "json",
        "variant",
        "bits(1)",
        "bits(64)",
        "bits(4294967295)",
        "loose-date",
        "loose-timestamptz",
        "opaque(mysql:set)",
    ] {
        let column = Column::new("c", text.parse().expect(text));
        let mapping = map_column(&column).expect(text);
        let base = match mapping.native.split('(').next().unwrap_or_default() {
            "smallint" => "int2",
            "integer" => "int4",
            "bigint" => "int8",
            "real" => "float4",
            "double precision" => "float8",
            "boolean" => "bool",
            other => other,
        };
        assert!(form(&native(&mapping.native, base, -1), &mapping.logical).is_some(), "{text}");
    }
}
