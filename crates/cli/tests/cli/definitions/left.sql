-- What stays behind, beside the shop of rental.sql.
CREATE ROLE longshore_reader;
CREATE ROLE longshore_owner;
GRANT SELECT ON public.film TO longshore_reader;
GRANT SELECT (title) ON public.film_list TO longshore_reader;
GRANT EXECUTE ON PROCEDURE public.tidy TO longshore_reader;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO longshore_reader;
ALTER TABLE public.language OWNER TO longshore_owner;
CREATE POLICY readers ON public.language TO longshore_reader USING (true);
SELECT lo_from_bytea(0, 'x'), lo_from_bytea(0, 'y');
CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION public.on_ddl();
ALTER EVENT TRIGGER guard DISABLE;
CREATE PUBLICATION outward FOR TABLE public.film;
CREATE SUBSCRIPTION inward CONNECTION 'host=nowhere password=secret' PUBLICATION x WITH (connect = false, slot_name = NONE);
CREATE FOREIGN DATA WRAPPER wrapper;
CREATE SERVER "far away" FOREIGN DATA WRAPPER wrapper;
CREATE USER MAPPING FOR longshore_reader SERVER "far away" OPTIONS (password 'secret');
CREATE FOREIGN TABLE public.far (a int) SERVER "far away";
CREATE FUNCTION public.native(text, text) RETURNS double precision LANGUAGE c AS '$libdir/pg_trgm', 'similarity';
CREATE CONVERSION public.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE OPERATOR FAMILY public.family USING btree;
CREATE OPERATOR CLASS public.abs_ops FOR TYPE int USING btree FAMILY public.family AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int);
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database()); END $$;
\set ON_ERROR_STOP off
CREATE INDEX CONCURRENTLY broken ON public.customer ((1 / (customer_id - customer_id)));
