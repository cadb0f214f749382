CREATE TABLE types (
 id int PRIMARY KEY, ti tinyint, tu tinyint unsigned, flag tinyint(1), si smallint, su smallint unsigned, mi mediumint, mu mediumint unsigned, iu int unsigned, bi bigint, bu bigint unsigned, zf int(8) unsigned zerofill,
 d decimal(65,30), d2 decimal(10,2), du decimal(12,4) unsigned, f float, dbl double, b1 bit(1), b12 bit(12), b64 bit(64),
 y year, dt date, ts timestamp(6) NULL, ts0 timestamp NULL, dtm datetime(6), dtm0 datetime, tm time(6), tm0 time,
 c char(10), vc varchar(100), tt tinytext, tx text, mt mediumtext, lt longtext, latin varchar(50) CHARACTER SET latin1, sjis varchar(50) CHARACTER SET sjis, wide varchar(50) CHARACTER SET utf16, old varchar(50) CHARACTER SET utf8mb3,
 bin binary(4), vb varbinary(10), tb tinyblob, bl blob, lb longblob, e enum('a','b''c','d,e','(',''), s set('x','y','z'), j json, p point);
INSERT INTO types (id) VALUES (0);
SET time_zone = '+00:00';
INSERT INTO types VALUES (1, -128, 255, 1, -32768, 65535, -8388608, 16777215, 4294967295, -9223372036854775808, 18446744073709551615, 42,
 12345678901234567890123456789012345.012345678901234567890123456789, -99999999.99, 0.0001, 1.17549e-38, 2.2250738585072014e-308, b'1', b'101010101010', b'1111111111111111111111111111111111111111111111111111111111111111',
 2155, '9999-12-31', '2038-01-19 03:14:07.999999', '1970-01-01 00:00:01', '9999-12-31 23:59:59.999999', '1000-01-01 00:00:00', '-838:59:59.000000', '838:59:59',
 'ab', 'ta\tb \\ ''q'' "d" \n ☕ 😀', '', 'tiny', 'medium', 'long', 'café', 'ソース', '😀 wide', '☕',
 x'00ff', x'', x'00', x'0d0a271a5c', x'ff', 'b''c', 'x,z', '{"b": [1, null, "x\\"y"], "a": 1.5}', ST_GeomFromText('POINT(1 2)'));
INSERT INTO types (id, f, dbl, d, tm, e, s, c, vc, dt, dtm, j, b1) VALUES
 (2, -3.40282e38, -1.7976931348623157e308, -0.000000000000000000000000000001, '00:00:00.000001', '', '', '', 'NULL', '1582-10-10', '0001-01-01', 'null', b'0'),
 (3, 0.1, 0.1, 0, '-00:00:00.5', 'd,e', 'x,y,z', ' lead', 'trail  ', '2000-02-29', '2024-03-31 02:30:00', '"\\u00e9"', NULL);
