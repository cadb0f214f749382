-- What belongs to the server and its roles, or needs code that is not in the database.
CREATE TABLE public.film (id int PRIMARY KEY, title text);
INSERT INTO public.film VALUES (1, 'x');
CREATE ROLE longshore_reader;
GRANT SELECT ON public.film TO longshore_reader;
ALTER TABLE public.film ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON public.film TO longshore_reader USING (true);
SELECT lo_from_bytea(0, 'x'), lo_from_bytea(0, 'y');
CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION public.on_ddl();
ALTER EVENT TRIGGER guard DISABLE;
CREATE PUBLICATION outward FOR TABLE public.film;
CREATE SUBSCRIPTION inward CONNECTION 'host=nowhere password=hunter2' PUBLICATION x
    WITH (connect = false, slot_name = NONE);
CREATE FOREIGN DATA WRAPPER wrapper;
CREATE SERVER "far away" FOREIGN DATA WRAPPER wrapper OPTIONS (secret 'hunter2');
CREATE FOREIGN TABLE public.far (a int) SERVER "far away";
CREATE FUNCTION public.native(text, text) RETURNS double precision LANGUAGE c
    AS '$libdir/pg_trgm', 'similarity';
CREATE CONVERSION public.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE OPERATOR FAMILY public.family USING btree;
CREATE OPERATOR CLASS public.abs_ops FOR TYPE int USING btree FAMILY public.family
    AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int);
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
