//! Things that are made of functions: kind, name, definition, and when it was made.

use super::queries::ours;

/// Aggregate functions.
pub(super) const AGGREGATES: &str = concat!(
    "SELECT 'aggregate', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
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
        CASE a.aggkind WHEN 'h' THEN 'HYPOTHETICAL' END) || ')', p.oid::int8
     FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
     JOIN pg_namespace n ON n.oid = p.pronamespace
     JOIN (VALUES ('r', 'READ_ONLY'), ('s', 'SHAREABLE'), ('w', 'READ_WRITE')) m (letter, modify)
        ON m.letter = a.aggfinalmodify::text
     JOIN (VALUES ('r', 'READ_ONLY'), ('s', 'SHAREABLE'), ('w', 'READ_WRITE')) mm (letter, modify)
        ON mm.letter = a.aggmfinalmodify::text
     WHERE ",
    ours!("pg_proc", "p", "n"),
    " ORDER BY 4"
);

/// Operators; the first of a pair makes a shell of the second.
pub(super) const OPERATORS: &str = concat!(
    "SELECT 'operator', o.oid::regoperator::text,
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
        CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END) || ')', o.oid::int8
     FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
     WHERE o.oprcode <> 0 AND ",
    ours!("pg_operator", "o", "n"),
    " ORDER BY 4"
);

/// Casts.
pub(super) const CASTS: &str =
    "SELECT 'cast', x.name, format('CREATE CAST (%s)%s%s', x.name, CASE c.castmethod
        WHEN 'f' THEN ' WITH FUNCTION ' || c.castfunc::regprocedure WHEN 'i' THEN ' WITH INOUT'
        ELSE ' WITHOUT FUNCTION' END, CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT'
        WHEN 'i' THEN ' AS IMPLICIT' END), c.oid::int8
     FROM pg_cast c, LATERAL (SELECT format_type(c.castsource, NULL) || ' AS ' ||
        format_type(c.casttarget, NULL)) x (name)
     WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend e
        WHERE e.classid = 'pg_cast'::regclass AND e.objid = c.oid AND e.deptype = 'e')
     ORDER BY 4";

/// Dictionaries and configurations of the text search.
pub(super) const TEXT_SEARCH: &str = concat!(
    "SELECT 'text search dictionary', format('%I.%I', n.nspname, d.dictname),
        format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = %I.%I%s)', n.nspname, d.dictname,
            tn.nspname, t.tmplname, ', ' || d.dictinitoption), d.oid::int8
     FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace
     JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
     WHERE ",
    ours!("pg_ts_dict", "d", "n"),
    "
     UNION ALL
     SELECT 'text search configuration', format('%I.%I', n.nspname, c.cfgname),
        format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)', n.nspname, c.cfgname,
            pn.nspname, p.prsname) || COALESCE((SELECT string_agg(format(
            '; ALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %s WITH %s', n.nspname, c.cfgname,
            m.word, m.dictionaries), '' ORDER BY m.word) FROM (
                SELECT quote_ident(k.alias) AS word, string_agg(format('%I.%I', dn.nspname, d.dictname),
                    ', ' ORDER BY m.mapseqno) AS dictionaries
                FROM pg_ts_config_map m JOIN pg_ts_dict d ON d.oid = m.mapdict
                JOIN pg_namespace dn ON dn.oid = d.dictnamespace
                JOIN ts_token_type(c.cfgparser) k ON k.tokid = m.maptokentype
                WHERE m.mapcfg = c.oid GROUP BY k.alias) m), ''), c.oid::int8
     FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
     JOIN pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_namespace pn ON pn.oid = p.prsnamespace
     WHERE ",
    ours!("pg_ts_config", "c", "n"),
    " ORDER BY 4"
);
