-- What only the newest version has.
CREATE EXTENSION btree_gist;
CREATE TABLE public.virtual (
    id int PRIMARY KEY,
    a int CONSTRAINT a_there NOT NULL,
    twice int GENERATED ALWAYS AS (a * 2) VIRTUAL,
    kept int GENERATED ALWAYS AS (a * 3) STORED,
    b int CONSTRAINT only_here NOT NULL NO INHERIT,
    c int
);
COMMENT ON CONSTRAINT a_there ON public.virtual IS 'always there';
INSERT INTO public.virtual (id, a, b) SELECT i, i, i FROM generate_series(1, 300) i;
ALTER TABLE public.virtual ADD CONSTRAINT c_there NOT NULL c NOT VALID;
ALTER TABLE public.virtual ADD CONSTRAINT wish CHECK (a > 1000) NOT ENFORCED;
CREATE TABLE public.heir (d int CONSTRAINT d_there NOT NULL) INHERITS (public.virtual);
ALTER TABLE public.heir ADD CONSTRAINT own_a NOT NULL b;
CREATE TABLE public.room (id int, at tsrange, what text, CONSTRAINT room_key PRIMARY KEY (id, at WITHOUT OVERLAPS));
CREATE TABLE public.stay (id int, room int, at tsrange, UNIQUE (id, at WITHOUT OVERLAPS),
    CONSTRAINT in_room FOREIGN KEY (room, PERIOD at) REFERENCES public.room (id, PERIOD at));
INSERT INTO public.room VALUES (1, '[2020-01-01,2021-01-01)', 'x');
INSERT INTO public.stay VALUES (1, 1, '[2020-02-01,2020-03-01)');
CREATE TABLE public.hoped (id int PRIMARY KEY, v int,
    CONSTRAINT hope FOREIGN KEY (v) REFERENCES public.virtual NOT ENFORCED);
INSERT INTO public.hoped VALUES (1, 9999);
CREATE TABLE public.numbered (id int GENERATED ALWAYS AS IDENTITY, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE public.numbered_1 PARTITION OF public.numbered FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE public.numbered_2 PARTITION OF public.numbered DEFAULT;
INSERT INTO public.numbered (at) SELECT date '2020-12-01' + i FROM generate_series(1, 60) i;
CREATE COLLATION public.built (provider = builtin, locale = 'C.UTF-8');
CREATE COLLATION public.ruled (provider = icu, locale = 'und', rules = '&a < g');
CREATE TABLE public.collated (a text COLLATE public.built, b text COLLATE public.ruled);
CREATE SEQUENCE public.waiting;
SELECT setval('public.waiting', 9, false);
