-- A maker of bicycles with many schemas, in the shape of a well-known sample.
CREATE EXTENSION "uuid-ossp";
CREATE EXTENSION tablefunc;
CREATE SCHEMA person;
CREATE SCHEMA hr;
CREATE SCHEMA sales;
CREATE SCHEMA production;
CREATE SCHEMA hollow;
COMMENT ON SCHEMA hr IS 'people who work here';
CREATE DOMAIN public."Flag" AS boolean NOT NULL;
CREATE DOMAIN public."Name" AS varchar(50) COLLATE "C";
CREATE DOMAIN person.phone AS public."Name" CHECK (VALUE ~ '^[0-9 ]+$') CHECK (length(VALUE) < 40);
CREATE TYPE person.address AS (street public."Name", zip character(5), lines text[]);
CREATE TYPE person.place AS (home person.address, floor smallint);
CREATE TYPE hollow.nothing AS ();
COMMENT ON TYPE person.address IS 'where';
COMMENT ON COLUMN person.address.zip IS 'five';
CREATE TYPE sales.span AS RANGE (SUBTYPE = timestamp with time zone);
CREATE FUNCTION sales.diff(double precision, double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE sales.weight AS RANGE (SUBTYPE = double precision, SUBTYPE_DIFF = sales.diff, MULTIRANGE_TYPE_NAME = sales.weights);
CREATE TYPE sales.word AS RANGE (SUBTYPE = text, COLLATION = "C", SUBTYPE_OPCLASS = text_pattern_ops);

CREATE TABLE person.businessentity (
    businessentityid serial NOT NULL,
    rowguid uuid DEFAULT public.uuid_generate_v1() NOT NULL,
    modifieddate timestamp DEFAULT now() NOT NULL
);
CREATE TABLE person.person (
    businessentityid integer NOT NULL,
    persontype character(2) NOT NULL,
    namestyle public."Flag" DEFAULT false NOT NULL,
    firstname public."Name" NOT NULL,
    phone person.phone,
    home person.place,
    other person.address[],
    info xml,
    CONSTRAINT "CK_Person_PersonType" CHECK (persontype IS NULL OR upper(persontype::text) = ANY (ARRAY['SC', 'EM']))
);
CREATE TABLE hr.employee (
    businessentityid integer NOT NULL,
    organizationnode varchar DEFAULT '/',
    manager integer,
    jobtitle varchar(50) NOT NULL,
    hours smallint DEFAULT 0 NOT NULL CHECK (hours >= -40 AND hours <= 240)
);
CREATE TABLE hr.department (departmentid integer PRIMARY KEY, name public."Name" NOT NULL UNIQUE, head integer);
ALTER TABLE ONLY person.businessentity ADD CONSTRAINT "PK_BusinessEntity_BusinessEntityID" PRIMARY KEY (businessentityid);
ALTER TABLE ONLY person.businessentity CLUSTER ON "PK_BusinessEntity_BusinessEntityID";
ALTER TABLE ONLY person.person ADD CONSTRAINT "PK_Person" PRIMARY KEY (businessentityid);
ALTER TABLE ONLY hr.employee ADD CONSTRAINT "PK_Employee" PRIMARY KEY (businessentityid) INCLUDE (jobtitle);
ALTER TABLE ONLY person.person ADD CONSTRAINT "FK_Person_BE" FOREIGN KEY (businessentityid) REFERENCES person.businessentity;
ALTER TABLE ONLY hr.employee ADD CONSTRAINT "FK_Employee_Person" FOREIGN KEY (businessentityid) REFERENCES person.person;
ALTER TABLE ONLY hr.employee ADD CONSTRAINT "FK_Manager" FOREIGN KEY (manager) REFERENCES hr.employee DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE hr.employee ADD COLUMN department integer REFERENCES hr.department;
ALTER TABLE hr.department ADD FOREIGN KEY (head) REFERENCES hr.employee DEFERRABLE;

-- Inheritance, also from two tables, with columns of one's own, merged and added later.
CREATE TABLE production.thing (
    id integer NOT NULL, name text DEFAULT 'thing', made date,
    CONSTRAINT named CHECK (name <> ''), CONSTRAINT alone CHECK (id <> 13) NO INHERIT
);
CREATE TABLE production.priced (price numeric(10,2) DEFAULT 1, currency text DEFAULT 'EUR');
CREATE TABLE production.bicycle (wheels smallint DEFAULT 2 NOT NULL, CONSTRAINT wheeled CHECK (wheels > 0))
    INHERITS (production.thing, production.priced);
CREATE TABLE production.racer (weight sales.weight, name text DEFAULT 'racer') INHERITS (production.bicycle);
ALTER TABLE production.bicycle ALTER COLUMN currency SET DEFAULT 'USD';
ALTER TABLE production.bicycle ALTER COLUMN price SET NOT NULL;
ALTER TABLE production.racer ALTER COLUMN made SET STATISTICS 200;
ALTER TABLE ONLY production.bicycle ADD PRIMARY KEY (id);
ALTER TABLE production.thing ADD COLUMN later text;
ALTER TABLE production.racer DROP COLUMN weight;
ALTER TABLE production.racer ADD COLUMN weights sales.weights;
CREATE INDEX ON production.thing (name);

CREATE TABLE sales.header (
    id integer GENERATED ALWAYS AS IDENTITY,
    sub numeric NOT NULL, tax numeric NOT NULL,
    total numeric GENERATED ALWAYS AS (sub + tax) STORED,
    valid sales.span, word sales.word,
    PRIMARY KEY (id)
);
CREATE TABLE sales.detail (header integer REFERENCES sales.header ON DELETE CASCADE, line integer, bike integer, PRIMARY KEY (header, line));
CREATE VIEW hr.v_employee AS SELECT e.businessentityid, p.firstname, e.jobtitle, (p.home).home.zip AS zip
    FROM hr.employee e JOIN person.person p USING (businessentityid);
CREATE VIEW sales.v_mine AS SELECT * FROM hr.v_employee WHERE jobtitle = 'Buyer' WITH CASCADED CHECK OPTION;
CREATE MATERIALIZED VIEW production.v_things AS SELECT tableoid::regclass::text AS kind, id, name FROM production.thing;
CREATE UNIQUE INDEX ix_things ON production.v_things (kind, id);
ALTER TABLE production.v_things CLUSTER ON ix_things;
CREATE VIEW production.a_first AS SELECT * FROM production.v_things;
CREATE MATERIALIZED VIEW hr.counted WITH (fillfactor=80) AS SELECT count(*) AS n FROM production.a_first;
CREATE VIEW sales.tree AS WITH RECURSIVE up(id, above) AS (SELECT businessentityid, manager FROM hr.employee
    UNION ALL SELECT u.id, e.manager FROM up u JOIN hr.employee e ON e.businessentityid = u.above) SELECT * FROM up;

INSERT INTO person.businessentity (modifieddate) SELECT '2020-01-01' FROM generate_series(1, 300);
INSERT INTO person.person SELECT i, 'EM', i % 2 = 0, 'Name ' || i, '030 ' || i,
    ROW(ROW('Street', '12345', ARRAY['a', NULL])::person.address, 3)::person.place,
    ARRAY[ROW('S', '1', NULL)::person.address], '<a>1</a>' FROM generate_series(1, 300) i;
INSERT INTO hr.department VALUES (1, 'Sales'), (2, 'Making');
INSERT INTO hr.employee SELECT i, '/' || i, NULLIF(i / 2, 0), CASE i % 3 WHEN 0 THEN 'Buyer' ELSE 'Clerk' END, i % 200, 1 + i % 2 FROM generate_series(1, 300) i;
UPDATE hr.department SET head = departmentid;
INSERT INTO production.thing VALUES (1, 'a', NULL), (2, 'b', '2020-02-29');
INSERT INTO production.bicycle (id, name) VALUES (10, 'bike');
INSERT INTO production.racer (id, weights) VALUES (20, '{[1,2),[3,4)}');
INSERT INTO sales.header (sub, tax, valid, word) SELECT i, 0.19 * i, '[2020-01-01,2021-01-01)', '[a,b)' FROM generate_series(1, 100) i;
INSERT INTO sales.detail SELECT 1 + i % 100, i, i FROM generate_series(1, 1000) i;
REFRESH MATERIALIZED VIEW production.v_things;
REFRESH MATERIALIZED VIEW hr.counted;
