//! What stays behind.

use super::{not_of_extension, ours};

/// What stays behind: kind, name or number, reason. Things of many tables are counted.
pub(in super::super) const LEFT: &str = concat!(
    "WITH objects (namespace, owner, granted) AS (
        SELECT c.relnamespace, c.relowner, c.relacl IS NOT NULL OR EXISTS (SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
        FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND ",
    not_of_extension!("c"),
    " UNION ALL SELECT p.pronamespace, p.proowner, p.proacl IS NOT NULL FROM pg_proc p WHERE ",
    not_of_extension!("p"),
    " UNION ALL SELECT t.typnamespace, t.typowner, t.typacl IS NOT NULL FROM pg_type t
        LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c' AND ",
    not_of_extension!("t"),
    " UNION ALL SELECT n.oid, n.nspowner, n.nspacl IS NOT NULL FROM pg_namespace n
        WHERE n.oid >= 16384 AND ",
    not_of_extension!("n"),
    "), ours AS (
        SELECT o.* FROM objects o JOIN pg_namespace n ON n.oid = o.namespace
        WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_longshore'))
     SELECT 'grants', format('on %s things', count(*)),
        'privileges belong to roles of the server: grant them anew'
        FROM ours WHERE granted HAVING count(*) > 0
     UNION ALL
     SELECT 'default privileges', count(*)::text,
        'privileges belong to roles of the server: grant them anew'
        FROM pg_default_acl HAVING count(*) > 0
     UNION ALL
     SELECT 'owner', format('%I of %s things', r.rolname, count(*)),
        'what moves belongs to the user of the target''s address: give it to the role there'
        FROM ours o JOIN pg_roles r ON r.oid = o.owner
        WHERE r.rolname <> current_user GROUP BY r.rolname
     UNION ALL
     SELECT 'large objects', count(*)::text, 'they are not moved yet: move them with pg_dump --blobs'
        FROM pg_largeobject_metadata HAVING count(*) > 0
     UNION ALL
     SELECT 'database setting', split_part(setting, '=', 1),
        'it belongs to the database as a whole: set it anew with ALTER DATABASE'
        FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) setting
        WHERE d.datname = current_database()
     UNION ALL
     SELECT 'comment', 'on the database', 'it belongs to the database as a whole: set it anew'
        FROM pg_shdescription d JOIN pg_database b ON d.classoid = b.tableoid AND d.objoid = b.oid
        WHERE b.datname = current_database()
     UNION ALL
     SELECT 'tablespace', s.spcname::text, 'what is in it goes to the default tablespace of the target'
        FROM pg_tablespace s WHERE EXISTS (SELECT FROM pg_class c WHERE c.reltablespace = s.oid
            AND c.oid >= 16384)
     UNION ALL
     SELECT 'access method', a.amname::text,
        'its code is in a library of the server: install that before the migration'
        FROM pg_am a WHERE a.oid >= 16384 AND ", not_of_extension!("a"), "
     UNION ALL
     SELECT 'table access method', format('%I.%I', n.nspname, c.relname),
        'the table gets the access method that is the default of the target'
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam
        WHERE c.relkind IN ('r', 'm') AND a.amname <> 'heap' AND ", ours!("c", "n"), "
     UNION ALL
     SELECT 'foreign table', format('%I.%I', n.nspname, c.relname),
        'its rows are on another server: create it anew'
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'f' AND ", ours!("c", "n"), "
     UNION ALL
     SELECT 'foreign server', s.srvname::text,
        'it has addresses and secrets of the server: create it anew' FROM pg_foreign_server s
     UNION ALL
     SELECT 'foreign data wrapper', w.fdwname::text, 'it needs a superuser: create it anew'
        FROM pg_foreign_data_wrapper w WHERE ", not_of_extension!("w"), "
     UNION ALL
     SELECT 'policy', format('%I on %I.%I', p.polname, n.nspname, c.relname),
        'it names roles of the server: create it anew'
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n
            ON n.oid = c.relnamespace
        WHERE p.polroles <> ARRAY[0::oid] AND ", ours!("c", "n"), "
     UNION ALL
     SELECT 'function', format('%I.%I(%s)', n.nspname, p.proname,
            pg_get_function_identity_arguments(p.oid)),
        'its code is in a library of the server: install that and create it before the migration'
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_language l ON l.oid = p.prolang
        WHERE l.lanname = 'c' AND ", ours!("p", "n"), "
     UNION ALL
     SELECT 'type', format_type(t.oid, NULL),
        'its code is in a library of the server: create it before the migration'
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        LEFT JOIN pg_range r ON r.rngtypid = t.oid
        WHERE (t.typtype = 'b' AND t.typcategory <> 'A' OR r.rngcanonical <> 0 OR t.typtype = 'p') AND ",
    ours!("t", "n"), "
     UNION ALL
     SELECT 'operator class', format('%I.%I using %I', n.nspname, o.opcname, a.amname),
        'operator classes are not moved yet: create it before the migration'
        FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace
        JOIN pg_am a ON a.oid = o.opcmethod WHERE ", ours!("o", "n"), "
     UNION ALL
     SELECT 'operator family', format('%I.%I using %I', n.nspname, o.opfname, a.amname),
        'operator families are not moved yet: create it before the migration'
        FROM pg_opfamily o JOIN pg_namespace n ON n.oid = o.opfnamespace
        JOIN pg_am a ON a.oid = o.opfmethod WHERE ", ours!("o", "n"), "
     UNION ALL
     SELECT 'conversion', format('%I.%I', n.nspname, c.conname), 'it needs a superuser: create it anew'
        FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace WHERE ", ours!("c", "n"), "
     UNION ALL
     SELECT 'text search parser', format('%I.%I', n.nspname, p.prsname),
        'its code is in a library of the server: create it before the migration'
        FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE ", ours!("p", "n"), "
     UNION ALL
     SELECT 'text search template', format('%I.%I', n.nspname, t.tmplname),
        'its code is in a library of the server: create it before the migration'
        FROM pg_ts_template t JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE ", ours!("t", "n"), "
     UNION ALL
     SELECT 'language', l.lanname::text, 'its code is in a library of the server: install it there'
        FROM pg_language l WHERE l.lanispl AND ", not_of_extension!("l"), "
     UNION ALL
     SELECT 'transform', format('%s for %s', format_type(t.trftype, NULL), l.lanname),
        'it needs a superuser: create it anew'
        FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang WHERE ", not_of_extension!("t"), "
     UNION ALL
     SELECT 'publication', p.pubname::text, 'it belongs to the server: create it anew'
        FROM pg_publication p
     UNION ALL
     SELECT 'subscription', s.subname::text, 'it has addresses and secrets of the server: create it anew'
        FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
        WHERE d.datname = current_database()
     UNION ALL
     SELECT 'event trigger', e.evtname::text, 'it needs a superuser: create it anew'
        FROM pg_event_trigger e WHERE ", not_of_extension!("e"), "
     UNION ALL
     SELECT 'security labels', count(*)::text, 'they belong to a provider of the server: set them anew'
        FROM pg_seclabel HAVING count(*) > 0
     ORDER BY 1, 2"
);
