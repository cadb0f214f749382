//! What needs what.

/// Dependencies of what the user made: the thing and what it needs, each as class and number, the
/// way on which it needs it, and the default or check of that way.
///
/// Parts stand for their whole: a row type for its table, an array for its element, a default or a
/// check for its table. The way is `w` for the thing's own definition, `d` for a default and `c` for
/// a check of a table, `i` for an index or a key, which follow the load.
pub(in super::super) const EDGES: &str = "
    WITH types AS (
        SELECT t.oid, CASE WHEN c.relkind <> 'c' THEN c.tableoid ELSE e.tableoid END AS class,
            CASE WHEN c.relkind <> 'c' THEN c.oid ELSE COALESCE(r.rngtypid, e.oid) END AS object
        FROM pg_type t
        JOIN pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0
            THEN t.typelem ELSE t.oid END
        LEFT JOIN pg_class c ON c.oid = e.typrelid
        LEFT JOIN pg_range r ON {r.rngmultitypid@14|0} = e.oid
        WHERE t.oid >= 16384),
    needs AS (
        SELECT d.classid, d.objid, d.refclassid, d.refobjid FROM pg_depend d
        WHERE d.objid >= 16384 AND d.refobjid >= 16384 AND d.deptype IN ('n', 'a', 'i')
            AND d.refclassid <> 'pg_namespace'::regclass),
    whole AS (
        SELECT CASE WHEN n.classid = 'pg_type'::regclass THEN ty.class
                WHEN k.contypid <> 0 THEN 'pg_type'::regclass
                WHEN o.relkind = 'c' THEN 'pg_type'::regclass
                WHEN COALESCE(ad.adrelid, k.conrelid, w.ev_class, i.indrelid) IS NOT NULL
                THEN 'pg_class'::regclass ELSE n.classid END AS class,
            CASE WHEN n.classid = 'pg_type'::regclass THEN ty.object
                WHEN k.contypid <> 0 THEN k.contypid WHEN o.relkind = 'c' THEN o.reltype
                ELSE COALESCE(ad.adrelid, k.conrelid, w.ev_class, i.indrelid, n.objid) END AS object,
            CASE WHEN n.refclassid = 'pg_type'::regclass THEN rt.class
                WHEN ro.relkind = 'c' THEN 'pg_type'::regclass
                WHEN rk.conrelid <> 0 THEN 'pg_class'::regclass ELSE n.refclassid END AS needed_class,
            CASE WHEN n.refclassid = 'pg_type'::regclass THEN rt.object
                WHEN ro.relkind = 'c' THEN ro.reltype
                WHEN rk.conrelid <> 0 THEN rk.conrelid ELSE n.refobjid END AS needed,
            CASE WHEN ad.oid IS NOT NULL AND a.attgenerated = '' THEN 'd'
                WHEN k.contype = 'c' AND k.conrelid <> 0 THEN 'c'
                WHEN i.indrelid IS NOT NULL OR k.contype IN ('p', 'u', 'x') THEN 'i' ELSE 'w' END AS way,
            COALESCE(ad.oid, k.oid, 0) AS part
        FROM needs n
        LEFT JOIN types ty ON n.classid = 'pg_type'::regclass AND ty.oid = n.objid
        LEFT JOIN pg_attrdef ad ON n.classid = 'pg_attrdef'::regclass AND ad.oid = n.objid
        LEFT JOIN pg_attribute a ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
        LEFT JOIN pg_constraint k ON n.classid = 'pg_constraint'::regclass AND k.oid = n.objid
        LEFT JOIN pg_rewrite w ON n.classid = 'pg_rewrite'::regclass AND w.oid = n.objid
        LEFT JOIN pg_index i ON n.classid = 'pg_class'::regclass AND i.indexrelid = n.objid
        LEFT JOIN pg_class o ON n.classid = 'pg_class'::regclass AND o.oid = n.objid
        LEFT JOIN types rt ON n.refclassid = 'pg_type'::regclass AND rt.oid = n.refobjid
        LEFT JOIN pg_class ro ON n.refclassid = 'pg_class'::regclass AND ro.oid = n.refobjid
        LEFT JOIN pg_constraint rk ON n.refclassid = 'pg_constraint'::regclass AND rk.oid = n.refobjid
        WHERE (k.oid IS NULL OR k.contype <> 'f') AND (w.oid IS NULL OR w.rulename = '_RETURN')
            AND COALESCE(o.relkind, ' ') NOT IN ('S', 't')
            AND n.classid NOT IN ('pg_trigger'::regclass, 'pg_policy'::regclass,
                'pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass))
    SELECT DISTINCT class::oid, object, needed_class::oid, needed, way, part FROM whole
    WHERE object IS NOT NULL AND needed IS NOT NULL
        AND (class::oid, object) <> (needed_class::oid, needed)
    ORDER BY 1, 2, 3, 4, 5, 6";
