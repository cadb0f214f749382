//! Tables with what belongs to them, and views.

use super::ours;

/// Options of a relation, as they are declared; a value is a literal.
macro_rules! options {
    ($array:literal, $prefix:literal) => {
        concat!(
            "(SELECT string_agg('",
            $prefix,
            "' || quote_ident(option_name) || '=' || ",
            "quote_literal(option_value), ', ') FROM pg_options_to_table(",
            $array,
            "))"
        )
    };
}

/// Ordinary and partitioned tables.
pub(in super::super) const TABLES: &str = concat!(
    "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p', c.relpersistence = 'u',
        pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
        ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
        NULLIF(concat_ws(', ', ",
    options!("c.reloptions", ""),
    ", ",
    options!("x.reloptions", "toast."),
    "), ''),
        c.relreplident::text, c.relrowsecurity, c.relforcerowsecurity,
        CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
        obj_description(c.oid, 'pg_class')
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_class x ON x.oid = c.reltoastrelid
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ",
    ours!("c", "n"),
    " ORDER BY n.nspname, c.relname"
);

/// The base type's name, whether it is built in, whether it is an enum or a range of what is built
/// in.
macro_rules! native {
    () => {
        "bt.typname::text, bt.oid < 16384 AND bt.typnamespace = 'pg_catalog'::regnamespace,
         bt.typtype = 'e' OR EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = bt.oid
            AND r.rngsubtype < 16384)"
    };
}

/// Columns of all tables.
pub(in super::super) const COLUMNS: &str = concat!(
    // What lies below every domain, and the modifier that holds there.
    "WITH RECURSIVE down (oid, base, modifier) AS (
        SELECT t.oid, t.typbasetype, t.typtypmod FROM pg_type t WHERE t.typtype = 'd'
        UNION ALL
        SELECT b.oid, t.typbasetype, CASE WHEN b.modifier <> -1 THEN b.modifier ELSE t.typtypmod END
        FROM down b JOIN pg_type t ON t.oid = b.base WHERE t.typtype = 'd'),
     below AS (SELECT b.* FROM down b JOIN pg_type t ON t.oid = b.base WHERE t.typtype <> 'd')
     SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), ",
    native!(),
    ", CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE COALESCE(b.modifier, -1) END,
        a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text,
        CASE WHEN a.attcollation <> t.typcollation THEN (SELECT quote_ident(cn.nspname) || '.' ||
            quote_ident(co.collname) FROM pg_collation co JOIN pg_namespace cn
            ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END,
        a.attislocal,
        CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
        {a.attcompression::text@14}, a.attstattarget::int4,
        ",
    options!("a.attoptions", ""),
    ", d.oid, ARRAY(SELECT e.enumlabel::text FROM pg_enum e
            WHERE bt.typtype = 'e' AND e.enumtypid = bt.oid ORDER BY e.enumsortorder),
        col_description(a.attrelid, a.attnum)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN below b ON b.oid = a.atttypid JOIN pg_type bt ON bt.oid = COALESCE(b.base, t.oid)
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
        AND c.relpersistence <> 't' AND ",
    ours!("c", "n"),
    " ORDER BY a.attrelid, a.attnum"
);

/// Columns of some tables, given as SQL. Each type is looked up by its number: there may be tens of
/// thousands, two for each table.
pub(in super::super) const COLUMNS_OF: &str = concat!(
    "WITH RECURSIVE below (relation, number, base, modifier) AS (
        SELECT a.attrelid, a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a
        WHERE a.attrelid = ANY ($1::text[]::regclass[]) AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.relation, b.number, t.typbasetype,
            CASE WHEN b.modifier <> -1 THEN b.modifier ELSE t.typtypmod END
        FROM below b, LATERAL (SELECT typtype, typbasetype, typtypmod FROM pg_type
            WHERE oid = b.base OFFSET 0) AS t WHERE t.typtype = 'd')
     SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), ",
    native!(),
    ", b.modifier, b.relation
     FROM below b JOIN pg_type bt ON bt.oid = b.base AND bt.typtype <> 'd'
     JOIN pg_attribute a ON a.attrelid = b.relation AND a.attnum = b.number
     ORDER BY a.attrelid, a.attnum"
);

/// Constraints of tables.
pub(in super::super) const CONSTRAINTS: &str = concat!(
    "SELECT k.conrelid, k.oid, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid),
        k.conislocal, k.conparentid = 0, k.confrelid,
        ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (num, at)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.at),
        ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (num, at)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.at),
        k.confdeltype::text, k.confupdtype::text, k.condeferred, k.convalidated
            OR NOT {k.conenforced@18|true}
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype IN ('c', 'p', 'u', 'x', 'f') AND c.relkind IN ('r', 'p')
        AND c.relpersistence <> 't' AND ",
    ours!("c", "n"),
    " ORDER BY k.conrelid, k.contype, k.conname"
);

/// Constraints against NULL that `NOT NULL` at the column does not say: table, column, name when it
/// is not the server's own, whether heirs lack it, whether it holds for older rows.
pub(in super::super) const NOT_NULLS: &str = concat!(
    "SELECT k.conrelid, a.attname::text,
        CASE WHEN k.conname <> c.relname || '_' || a.attname || '_not_null' THEN k.conname::text END,
        k.connoinherit, k.convalidated
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
     WHERE k.contype = 'n' AND (k.conislocal OR c.relispartition OR k.convalidated AND EXISTS (
            SELECT FROM pg_inherits h JOIN pg_constraint above ON above.conrelid = h.inhparent
            WHERE h.inhrelid = c.oid AND above.contype = 'n' AND above.conname = k.conname
                AND NOT above.convalidated)) AND c.relkind IN ('r', 'p') AND (k.connoinherit
        OR NOT k.convalidated OR NOT a.attislocal
        OR k.conname <> c.relname || '_' || a.attname || '_not_null') AND ",
    ours!("c", "n"),
    " ORDER BY k.conrelid, k.conname"
);

/// Indexes of tables and materialised views.
pub(in super::super) const INDEXES: &str = concat!(
    "SELECT i.indexrelid, i.indrelid, x.relname::text, pg_get_indexdef(i.indexrelid), i.indisunique,
        k.conindid IS NOT NULL, h.inhparent, pg_get_expr(i.indpred, i.indrelid),
        ARRAY(SELECT COALESCE(a.attname::text, '') FROM unnest(i.indkey::int2[]) WITH ORDINALITY
            AS u (num, at) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num
            AND u.num <> 0 WHERE u.at <= i.indnkeyatts ORDER BY u.at),
        i.indoption::int2[]::int4[], i.indisclustered, i.indisreplident, i.indisvalid,
        quote_ident(xn.nspname) || '.' || quote_ident(x.relname),
        ARRAY(SELECT format('ALTER COLUMN %s SET STATISTICS %s', a.attnum, a.attstattarget)
            FROM pg_attribute a WHERE a.attrelid = x.oid AND i.indexprs IS NOT NULL
            AND a.attstattarget >= 0 ORDER BY a.attnum),
        ARRAY(SELECT CASE WHEN u.num = 0 THEN pg_get_indexdef(i.indexrelid, u.at::int4, false)
            ELSE '' END FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (num, at)
            WHERE u.at <= i.indnkeyatts ORDER BY u.at)
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_namespace xn ON xn.oid = x.relnamespace
     LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
        AND k.contype IN ('p', 'u', 'x')
     LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
     WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND ",
    ours!("c", "n"),
    " ORDER BY n.nspname, c.relname, x.relname"
);

/// Sequences, with the column that each belongs to.
pub(in super::super) const SEQUENCES: &str = concat!(
    "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
        format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache,
        s.seqcycle, d.refobjid, a.attname::text, COALESCE(d.deptype = 'i', false),
        a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype),
        c.relpersistence = 'u', has_sequence_privilege(c.oid, 'SELECT')
     FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
     LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE c.relpersistence <> 't' AND ",
    ours!("c", "n"),
    " ORDER BY n.nspname, c.relname"
);

/// Where sequences stand, by their numbers; since version 18.
pub(in super::super) const SEQUENCE_DATA: &str =
    "SELECT s.oid, d.last_value, d.is_called FROM unnest($1::oid[]) AS s (oid),
     LATERAL pg_get_sequence_data(s.oid) d WHERE d.last_value IS NOT NULL";

/// Views and materialised views.
pub(in super::super) const VIEWS: &str = concat!(
    "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'm', pg_get_viewdef(c.oid),
        c.relispopulated, ", options!("c.reloptions", ""), ",
        ARRAY(SELECT format('ALTER COLUMN %I SET %s', a.attname, words)
            FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            JOIN pg_type t ON t.oid = a.atttypid, unnest(ARRAY['DEFAULT ' ||
                pg_get_expr(d.adbin, d.adrelid), CASE WHEN c.relkind = 'm' AND a.attstattarget >= 0
                THEN 'STATISTICS ' || a.attstattarget END, CASE WHEN c.relkind = 'm' AND
                a.attstorage <> t.typstorage THEN 'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN'
                WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END]) words
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND words IS NOT NULL ORDER BY a.attnum)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND ",
    ours!("c", "n"),
    " ORDER BY n.nspname, c.relname"
);
