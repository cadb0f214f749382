-- A shop that rents films, in the shape of a well-known sample.
CREATE EXTENSION pg_trgm;
CREATE TYPE public.mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');
CREATE DOMAIN public.year AS integer CONSTRAINT year_check CHECK (VALUE >= 1901 AND VALUE <= 2155);
CREATE DOMAIN public.leap AS public.year DEFAULT 2000 NOT NULL;
COMMENT ON DOMAIN public.year IS 'years of films';
COMMENT ON CONSTRAINT year_check ON DOMAIN public.year IS 'as far as films go';

CREATE FUNCTION public._group_concat(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $_$
SELECT CASE WHEN $2 IS NULL THEN $1 WHEN $1 IS NULL THEN $2 ELSE $1 || ', ' || $2 END
$_$;
CREATE AGGREGATE public.group_concat(text) (SFUNC = public._group_concat, STYPE = text);
COMMENT ON AGGREGATE public.group_concat(text) IS 'it''s a list';

CREATE SEQUENCE public.film_film_id_seq;
CREATE TABLE public.language (
    language_id serial PRIMARY KEY,
    name character(20) NOT NULL,
    last_update timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.film (
    film_id integer DEFAULT nextval('public.film_film_id_seq'::regclass) NOT NULL,
    title text NOT NULL,
    description text,
    release_year public.year,
    language_id integer NOT NULL,
    original_language_id integer,
    rental_duration smallint DEFAULT 3 NOT NULL,
    rental_rate numeric(4,2) DEFAULT 4.99 NOT NULL,
    length smallint,
    rating public.mpaa_rating DEFAULT 'G'::public.mpaa_rating,
    last_update timestamp without time zone DEFAULT now() NOT NULL,
    special_features text[],
    fulltext tsvector NOT NULL
);
ALTER SEQUENCE public.film_film_id_seq OWNED BY public.film.film_id;
ALTER TABLE ONLY public.film ADD CONSTRAINT film_pkey PRIMARY KEY (film_id);
ALTER TABLE public.film ADD FOREIGN KEY (language_id) REFERENCES public.language ON UPDATE CASCADE ON DELETE RESTRICT;
ALTER TABLE public.film ADD FOREIGN KEY (original_language_id) REFERENCES public.language ON DELETE SET NULL;
CREATE INDEX film_fulltext_idx ON public.film USING gist (fulltext);
CREATE INDEX film_words ON public.film USING gin (to_tsvector('english'::regconfig, description));
CREATE INDEX film_like ON public.film USING gin (title gin_trgm_ops);
CREATE INDEX idx_title ON public.film (title);
CREATE TRIGGER film_fulltext_trigger BEFORE INSERT OR UPDATE ON public.film FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title', 'description');

CREATE FUNCTION public.last_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_update = CURRENT_TIMESTAMP;
    RETURN NEW;
END $$;
CREATE TRIGGER last_updated BEFORE UPDATE ON public.film FOR EACH ROW EXECUTE FUNCTION public.last_updated();
CREATE TRIGGER last_updated BEFORE UPDATE ON public.language FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION public.last_updated();

CREATE TABLE public.customer (
    customer_id serial PRIMARY KEY,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text,
    picture bytea,
    activebool boolean DEFAULT true NOT NULL,
    create_date date DEFAULT ('now'::text)::date NOT NULL
);
CREATE INDEX idx_last_name ON public.customer (lower(last_name), first_name DESC NULLS LAST) WHERE activebool;
CREATE TABLE public.payment (
    payment_id serial,
    customer_id integer NOT NULL,
    amount numeric(5,2) NOT NULL,
    payment_date timestamp with time zone NOT NULL,
    CONSTRAINT payment_positive CHECK (amount > 0::numeric),
    PRIMARY KEY (payment_date, payment_id)
) PARTITION BY RANGE (payment_date);
CREATE TABLE public.payment_p2022_01 PARTITION OF public.payment
    FOR VALUES FROM ('2022-01-01 00:00:00+00') TO ('2022-02-01 00:00:00+00');
CREATE TABLE public.payment_p2022_02 PARTITION OF public.payment
    FOR VALUES FROM ('2022-02-01 00:00:00+00') TO ('2022-03-01 00:00:00+00') WITH (fillfactor='70');
CREATE TABLE public.payment_other PARTITION OF public.payment DEFAULT;
CREATE INDEX idx_payment_customer ON public.payment (customer_id);
CREATE INDEX idx_payment_only_here ON public.payment_p2022_01 (amount);
ALTER TABLE public.payment ADD CONSTRAINT payment_customer_id_fkey FOREIGN KEY (customer_id)
    REFERENCES public.customer (customer_id) ON UPDATE CASCADE ON DELETE RESTRICT;
COMMENT ON TABLE public.payment IS 'partitioned by month';
COMMENT ON COLUMN public.payment.amount IS 'in dollars';
COMMENT ON INDEX public.idx_payment_customer IS 'for joins';

CREATE VIEW public.film_list AS
    SELECT f.film_id, f.title, l.name AS language, public.group_concat(u.feature) AS features
    FROM public.film f LEFT JOIN public.language l USING (language_id), unnest(f.special_features) u (feature)
    GROUP BY f.film_id, f.title, l.name;
CREATE VIEW public.customer_list AS
    SELECT cu.customer_id AS id, (cu.first_name || ' '::text) || cu.last_name AS name,
        CASE WHEN cu.activebool THEN 'active'::text ELSE ''::text END AS notes FROM public.customer cu;
CREATE VIEW public.film_totals AS SELECT f.film_id, f.title, f.rating, count(*) AS n
    FROM public.film f JOIN public.language ON true GROUP BY f.film_id;
CREATE MATERIALIZED VIEW public.sales AS
    SELECT c.customer_id, sum(p.amount) AS total FROM public.payment p JOIN public.customer c USING (customer_id)
    GROUP BY c.customer_id;
CREATE UNIQUE INDEX sales_customer ON public.sales (customer_id);
CREATE MATERIALIZED VIEW public.empty_sales AS SELECT * FROM public.sales WITH NO DATA;
CREATE VIEW public.sales_names AS SELECT s.*, c.last_name FROM public.sales s JOIN public.customer c USING (customer_id);
COMMENT ON VIEW public.customer_list IS 'names only';
COMMENT ON MATERIALIZED VIEW public.sales IS 'refreshed at night';

CREATE FUNCTION public.rewards_report(min_purchases integer, OUT n integer) RETURNS SETOF integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path TO 'public' AS $_$
DECLARE rr RECORD;
BEGIN
    FOR rr IN EXECUTE 'SELECT c.customer_id FROM customer AS c' LOOP n := rr.customer_id; RETURN NEXT; END LOOP;
    RETURN;
END $_$;
CREATE FUNCTION public.customers() RETURNS SETOF public.customer LANGUAGE sql STABLE ROWS 10
    AS 'SELECT * FROM public.customer';
CREATE FUNCTION public.sales_of(public.sales) RETURNS numeric LANGUAGE sql AS 'SELECT $1.total';
CREATE FUNCTION public.films(r public.mpaa_rating DEFAULT 'G') RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC SELECT count(*) FROM public.film_totals WHERE rating = r; END;
CREATE PROCEDURE public.tidy(INOUT n integer DEFAULT 1) LANGUAGE plpgsql AS $$ BEGIN n := n + 1; END $$;

INSERT INTO public.language (name) VALUES ('English'), ('Italiano');
INSERT INTO public.film (title, description, release_year, language_id, rating, special_features)
    SELECT 'Film ' || i, 'A tale of ' || i, 1990 + i % 30, 1 + i % 2,
        (enum_range(NULL::public.mpaa_rating))[1 + i % 5], ARRAY['Trailers', 'Scene ' || i] FROM generate_series(1, 500) i;
INSERT INTO public.customer (first_name, last_name, picture) SELECT 'A' || i, 'B' || i, decode('00ff', 'hex') FROM generate_series(1, 50) i;
INSERT INTO public.payment (customer_id, amount, payment_date)
    SELECT 1 + i % 50, 1 + i % 90, '2022-01-01 12:00:00+00'::timestamptz + i * interval '1 hour' FROM generate_series(1, 2000) i;
REFRESH MATERIALIZED VIEW public.sales;
ALTER SEQUENCE public.customer_customer_id_seq RESTART WITH 1000;
