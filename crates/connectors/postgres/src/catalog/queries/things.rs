//! Things without rows: class, number, name, definition, and the kind where a query has several.

use super::{not_of_extension, ours};

pub(in super::super) const SCHEMAS: &str = concat!(
    "SELECT n.tableoid, n.oid, n.nspname::text, n.nspname::text FROM pg_namespace n
     WHERE n.nspname <> 'public' AND ",
    ours!("n", "n"),
    " ORDER BY 3"
);

/// A schema that belongs to an extension comes with it.
pub(in super::super) const EXTENSIONS: &str =
    "SELECT x.tableoid, x.oid, x.extname::text, format('CREATE EXTENSION IF NOT EXISTS %I', x.extname)
        || CASE WHEN EXISTS (SELECT FROM pg_depend d WHERE d.classid = n.tableoid AND d.objid = n.oid
            AND d.deptype = 'e') THEN '' ELSE format(' SCHEMA %I', n.nspname) END
     FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
     WHERE x.extname <> 'plpgsql' ORDER BY 3";

pub(in super::super) const COLLATIONS: &str = concat!(
    "SELECT c.tableoid, c.oid, format('%I.%I', n.nspname, c.collname),
        format('CREATE COLLATION %I.%I (PROVIDER = %s%s%s%s)', n.nspname, c.collname,
            CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
            CASE WHEN c.collprovider <> 'c' THEN format(', LOCALE = %L', COALESCE(
                    to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate))
                WHEN c.collcollate = c.collctype THEN format(', LOCALE = %L', c.collcollate)
                ELSE format(', LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype) END,
            CASE WHEN NOT c.collisdeterministic THEN ', DETERMINISTIC = false' END,
            {', RULES = ' || quote_literal(c.collicurules)@16|''})
     FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
     WHERE ",
    ours!("c", "n"),
    " ORDER BY 3"
);

pub(in super::super) const TYPES: &str = concat!(
    "SELECT t.tableoid, t.oid, format('%I.%I', n.nspname, t.typname), CASE
        WHEN t.typtype = 'e' THEN format('CREATE TYPE %I.%I AS ENUM (%s)', n.nspname, t.typname,
            (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
             FROM pg_enum l WHERE l.enumtypid = t.oid))
        WHEN t.typtype = 'd' THEN format('CREATE DOMAIN %I.%I AS %s%s%s%s%s', n.nspname, t.typname,
            format_type(t.typbasetype, t.typtypmod),
            (SELECT ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
             FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
             JOIN pg_type bt ON bt.oid = t.typbasetype
             WHERE co.oid = t.typcollation AND t.typcollation <> bt.typcollation),
            ' DEFAULT ' || COALESCE(pg_get_expr(t.typdefaultbin, 0), t.typdefault),
            CASE WHEN t.typnotnull THEN COALESCE({(SELECT CASE WHEN k.conname <> t.typname ||
                '_not_null' THEN format(' CONSTRAINT %I', k.conname) END FROM pg_constraint k
                WHERE k.contypid = t.oid AND k.contype = 'n')@17}, '') || ' NOT NULL' END,
            (SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ''
                ORDER BY k.conname)
             FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated))
        WHEN t.typtype = 'c' THEN format('CREATE TYPE %I.%I AS (%s)', n.nspname, t.typname,
            (SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                (SELECT ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                 FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                 JOIN pg_type at ON at.oid = a.atttypid
                 WHERE co.oid = a.attcollation AND a.attcollation <> at.typcollation)), ', '
                ORDER BY a.attnum)
             FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0
                AND NOT a.attisdropped))
        ELSE (SELECT format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s%s%s%s%s)', n.nspname, t.typname,
            format_type(r.rngsubtype, NULL),
            (SELECT format(', SUBTYPE_OPCLASS = %I.%I', onn.nspname, o.opcname) FROM pg_opclass o
             JOIN pg_namespace onn ON onn.oid = o.opcnamespace
             WHERE o.oid = r.rngsubopc AND NOT o.opcdefault),
            (SELECT format(', COLLATION = %I.%I', cn.nspname, co.collname) FROM pg_collation co
             JOIN pg_namespace cn ON cn.oid = co.collnamespace JOIN pg_type st ON st.oid = r.rngsubtype
             WHERE co.oid = r.rngcollation AND r.rngcollation <> st.typcollation),
            CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::regproc END,
            {(SELECT format(', MULTIRANGE_TYPE_NAME = %I.%I', mn.nspname, m.typname) FROM pg_type m
             JOIN pg_namespace mn ON mn.oid = m.typnamespace WHERE m.oid = r.rngmultitypid)@14})
            FROM pg_range r WHERE r.rngtypid = t.oid) END
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     LEFT JOIN pg_class c ON c.oid = t.typrelid
     WHERE (t.typtype IN ('e', 'd') OR t.typtype = 'r' AND NOT EXISTS (SELECT FROM pg_range r
        WHERE r.rngtypid = t.oid AND r.rngcanonical <> 0) OR t.typtype = 'c' AND c.relkind = 'c') AND ",
    ours!("t", "n"),
    " ORDER BY 3"
);

/// Checks of domains that older values need not meet.
pub(in super::super) const DOMAIN_CHECKS: &str = concat!(
    "SELECT k.tableoid, k.oid, k.conname::text, format('ALTER DOMAIN %I.%I ADD CONSTRAINT %I %s',
        n.nspname, t.typname, k.conname, pg_get_constraintdef(k.oid))
     FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid
     JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE k.contype = 'c' AND NOT k.convalidated AND ",
    ours!("t", "n"),
    " ORDER BY 3, 4"
);

/// Functions and procedures, apart from those whose code is in a library.
pub(in super::super) const FUNCTIONS: &str = concat!(
    "SELECT p.tableoid, p.oid,
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        regexp_replace(pg_get_functiondef(p.oid), '^CREATE OR REPLACE ', 'CREATE '),
        CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     JOIN pg_language l ON l.oid = p.prolang
     WHERE p.prokind IN ('f', 'p', 'w') AND l.lanname <> 'c' AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = p.tableoid AND d.objid = p.oid
            AND d.deptype = 'i') AND ",
    ours!("p", "n"),
    " ORDER BY 3"
);

pub(in super::super) const AGGREGATES: &str = concat!(
    "SELECT p.tableoid, p.oid,
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        format('CREATE AGGREGATE %I.%I(%s) (', n.nspname, p.proname, CASE WHEN p.pronargs = 0
            THEN '*' ELSE pg_get_function_arguments(p.oid) END) || concat_ws(', ',
        'SFUNC = ' || a.aggtransfn::regproc, 'STYPE = ' || format_type(a.aggtranstype, NULL),
        CASE WHEN a.aggtransspace <> 0 THEN 'SSPACE = ' || a.aggtransspace END,
        CASE WHEN a.aggfinalfn <> 0 THEN 'FINALFUNC = ' || a.aggfinalfn::regproc END,
        CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
        CASE WHEN a.aggfinalmodify <> CASE a.aggkind WHEN 'n' THEN 'r' ELSE 'w' END
            THEN 'FINALFUNC_MODIFY = ' || m.modify END,
        CASE WHEN a.aggcombinefn <> 0 THEN 'COMBINEFUNC = ' || a.aggcombinefn::regproc END,
        CASE WHEN a.aggserialfn <> 0 THEN 'SERIALFUNC = ' || a.aggserialfn::regproc END,
        CASE WHEN a.aggdeserialfn <> 0 THEN 'DESERIALFUNC = ' || a.aggdeserialfn::regproc END,
        'INITCOND = ' || quote_literal(a.agginitval),
        CASE WHEN a.aggmtransfn <> 0 THEN 'MSFUNC = ' || a.aggmtransfn::regproc || ', MINVFUNC = ' ||
            a.aggminvtransfn::regproc || ', MSTYPE = ' || format_type(a.aggmtranstype, NULL) END,
        CASE WHEN a.aggmtransspace <> 0 THEN 'MSSPACE = ' || a.aggmtransspace END,
        CASE WHEN a.aggmfinalfn <> 0 THEN 'MFINALFUNC = ' || a.aggmfinalfn::regproc END,
        CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
        CASE WHEN a.aggmtransfn <> 0 AND a.aggmfinalmodify <> CASE a.aggkind WHEN 'n' THEN 'r'
            ELSE 'w' END THEN 'MFINALFUNC_MODIFY = ' || mm.modify END,
        'MINITCOND = ' || quote_literal(a.aggminitval),
        (SELECT format('SORTOP = OPERATOR(%I.%s)', sn.nspname, o.oprname) FROM pg_operator o
         JOIN pg_namespace sn ON sn.oid = o.oprnamespace WHERE o.oid = a.aggsortop),
        CASE p.proparallel WHEN 's' THEN 'PARALLEL = safe' WHEN 'r' THEN 'PARALLEL = restricted' END,
        CASE a.aggkind WHEN 'h' THEN 'HYPOTHETICAL' END) || ')'
     FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
     JOIN pg_namespace n ON n.oid = p.pronamespace
     JOIN (VALUES ('r', 'READ_ONLY'), ('s', 'SHAREABLE'), ('w', 'READ_WRITE')) m (letter, modify)
        ON m.letter = a.aggfinalmodify::text
     JOIN (VALUES ('r', 'READ_ONLY'), ('s', 'SHAREABLE'), ('w', 'READ_WRITE')) mm (letter, modify)
        ON mm.letter = a.aggmfinalmodify::text
     WHERE ",
    ours!("p", "n"),
    " ORDER BY 3"
);

/// Operators; the first of a pair makes a shell of the second.
pub(in super::super) const OPERATORS: &str = concat!(
    "SELECT o.tableoid, o.oid, o.oid::regoperator::text,
        format('CREATE OPERATOR %I.%s (', n.nspname, o.oprname) || concat_ws(', ',
        'FUNCTION = ' || o.oprcode::regproc,
        CASE WHEN o.oprleft <> 0 THEN 'LEFTARG = ' || format_type(o.oprleft, NULL) END,
        CASE WHEN o.oprright <> 0 THEN 'RIGHTARG = ' || format_type(o.oprright, NULL) END,
        (SELECT format('COMMUTATOR = OPERATOR(%I.%s)', cn.nspname, c.oprname) FROM pg_operator c
         JOIN pg_namespace cn ON cn.oid = c.oprnamespace WHERE c.oid = o.oprcom),
        (SELECT format('NEGATOR = OPERATOR(%I.%s)', cn.nspname, c.oprname) FROM pg_operator c
         JOIN pg_namespace cn ON cn.oid = c.oprnamespace WHERE c.oid = o.oprnegate),
        CASE WHEN o.oprrest <> 0 THEN 'RESTRICT = ' || o.oprrest::regproc END,
        CASE WHEN o.oprjoin <> 0 THEN 'JOIN = ' || o.oprjoin::regproc END,
        CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END) || ')'
     FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
     WHERE o.oprcode <> 0 AND ",
    ours!("o", "n"),
    " ORDER BY 3"
);

pub(in super::super) const CASTS: &str = concat!(
    "SELECT c.tableoid, c.oid, x.name, format('CREATE CAST (%s)%s%s', x.name, CASE c.castmethod
        WHEN 'f' THEN ' WITH FUNCTION ' || c.castfunc::regprocedure WHEN 'i' THEN ' WITH INOUT'
        ELSE ' WITHOUT FUNCTION' END, CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT'
        WHEN 'i' THEN ' AS IMPLICIT' END)
     FROM pg_cast c, LATERAL (SELECT format_type(c.castsource, NULL) || ' AS ' ||
        format_type(c.casttarget, NULL)) x (name)
     WHERE c.oid >= 16384 AND ",
    not_of_extension!("c"),
    " ORDER BY 3"
);

/// Dictionaries and configurations of the text search.
pub(in super::super) const TEXT_SEARCH: &str = concat!(
    "SELECT d.tableoid, d.oid, format('%I.%I', n.nspname, d.dictname),
        format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = %I.%I%s)', n.nspname, d.dictname,
            tn.nspname, t.tmplname, ', ' || d.dictinitoption), 'text search dictionary'
     FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace
     JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
     WHERE ",
    ours!("d", "n"),
    "
     UNION ALL
     SELECT c.tableoid, c.oid, format('%I.%I', n.nspname, c.cfgname),
        format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)', n.nspname, c.cfgname,
            pn.nspname, p.prsname) || COALESCE((SELECT string_agg(format(
            '; ALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %s WITH %s', n.nspname, c.cfgname,
            m.word, m.dictionaries), '' ORDER BY m.word) FROM (
                SELECT quote_ident(k.alias) AS word, string_agg(format('%I.%I', dn.nspname, d.dictname),
                    ', ' ORDER BY m.mapseqno) AS dictionaries
                FROM pg_ts_config_map m JOIN pg_ts_dict d ON d.oid = m.mapdict
                JOIN pg_namespace dn ON dn.oid = d.dictnamespace
                JOIN ts_token_type(c.cfgparser) k ON k.tokid = m.maptokentype
                WHERE m.mapcfg = c.oid GROUP BY k.alias) m), ''), 'text search configuration'
     FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
     JOIN pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_namespace pn ON pn.oid = p.prsnamespace
     WHERE ",
    ours!("c", "n"),
    " ORDER BY 5 DESC, 3"
);
