//! The catalogue of a database as lines of text: everything that migrations make, and nothing that depends on when they ran.

use sqlx::PgPool;

const CATALOGUE: &str = "
WITH relations AS (
    SELECT c.* FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname <> '_sqlx_migrations'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT format('%s %s %s %s %s', c.relkind, c.relname, c.reloptions, pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class'))
FROM relations c
UNION ALL
SELECT format('column %s.%s %s %s not null: %s identity: %s default: %s %s', c.relname,
              row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
              format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid),
              col_description(c.oid, a.attnum))
FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
UNION ALL
SELECT format('constraint %s %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid))
FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid
UNION ALL
SELECT pg_get_indexdef(i.indexrelid) FROM relations c JOIN pg_index i ON i.indrelid = c.oid
UNION ALL
SELECT format('%s %s', c.relname, pg_get_triggerdef(t.oid)) FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
UNION ALL
SELECT format('view %s %s', c.relname, pg_get_viewdef(c.oid)) FROM relations c WHERE c.relkind IN ('v', 'm')
UNION ALL
SELECT format('%s %s', pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc')) FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT format('type %s %s', t.typtype, t.typname) FROM pg_type t
WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd', 'r', 'm')
ORDER BY 1";

/// Tables, columns, constraints, indexes, triggers, views, functions and types, each a line; without those of extensions.
pub async fn dump(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(CATALOGUE).fetch_all(pool).await.expect("the catalogue is read")
}
