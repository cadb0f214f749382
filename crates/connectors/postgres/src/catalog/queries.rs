//! What the catalog is read with: a fixed number of queries, whatever the number of tables. They run
//! with an empty search path, so that every name in a definition is qualified.

/// Relations that are data of the user: not the system's, not an extension's, not the ledger's.
macro_rules! ours {
    ($class:literal, $object:literal, $namespace:literal) => {
        concat!(
            "(", $namespace, ".nspname !~ '^pg_' AND ", $namespace,
            ".nspname NOT IN ('information_schema', '_longshore') AND NOT EXISTS (SELECT FROM pg_depend e",
            " WHERE e.classid = '", $class, "'::regclass AND e.objid = ", $object,
            ".oid AND e.deptype = 'e'))"
        )
    };
}

pub(super) use ours;

/// Ordinary and partitioned tables.
pub(super) const TABLES: &str = concat!(
    "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p', c.relpersistence = 'u',
        pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
        ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
        NULLIF(array_to_string(c.reloptions || ARRAY(SELECT 'toast.' || option FROM pg_class o,
            unnest(o.reloptions) AS option WHERE o.oid = c.reltoastrelid), ', '), ''),
        c.relreplident::text, c.relrowsecurity, c.relforcerowsecurity,
        CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ",
    ours!("pg_class", "c", "n"),
    " ORDER BY n.nspname, c.relname"
);

/// What lies below every domain, and the modifier that holds there.
macro_rules! below {
    () => {
        "WITH RECURSIVE below (oid, base, modifier) AS (
            SELECT t.oid, t.oid, -1 FROM pg_type t WHERE t.typtype <> 'd'
            UNION ALL
            SELECT t.oid, b.base, CASE WHEN t.typtypmod <> -1 THEN t.typtypmod ELSE b.modifier END
            FROM pg_type t JOIN below b ON t.typbasetype = b.oid WHERE t.typtype = 'd')"
    };
}

macro_rules! native {
    () => {
        "format_type(a.atttypid, a.atttypmod), bt.typname::text,
         bt.oid < 16384 AND bt.typnamespace = 'pg_catalog'::regnamespace,
         bt.typtype = 'e' OR EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = bt.oid
            AND r.rngsubtype < 16384),
         CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.modifier END"
    };
}

/// Columns of all tables.
pub(super) const COLUMNS: &str = concat!(
    below!(),
    " SELECT a.attrelid, a.attname::text, ",
    native!(),
    ",
        a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text,
        CASE WHEN a.attcollation <> t.typcollation THEN (SELECT quote_ident(cn.nspname) || '.' ||
            quote_ident(co.collname) FROM pg_collation co JOIN pg_namespace cn
            ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END,
        a.attislocal,
        CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
        to_jsonb(a) ->> 'attcompression', (to_jsonb(a) ->> 'attstattarget')::int4,
        array_to_string(a.attoptions, ', '),
        a.attnotnull AND NOT EXISTS (SELECT FROM pg_inherits h JOIN pg_attribute p
            ON p.attrelid = h.inhparent AND p.attname = a.attname
            WHERE h.inhrelid = a.attrelid AND p.attnotnull)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
     JOIN below b ON b.oid = a.atttypid JOIN pg_type bt ON bt.oid = b.base
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
        AND c.relpersistence <> 't' AND ",
    ours!("pg_class", "c", "n"),
    " ORDER BY a.attrelid, a.attnum"
);

/// Columns of one table, given as SQL.
pub(super) const COLUMNS_OF: &str = concat!(
    below!(),
    " SELECT a.attname::text, ",
    native!(),
    "
     FROM pg_attribute a JOIN below b ON b.oid = a.atttypid JOIN pg_type bt ON bt.oid = b.base
     WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum"
);

/// Constraints of tables.
pub(super) const CONSTRAINTS: &str = concat!(
    "SELECT k.conrelid, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid),
        k.conislocal, k.conparentid = 0, k.confrelid,
        ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (num, at)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.at),
        ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (num, at)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.at),
        k.confdeltype::text, k.confupdtype::text, k.condeferred
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype IN ('c', 'n', 'p', 'u', 'x', 'f') AND c.relkind IN ('r', 'p')
        AND c.relpersistence <> 't' AND ",
    ours!("pg_class", "c", "n"),
    " ORDER BY k.conrelid, k.contype, k.conname"
);

/// Indexes of tables and materialised views.
pub(super) const INDEXES: &str = concat!(
    "SELECT i.indexrelid, i.indrelid, x.relname::text, pg_get_indexdef(i.indexrelid), i.indisunique,
        EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
            AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')),
        (SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = i.indexrelid),
        pg_get_expr(i.indpred, i.indrelid),
        ARRAY(SELECT COALESCE(a.attname::text, '') FROM unnest(i.indkey::int2[]) WITH ORDINALITY
            AS u (num, at) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num
            AND u.num <> 0 WHERE u.at <= i.indnkeyatts ORDER BY u.at),
        i.indoption::int2[]::int4[], i.indisclustered, i.indisreplident, i.indisvalid,
        quote_ident(xn.nspname) || '.' || quote_ident(x.relname)
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_namespace xn ON xn.oid = x.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND ",
    ours!("pg_class", "c", "n"),
    " ORDER BY n.nspname, c.relname, x.relname"
);

/// Sequences, with the column that each belongs to.
pub(super) const SEQUENCES: &str = concat!(
    "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), format_type(s.seqtypid, NULL),
        s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
        d.refobjid, a.attname::text, COALESCE(d.deptype = 'i', false),
        CASE WHEN has_sequence_privilege(c.oid, 'SELECT')
            THEN pg_sequence_last_value(c.oid) END,
        c.relpersistence = 'u', has_sequence_privilege(c.oid, 'SELECT')
     FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
     LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE c.relpersistence <> 't' AND ",
    ours!("pg_class", "c", "n"),
    " ORDER BY n.nspname, c.relname"
);

/// Things without rows that tables may need: kind, name, definition; in the order in which they
/// were made.
pub(super) const NEEDED: &str = concat!(
    "SELECT 'schema', n.nspname::text, 'CREATE SCHEMA IF NOT EXISTS ' || quote_ident(n.nspname), 0
     FROM pg_namespace n WHERE n.nspname <> 'public' AND ", ours!("pg_namespace", "n", "n"), "
     UNION ALL
     SELECT 'extension', e.extname::text, format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I',
        e.extname, n.nspname), 1
     FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql'
     UNION ALL
     SELECT 'collation', format('%I.%I', n.nspname, c.collname),
        format('CREATE COLLATION %I.%I (PROVIDER = %s%s%s%s)', n.nspname, c.collname,
            CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
            CASE WHEN c.collprovider <> 'c' THEN format(', LOCALE = %L', COALESCE(
                    to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate))
                WHEN c.collcollate = c.collctype THEN format(', LOCALE = %L', c.collcollate)
                ELSE format(', LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype) END,
            CASE WHEN NOT c.collisdeterministic THEN ', DETERMINISTIC = false' END,
            ', RULES = ' || quote_literal(to_jsonb(c) ->> 'collicurules')), 2
     FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
     WHERE ", ours!("pg_collation", "c", "n"), "
     UNION ALL
     SELECT 'type', format('%I.%I', n.nspname, t.typname), CASE
        WHEN t.typtype = 'e' THEN format('CREATE TYPE %I.%I AS ENUM (%s)', n.nspname, t.typname,
            (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
             FROM pg_enum l WHERE l.enumtypid = t.oid))
        WHEN t.typtype = 'd' THEN format('CREATE DOMAIN %I.%I AS %s%s%s%s%s', n.nspname, t.typname,
            format_type(t.typbasetype, t.typtypmod),
            (SELECT ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
             FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
             JOIN pg_type bt ON bt.oid = t.typbasetype
             WHERE co.oid = t.typcollation AND t.typcollation <> bt.typcollation),
            ' DEFAULT ' || COALESCE(pg_get_expr(t.typdefaultbin, 0), t.typdefault), CASE WHEN t.typnotnull THEN ' NOT NULL' END,
            (SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ''
                ORDER BY k.conname)
             FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated))
        WHEN t.typtype = 'c' THEN format('CREATE TYPE %I.%I AS (%s)', n.nspname, t.typname,
            (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
                ORDER BY a.attnum)
             FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0
                AND NOT a.attisdropped))
        ELSE format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s%s%s%s%s)', n.nspname, t.typname,
            (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid),
            (SELECT format(', SUBTYPE_OPCLASS = %I.%I', onn.nspname, o.opcname) FROM pg_range r
             JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_namespace onn
             ON onn.oid = o.opcnamespace WHERE r.rngtypid = t.oid AND NOT o.opcdefault),
            (SELECT format(', COLLATION = %I.%I', cn.nspname, co.collname) FROM pg_range r
             JOIN pg_collation co ON co.oid = r.rngcollation JOIN pg_namespace cn
             ON cn.oid = co.collnamespace JOIN pg_type st ON st.oid = r.rngsubtype
             WHERE r.rngtypid = t.oid AND r.rngcollation <> st.typcollation),
            (SELECT ', SUBTYPE_DIFF = ' || r.rngsubdiff::regproc FROM pg_range r
             WHERE r.rngtypid = t.oid AND r.rngsubdiff <> 0),
            (SELECT format(', MULTIRANGE_TYPE_NAME = %I.%I', mn.nspname, m.typname) FROM pg_range r
             JOIN pg_type m ON m.oid = (to_jsonb(r) ->> 'rngmultitypid')::oid
             JOIN pg_namespace mn ON mn.oid = m.typnamespace WHERE r.rngtypid = t.oid)) END,
        10 + t.oid::int8
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     LEFT JOIN pg_class c ON c.oid = t.typrelid
     WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c') AND ",
    ours!("pg_type", "t", "n"),
    " UNION ALL
     SELECT 'late check', k.conname::text, format('ALTER DOMAIN %I.%I ADD CONSTRAINT %I %s',
        n.nspname, t.typname, k.conname, pg_get_constraintdef(k.oid)), 10 + k.oid::int8
     FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid
     JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE k.contype = 'c' AND NOT k.convalidated AND ", ours!("pg_type", "t", "n"), "
     UNION ALL
     SELECT CASE WHEN EXISTS (
            SELECT FROM pg_depend d LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass
                AND t.oid = d.refobjid LEFT JOIN pg_class c ON c.oid = COALESCE(t.typrelid, CASE WHEN
                d.refclassid = 'pg_class'::regclass THEN d.refobjid END)
            LEFT JOIN pg_proc a ON d.refclassid = 'pg_proc'::regclass AND a.oid = d.refobjid
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                AND (c.relkind IN ('v', 'm') OR a.prokind = 'a')) THEN 'late function' ELSE 'function' END,
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        pg_get_functiondef(p.oid), 10 + p.oid::int8
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     JOIN pg_language l ON l.oid = p.prolang
     WHERE p.prokind IN ('f', 'p', 'w') AND l.lanname NOT IN ('c', 'internal') AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
            AND d.deptype = 'i') AND ",
    ours!("pg_proc", "p", "n"),
    " ORDER BY 4, 2"
);

/// Views and materialised views, and the relations that each needs.
pub(super) const VIEWS: &str = concat!(
    "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'm', pg_get_viewdef(c.oid),
        c.relispopulated, array_to_string(c.reloptions, ', '),
        ARRAY(SELECT DISTINCT d.refobjid FROM pg_rewrite r JOIN pg_depend d
            ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
            WHERE r.ev_class = c.oid ORDER BY 1)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND ",
    ours!("pg_class", "c", "n"),
    " ORDER BY n.nspname, c.relname"
);

/// What hangs on a relation: relation, kind, name, definition.
pub(super) const HANGING: &str = concat!(
    "SELECT c.oid, 'trigger', t.tgname::text, pg_get_triggerdef(t.oid) || CASE t.tgenabled
        WHEN 'O' THEN '' ELSE format('; ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname,
        CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS'
        END, t.tgname) END
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n
        ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND ",
    ours!("pg_class", "c", "n"),
    "
     UNION ALL
     SELECT c.oid, 'trigger', t.tgname::text, format('ALTER TABLE %I.%I %s TRIGGER %I', n.nspname,
        c.relname, CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
        WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, t.tgname)
     FROM pg_trigger t JOIN pg_trigger p ON p.oid = t.tgparentid AND p.tgenabled <> t.tgenabled
     JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND ", ours!("pg_class", "c", "n"), "
     UNION ALL
     SELECT c.oid, 'mark', x.relname::text, format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s',
        n.nspname, x.relname, a.attnum, to_jsonb(a) ->> 'attstattarget')
     FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
     JOIN pg_namespace n ON n.oid = x.relnamespace JOIN pg_attribute a ON a.attrelid = x.oid
     WHERE (to_jsonb(a) ->> 'attstattarget')::int4 >= 0 AND ", ours!("pg_class", "c", "n"), "
     UNION ALL
     SELECT c.oid, 'rule', r.rulename::text, pg_get_ruledef(r.oid) || CASE r.ev_enabled
        WHEN 'O' THEN '' ELSE format('; ALTER TABLE %I.%I %s RULE %I', n.nspname, c.relname,
        CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS'
        END, r.rulename) END
     FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n
        ON n.oid = c.relnamespace
     WHERE r.rulename <> '_RETURN' AND ",
    ours!("pg_class", "c", "n"),
    "
     UNION ALL
     SELECT c.oid, 'mark', a.attname::text, format('ALTER TABLE ONLY %I.%I ALTER COLUMN %I SET DEFAULT %s',
        n.nspname, c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid))
     FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n
        ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum
     WHERE c.relkind = 'v' AND ", ours!("pg_class", "c", "n"), "
     UNION ALL
     SELECT c.oid, 'statistics', s.stxname::text, pg_get_statisticsobjdef(s.oid)
        || CASE WHEN (to_jsonb(s) ->> 'stxstattarget')::int4 >= 0 THEN format(
        '; ALTER STATISTICS %s SET STATISTICS %s', (pg_identify_object('pg_statistic_ext'::regclass,
        s.oid, 0)).identity, to_jsonb(s) ->> 'stxstattarget') ELSE '' END
     FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n
        ON n.oid = c.relnamespace
     WHERE ",
    ours!("pg_class", "c", "n"),
    "
     ORDER BY 1, 2, 3"
);

/// Comments: the relation that they hang on, if any, and the statement.
pub(super) const COMMENTS: &str = "
    SELECT COALESCE(i.indrelid, k.conrelid, t.tgrelid, r.ev_class, s.stxrelid, c.oid),
        format('COMMENT ON %s %s IS %L', CASE o.type WHEN 'table column' THEN 'COLUMN'
            WHEN 'view column' THEN 'COLUMN' WHEN 'materialized view column' THEN 'COLUMN'
            WHEN 'composite type column' THEN 'COLUMN' WHEN 'table constraint' THEN 'CONSTRAINT'
            WHEN 'statistics object' THEN 'STATISTICS' WHEN 'domain constraint' THEN 'CONSTRAINT' ELSE upper(o.type) END, CASE WHEN o.type = 'domain constraint'
            THEN (SELECT format('%I ON DOMAIN %s', dk.conname, format_type(dk.contypid, NULL))
                FROM pg_constraint dk WHERE dk.oid = d.objoid) ELSE o.identity END,
            d.description)
    FROM pg_description d
    CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
    LEFT JOIN pg_class c ON d.classoid = 'pg_class'::regclass AND c.oid = d.objoid
        AND c.relkind NOT IN ('c', 'S')
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_constraint k ON d.classoid = 'pg_constraint'::regclass AND k.oid = d.objoid
        AND k.conrelid <> 0
    LEFT JOIN pg_trigger t ON d.classoid = 'pg_trigger'::regclass AND t.oid = d.objoid
    LEFT JOIN pg_rewrite r ON d.classoid = 'pg_rewrite'::regclass AND r.oid = d.objoid
    LEFT JOIN pg_statistic_ext s ON d.classoid = 'pg_statistic_ext'::regclass AND s.oid = d.objoid
    WHERE d.objoid >= 16384 AND COALESCE(o.schema, '') NOT IN ('_longshore', 'information_schema')
        AND o.type IN ('table', 'table column', 'view', 'view column', 'materialized view',
            'materialized view column', 'index', 'sequence', 'type', 'composite type column',
            'function', 'procedure', 'schema', 'table constraint', 'trigger', 'rule',
            'statistics object', 'domain constraint', 'aggregate', 'operator', 'cast', 'collation',
            'text search dictionary', 'text search configuration')
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid
            AND e.deptype = 'e')
    ORDER BY 2";

/// What stays behind: kind, name or number, reason.
pub(super) const LEFT: &str = concat!(
    "SELECT 'large objects', count(*)::text, 'large objects are not moved yet: move them with pg_dump --blobs'
        FROM pg_largeobject_metadata HAVING count(*) > 0
     UNION ALL
     SELECT 'grants', count(*)::text, 'owners and privileges belong to roles of the server: grant them anew'
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relacl IS NOT NULL AND ", ours!("pg_class", "c", "n"), " HAVING count(*) > 0
     UNION ALL
     SELECT 'foreign table', format('%I.%I', n.nspname, c.relname),
        'its rows are on another server: create it anew'
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'f' AND ", ours!("pg_class", "c", "n"), "
     UNION ALL
     SELECT 'policy', format('%I on %s', p.polname, p.polrelid::regclass),
        'policies name roles of the server: create it anew' FROM pg_policy p
     UNION ALL
     SELECT 'function', p.oid::regprocedure::text,
        'its code is in a library of the server: install that and create it anew'
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_language l ON l.oid = p.prolang
        WHERE p.prokind <> 'a' AND l.lanname IN ('c', 'internal') AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
            AND d.deptype = 'i') AND ", ours!("pg_proc", "p", "n"), "
     UNION ALL
     SELECT 'type', format_type(t.oid, NULL), 'base types need code on the server: create it anew'
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype = 'b' AND t.typelem = 0 AND ", ours!("pg_type", "t", "n"), "
     UNION ALL
     SELECT 'foreign server', s.srvname::text, 'it belongs to the server: create it anew'
        FROM pg_foreign_server s
     UNION ALL
     SELECT 'publication', p.pubname::text, 'it belongs to the server: create it anew'
        FROM pg_publication p
     UNION ALL
     SELECT 'subscription', s.subname::text, 'it belongs to the server: create it anew'
        FROM pg_subscription s WHERE s.subdbid = (SELECT oid FROM pg_database
            WHERE datname = current_database()) AND has_table_privilege('pg_subscription', 'SELECT')
     UNION ALL
     SELECT 'foreign data wrapper', w.fdwname::text, 'it belongs to the server: create it anew'
        FROM pg_foreign_data_wrapper w WHERE NOT EXISTS (SELECT FROM pg_depend e
            WHERE e.classid = 'pg_foreign_data_wrapper'::regclass AND e.objid = w.oid
            AND e.deptype = 'e')
     UNION ALL
     SELECT 'access method', a.amname::text, 'its code is in a library of the server: create it anew'
        FROM pg_am a WHERE a.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend e
            WHERE e.classid = 'pg_am'::regclass AND e.objid = a.oid AND e.deptype = 'e')
     UNION ALL
     SELECT 'conversion', format('%I.%I', n.nspname, c.conname),
        'its code is in a library of the server: create it anew'
        FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace
        WHERE ", ours!("pg_conversion", "c", "n"), "
     UNION ALL
     SELECT 'operator family', format('%I.%I', n.nspname, f.opfname),
        'operator families and classes are not moved yet: create it before the migration'
        FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace
        WHERE ", ours!("pg_opfamily", "f", "n"), "
     UNION ALL
     SELECT 'event trigger', e.evtname::text, 'it needs a superuser: create it anew'
        FROM pg_event_trigger e
     ORDER BY 1, 2"
);
