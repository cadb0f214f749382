//! What hangs on tables and views.

use super::ours;

/// What hangs on a relation: relation, kind, name, definition.
pub(in super::super) const HANGING: &str = concat!(
    "SELECT c.oid, 'trigger', t.tgname::text, pg_get_triggerdef(t.oid) || CASE t.tgenabled
        WHEN 'O' THEN '' ELSE format('; ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname,
        CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS'
        END, t.tgname) END
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n
        ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND ",
    ours!("c", "n"),
    "
     UNION ALL
     SELECT c.oid, 'trigger of a partition', t.tgname::text, format('ALTER TABLE %I.%I %s TRIGGER %I',
        n.nspname, c.relname, CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
        WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, t.tgname)
     FROM pg_trigger t JOIN pg_trigger above ON above.oid = t.tgparentid
     JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT above.tgisinternal AND above.tgenabled <> t.tgenabled AND ",
    ours!("c", "n"),
    "
     UNION ALL
     SELECT c.oid, 'rule', r.rulename::text, pg_get_ruledef(r.oid) || CASE r.ev_enabled
        WHEN 'O' THEN '' ELSE format(' ALTER TABLE %I.%I %s RULE %I', n.nspname, c.relname,
        CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS'
        END, r.rulename) END
     FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n
        ON n.oid = c.relnamespace
     WHERE r.rulename <> '_RETURN' AND ",
    ours!("c", "n"),
    "
     UNION ALL
     SELECT c.oid, 'statistics', s.stxname::text, pg_get_statisticsobjdef(s.oid) ||
        CASE WHEN s.stxstattarget >= 0 THEN format('; ALTER STATISTICS %I.%I SET STATISTICS %s',
        sn.nspname, s.stxname, s.stxstattarget) ELSE '' END
     FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n
        ON n.oid = c.relnamespace JOIN pg_namespace sn ON sn.oid = s.stxnamespace
     WHERE ",
    ours!("c", "n"),
    "
     UNION ALL
     SELECT c.oid, 'policy', p.polname::text, format('CREATE POLICY %I ON %I.%I%s%s%s%s', p.polname,
        n.nspname, c.relname, CASE WHEN NOT p.polpermissive THEN ' AS RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN
        ' FOR UPDATE' WHEN 'd' THEN ' FOR DELETE' END,
        ' USING (' || pg_get_expr(p.polqual, c.oid) || ')',
        ' WITH CHECK (' || pg_get_expr(p.polwithcheck, c.oid) || ')')
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n
        ON n.oid = c.relnamespace
     WHERE p.polroles = ARRAY[0::oid] AND ",
    ours!("c", "n"),
    "
     ORDER BY 1, 2, 3"
);

/// Comments: the relation that they hang on, if any, and the statement.
pub(in super::super) const COMMENTS: &str = "
    SELECT COALESCE(i.indrelid, k.conrelid, t.tgrelid, r.ev_class, s.stxrelid, p.polrelid, c.oid),
        format('COMMENT ON %s %s IS %L', CASE o.type WHEN 'table column' THEN 'COLUMN'
            WHEN 'view column' THEN 'COLUMN' WHEN 'materialized view column' THEN 'COLUMN'
            WHEN 'composite type column' THEN 'COLUMN' WHEN 'composite type' THEN 'TYPE'
            WHEN 'table constraint' THEN 'CONSTRAINT' WHEN 'domain constraint' THEN 'CONSTRAINT'
            WHEN 'statistics object' THEN 'STATISTICS' ELSE upper(o.type) END,
            CASE o.type WHEN 'domain constraint' THEN replace(o.identity, ' on ', ' ON DOMAIN ')
                WHEN 'operator' THEN replace(o.identity, '(NONE,', '(NONE, ')
                ELSE o.identity END, d.description),
        o.type IN ('table', 'table column')
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
    LEFT JOIN pg_policy p ON d.classoid = 'pg_policy'::regclass AND p.oid = d.objoid
    WHERE d.objoid >= 16384 AND COALESCE(o.schema, '') NOT IN ('_longshore', 'information_schema')
        AND o.type IN ('table', 'table column', 'view', 'view column', 'materialized view',
            'materialized view column', 'index', 'sequence', 'type', 'composite type',
            'composite type column', 'domain', 'domain constraint', 'function', 'procedure',
            'aggregate', 'operator', 'cast', 'collation', 'text search configuration',
            'text search dictionary', 'schema', 'table constraint', 'trigger', 'rule',
            'statistics object', 'policy')
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid
            AND e.deptype = 'e')
    ORDER BY 2";
