CREATE TABLE language (language_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT, name CHAR(20) NOT NULL, last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, PRIMARY KEY (language_id));
CREATE TABLE film (film_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT, title VARCHAR(128) NOT NULL, description TEXT DEFAULT NULL, release_year YEAR DEFAULT NULL, language_id TINYINT UNSIGNED NOT NULL, original_language_id TINYINT UNSIGNED DEFAULT NULL, rental_duration TINYINT UNSIGNED NOT NULL DEFAULT 3, rental_rate DECIMAL(4,2) NOT NULL DEFAULT 4.99, length SMALLINT UNSIGNED DEFAULT NULL, rating ENUM('G','PG','PG-13','R','NC-17') DEFAULT 'G', special_features SET('Trailers','Commentaries','Deleted Scenes','Behind the Scenes') DEFAULT NULL, last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, profit DECIMAL(6,2) GENERATED ALWAYS AS (rental_rate * 2) STORED, twice INT GENERATED ALWAYS AS (length * 2) VIRTUAL,
 PRIMARY KEY (film_id), KEY idx_title (title), KEY idx_fk_language_id (language_id), KEY prefixed (description(10)), FULLTEXT KEY ft (title, description), CONSTRAINT fk_film_language FOREIGN KEY (language_id) REFERENCES language (language_id) ON DELETE RESTRICT ON UPDATE CASCADE, CONSTRAINT positive CHECK (rental_rate >= 0)) COMMENT='films of the shop';
CREATE TABLE customer (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(50) NOT NULL COMMENT 'the address', active BOOLEAN NOT NULL DEFAULT TRUE, location POINT NOT NULL, data JSON, balance DOUBLE DEFAULT 0, created DATETIME DEFAULT CURRENT_TIMESTAMP, note TEXT, hidden INT INVISIBLE DEFAULT 5, UNIQUE KEY (email), UNIQUE KEY pre (note(5)), SPATIAL KEY loc (location), KEY balance_desc (balance DESC));
CREATE TABLE nokey (a INT, b VARCHAR(10));
CREATE VIEW film_list AS SELECT f.film_id AS fid, f.title, l.name AS lang, concat(f.title, ' (', l.name, ')') AS both_ FROM film f JOIN language l ON f.language_id = l.language_id WHERE f.length > 10;
CREATE TABLE part (id INT NOT NULL, y INT NOT NULL, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE);
DELIMITER //
CREATE TRIGGER ins_film BEFORE INSERT ON film FOR EACH ROW BEGIN SET NEW.title = TRIM(NEW.title); END//
CREATE PROCEDURE hello(IN a INT) BEGIN SELECT a; END//
CREATE FUNCTION inv(a INT) RETURNS INT DETERMINISTIC RETURN a + 1//
DELIMITER ;
INSERT INTO language (name) VALUES ('English'), ('Deutsch');
INSERT INTO film (title, description, release_year, language_id, length, rating, special_features) VALUES ('ACADEMY', 'A Epic', 2006, 1, 86, 'PG', 'Trailers,Deleted Scenes'), ('ACE', NULL, 1901, 2, NULL, NULL, '');
INSERT INTO customer (email, location, data, note) VALUES ('A@x', ST_GeomFromText('POINT(1 2)'), '{"a":1}', 'note1'), ('b@x', ST_GeomFromText('POINT(3 4)'), NULL, 'NOTE2');
INSERT INTO nokey VALUES (1,'x'),(1,'x'),(NULL,NULL);
INSERT INTO part VALUES (1,1999),(2,2020);
