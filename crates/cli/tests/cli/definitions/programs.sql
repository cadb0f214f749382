-- Everything that runs: functions, aggregates, operators, casts, rules, triggers, policies, views.
CREATE SCHEMA other;
CREATE TABLE public.t (id int PRIMARY KEY, note text, owner text DEFAULT 'me');
INSERT INTO public.t SELECT i, 'note ' || i FROM generate_series(1, 200) i;

-- Functions that need tables, and tables that need functions.
CREATE FUNCTION other.double(int) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS 'SELECT $1 * 2';
CREATE FUNCTION other.now_text() RETURNS text LANGUAGE plpgsql STABLE LEAKPROOF AS $$ BEGIN RETURN now()::text; END $$;
CREATE FUNCTION public.described(public.t) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1.note || '!' $$;
CREATE FUNCTION public.many(VARIADIC a int[], OUT lowest int, OUT highest int) RETURNS record LANGUAGE sql
    AS 'SELECT min(x), max(x) FROM unnest(a) x';
CREATE FUNCTION public.table_of(n int DEFAULT 3, label text DEFAULT 'it''s') RETURNS TABLE (i int, s text) LANGUAGE sql AS 'SELECT n, label';
CREATE FUNCTION public.overloaded(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.overloaded(text) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION public.generic(anyelement) RETURNS anyelement LANGUAGE sql WINDOW AS 'SELECT $1' ;
CREATE FUNCTION public.inner_name(int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4um';
CREATE TABLE public.uses (
    id int DEFAULT other.double(21) PRIMARY KEY,
    said text DEFAULT other.now_text(),
    twice int GENERATED ALWAYS AS (other.double(id)) STORED,
    row_of public.t,
    rows_of public.t[],
    CONSTRAINT even CHECK (other.double(id) % 2 = 0)
);
CREATE INDEX uses_index ON public.uses (other.double(id));
CREATE INDEX t_described ON public.t (public.described(t));
INSERT INTO public.uses (id, row_of, rows_of) VALUES (1, ROW(1, 'a', 'b')::public.t, ARRAY[ROW(2, 'c', NULL)::public.t]);
CREATE FUNCTION public.next_id() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(id) + 1 FROM public.t; END;
CREATE TABLE public.uses_table (id bigint DEFAULT public.next_id() PRIMARY KEY, CONSTRAINT c CHECK (id > 0));
INSERT INTO public.uses_table DEFAULT VALUES;
-- A function that takes the table whose check and default use it.
CREATE TABLE public.own (id int PRIMARY KEY, a int, b int);
CREATE FUNCTION public.holds(public.own) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a < $1.b';
CREATE FUNCTION public.first_own() RETURNS SETOF public.own LANGUAGE sql STABLE AS 'SELECT NULL::public.own';
CREATE FUNCTION public.count_own(public.own DEFAULT NULL) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
ALTER TABLE public.own ADD CONSTRAINT held CHECK (public.holds(own.*));
ALTER TABLE public.own ALTER COLUMN b SET DEFAULT public.count_own() + 10;
INSERT INTO public.own VALUES (1, 1, 2);
CREATE DOMAIN public.checked AS int CONSTRAINT a_check CHECK (other.double(VALUE) < 100);
ALTER DOMAIN public.checked ADD CONSTRAINT late CHECK (VALUE > 3) NOT VALID;

-- Aggregates.
CREATE FUNCTION public.add(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT COALESCE($1, 0) + COALESCE($2, 0)';
CREATE FUNCTION public.sub(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT COALESCE($1, 0) - COALESCE($2, 0)';
CREATE FUNCTION public.shown(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
CREATE AGGREGATE public.total(int) (SFUNC = public.add, STYPE = int, SSPACE = 8, FINALFUNC = public.shown,
    COMBINEFUNC = public.add, INITCOND = '0', MSFUNC = public.add, MINVFUNC = public.sub, MSTYPE = int,
    MFINALFUNC = public.shown, MINITCOND = '0', PARALLEL = safe);
CREATE AGGREGATE public.nothing(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE public.middle(double precision ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = read_write);
CREATE AGGREGATE public.largest(int) (SFUNC = int4larger, STYPE = int, SORTOP = OPERATOR(pg_catalog.>));

-- Operators and casts.
CREATE TYPE public.money2 AS (units int, cents int);
CREATE FUNCTION public.money_lt(public.money2, public.money2) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS 'SELECT ($1.units, $1.cents) < ($2.units, $2.cents)';
CREATE FUNCTION public.money_gt(public.money2, public.money2) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT public.money_lt($2, $1)';
CREATE FUNCTION public.money_neg(public.money2) RETURNS public.money2 LANGUAGE sql IMMUTABLE AS 'SELECT ROW(-$1.units, -$1.cents)::public.money2';
CREATE OPERATOR public.<<| (FUNCTION = public.money_lt, LEFTARG = public.money2, RIGHTARG = public.money2,
    COMMUTATOR = OPERATOR(public.|>>), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR public.|>> (FUNCTION = public.money_gt, LEFTARG = public.money2, RIGHTARG = public.money2, COMMUTATOR = OPERATOR(public.<<|));
CREATE OPERATOR public.!- (FUNCTION = public.money_neg, RIGHTARG = public.money2);
COMMENT ON OPERATOR public.!- (NONE, public.money2) IS 'the other way';
CREATE FUNCTION public.of_int(int) RETURNS public.money2 LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1, 0)::public.money2';
CREATE CAST (int AS public.money2) WITH FUNCTION public.of_int(int) AS ASSIGNMENT;
CREATE CAST (public.money2 AS text) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (int AS public.money2) IS 'whole units';
CREATE TABLE public.prices (id int PRIMARY KEY, price public.money2 DEFAULT 3::public.money2,
    CHECK (price OPERATOR(public.<<|) ROW(1000, 0)::public.money2));
INSERT INTO public.prices (id) VALUES (1);

-- Collations and text search.
CREATE COLLATION public.numbers (provider = icu, locale = 'en-u-kn-true');
CREATE COLLATION other.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION public.plain FROM "C";
COMMENT ON COLLATION public.numbers IS '2 before 10';
CREATE TEXT SEARCH DICTIONARY public.simple_de (TEMPLATE = pg_catalog.simple, STOPWORDS = 'german');
CREATE TEXT SEARCH CONFIGURATION public.words (COPY = pg_catalog.german);
ALTER TEXT SEARCH CONFIGURATION public.words ALTER MAPPING FOR asciiword, word WITH public.simple_de, german_stem;
ALTER TEXT SEARCH CONFIGURATION public.words DROP MAPPING FOR uint;
COMMENT ON TEXT SEARCH CONFIGURATION public.words IS 'german';
CREATE TABLE public.texts (id int PRIMARY KEY, plain text COLLATE public.numbers, b text COLLATE other.blind,
    words tsvector GENERATED ALWAYS AS (to_tsvector('public.words'::regconfig, plain)) STORED);
CREATE INDEX texts_words ON public.texts USING gin (words);
INSERT INTO public.texts VALUES (1, 'Haus 10', 'x'), (2, 'Häuser 2', 'X');

-- Views: on each other, with options, defaults, rules and triggers.
CREATE VIEW public.z_first AS SELECT id, note FROM public.t;
CREATE VIEW public.a_second WITH (security_barrier=true) AS SELECT id, note FROM public.z_first WHERE id > 1 WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW public.m_third AS SELECT count(*) AS n FROM public.a_second;
CREATE VIEW public.b_fourth (renamed) AS SELECT n FROM public.m_third;
CREATE VIEW other.invoker WITH (security_invoker=on) AS SELECT * FROM public.b_fourth;
ALTER VIEW public.z_first ALTER COLUMN note SET DEFAULT 'from the view';
CREATE FUNCTION public.of_view(public.a_second) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.id';
CREATE VIEW public.with_function AS SELECT public.of_view(a.*) AS id FROM public.a_second a;
CREATE FUNCTION public.atomic() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT n FROM public.m_third; END;
CREATE VIEW other.deep AS SELECT public.atomic() AS n;
CREATE TABLE public.of_views (a public.z_first, id int PRIMARY KEY);
INSERT INTO public.of_views VALUES (ROW(1, 'x')::public.z_first, 1);
CREATE RULE t_insert AS ON INSERT TO public.z_first DO INSTEAD INSERT INTO public.t (id, note) VALUES (NEW.id, NEW.note);
CREATE RULE t_also AS ON DELETE TO public.t WHERE (OLD.id = 0) DO ALSO NOTHING;
ALTER TABLE public.t DISABLE RULE t_also;
COMMENT ON RULE t_insert ON public.z_first IS 'through';
CREATE FUNCTION public.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired'; END $$;
CREATE TRIGGER a_disabled BEFORE INSERT ON public.t FOR EACH STATEMENT EXECUTE FUNCTION public.fired();
ALTER TABLE public.t DISABLE TRIGGER a_disabled;
CREATE TRIGGER an_always BEFORE UPDATE OF note ON public.t FOR EACH ROW WHEN (NEW.id > 5) EXECUTE FUNCTION public.fired('an', 'argument');
ALTER TABLE public.t ENABLE ALWAYS TRIGGER an_always;
CREATE TRIGGER on_replica AFTER DELETE ON public.t FOR EACH ROW EXECUTE FUNCTION public.fired();
ALTER TABLE public.t ENABLE REPLICA TRIGGER on_replica;
CREATE CONSTRAINT TRIGGER constrained AFTER INSERT ON public.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fired();
CREATE TRIGGER transition AFTER UPDATE ON public.t REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION public.fired();
CREATE TRIGGER instead INSTEAD OF DELETE ON public.a_second FOR EACH ROW EXECUTE FUNCTION public.fired();
COMMENT ON TRIGGER an_always ON public.t IS 'always';

-- Policies for everyone.
CREATE TABLE public.secret (id int PRIMARY KEY, who text);
INSERT INTO public.secret SELECT i, 'x' FROM generate_series(1, 50) i;
ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.secret FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON public.secret USING (who = CURRENT_USER) WITH CHECK (id > 0);
CREATE POLICY readers ON public.secret AS RESTRICTIVE FOR SELECT USING (id < 1000);
CREATE POLICY writers ON public.secret FOR INSERT WITH CHECK (EXISTS (SELECT FROM public.t WHERE t.id = secret.id));
COMMENT ON POLICY mine ON public.secret IS 'own rows';
REFRESH MATERIALIZED VIEW public.m_third;
COMMENT ON FUNCTION public.overloaded(text) IS 'two';
