CREATE TYPE mood AS ENUM ('sad','ok');
CREATE DOMAIN year AS int CHECK (VALUE > 1900);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE types (
 id int PRIMARY KEY, b boolean, i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric, nd numeric(12,4), nz numeric(60,10), money money,
 t text, vc varchar(20), c char(5), nm name, ic "char", by bytea, d date, tm time, tmz timetz, ts timestamp, ts3 timestamp(3), tz timestamptz, iv interval,
 u uuid, j json, jb jsonb, x xml, bi bit(4), vb varbit, inet inet, cidr cidr, mac macaddr, mac8 macaddr8, pt point, ln line, ls lseg, bx box, pa path, po polygon, ci circle,
 tv tsvector, tq tsquery, r4 int4range, r8 int8range, rn numrange, rts tsrange, rtz tstzrange, rd daterange, mr int4multirange, ai int[], at text[], a2 int[][], aj jsonb[], 
 m mood, am mood[], y year, pr pair, o oid, rc regclass, lsn pg_lsn, snap pg_snapshot, jp jsonpath);
INSERT INTO types (id) VALUES (0);
INSERT INTO types VALUES (1, true, -32768, -2147483648, -9223372036854775808, 1.5e-45, 1e308, 12345678901234567890.123456789, -12345678.1234, 12345678901234567890123456789012345678901234567890.0123456789, '-$1,234.56',
 E'tab\t nl\n ☕ \\ "q"', 'varchar', 'ab', 'a name', 'x', '\x00ff10', '0044-03-15 BC', '23:59:59.999999', '23:59:59.999999+05:30', '9999-12-31 23:59:59.999999', '2024-02-29 12:00:00.123', '2024-02-29 12:00:00+03', '1 year 2 mons -3 days 04:05:06.789',
 '123e4567-e89b-12d3-a456-426614174000', '{"a" : 1, "a":2}', '{"b": [1, null, "x\"y"]}', '<a b="c">d</a>', B'1010', B'101', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '(1.5,2)', '{1,2,3}', '[(0,0),(1,1)]', '((1,1),(0,0))', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1>',
 '''fat'':1A ''rat'':2', '''fat'' & !''rat''', '[1,5)', 'empty', '(,1.5]', '[2024-01-01,)', '[2024-01-01 00:00+00,2025-01-01 00:00+00)', '[2024-01-01,2024-02-01)', '{[1,3),[5,6)}', '{1,NULL,3}', '{"a,b",NULL,"NULL","\"q\""}', '{{1,2},{3,4}}', ARRAY['{"a":1}'::jsonb],
 'ok', '{sad,NULL}', 1999, '(1,"x,y")', 4294967295, 'pg_class', '16/B374D848', '10:20:10,14,15', '$.a[*] ? (@ > 1)');
INSERT INTO types (id, f4, f8, n, t, c, d, ts, tz, at) VALUES (2, 'NaN', '-Infinity', 'NaN', '', '', 'infinity', '-infinity', 'infinity', '{}');
INSERT INTO types (id, f4, f8, n, nd, tm, ts, iv) VALUES (3, '-0', '-0', 'Infinity', 'NaN', '24:00:00', '4714-11-24 00:00:00 BC', '-178000000 years');
