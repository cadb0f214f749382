CREATE TABLE suppliers (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, country CHAR(2) NOT NULL, email VARCHAR(120)
);
CREATE TABLE categories (
  id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES categories (id), name TEXT NOT NULL
);
CREATE TABLE customers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, phone TEXT,
  born DATE, vip BOOLEAN NOT NULL DEFAULT 0, balance_cents BIGINT NOT NULL DEFAULT 0,
  discount REAL, created_at DATETIME NOT NULL, preferences JSON
);
CREATE TABLE addresses (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  street TEXT NOT NULL, city TEXT NOT NULL, postcode TEXT, latitude DOUBLE, longitude DOUBLE
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  category_id INTEGER NOT NULL REFERENCES categories (id),
  supplier_id INTEGER REFERENCES suppliers (id),
  list_price DECIMAL(10,2) NOT NULL, weight_kg REAL, active BOOLEAN NOT NULL DEFAULT 1
);
CREATE TABLE product_attributes (
  product_id INTEGER NOT NULL REFERENCES products (id), name TEXT NOT NULL, value,
  PRIMARY KEY (product_id, name)
);
CREATE TABLE photos (
  id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products (id),
  mime TEXT NOT NULL, bytes BLOB
);
CREATE TABLE stock (
  warehouse TEXT NOT NULL, product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL, counted_at DATETIME, PRIMARY KEY (warehouse, product_id)
) WITHOUT ROWID;
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id),
  status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'sent', 'done', 'cancelled')),
  currency CHAR(3) NOT NULL DEFAULT 'EUR', total_cents INTEGER NOT NULL,
  total REAL GENERATED ALWAYS AS (total_cents / 100.0) STORED,
  placed_at DATETIME NOT NULL, note TEXT
);
CREATE TABLE order_items (
  order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE, line INTEGER NOT NULL,
  product_id INTEGER NOT NULL REFERENCES products (id), quantity INTEGER NOT NULL,
  price_cents INTEGER NOT NULL, discount REAL, PRIMARY KEY (order_id, line)
);
CREATE TABLE payments (
  id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id), method TEXT NOT NULL,
  amount_cents INTEGER NOT NULL, reference BLOB NOT NULL, paid_ms INTEGER NOT NULL
);
CREATE TABLE shipments (
  id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id), carrier TEXT NOT NULL,
  weight_kg REAL, sent_at DATETIME NOT NULL, arrived_at DATETIME
);
CREATE TABLE reviews (
  id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products (id),
  customer_id INTEGER REFERENCES customers (id), stars TINYINT NOT NULL, title TEXT, body TEXT
);
CREATE TABLE coupons (
  code TEXT PRIMARY KEY, percent REAL NOT NULL, valid_until DATE, uses INTEGER
);
CREATE TABLE exchange_rates (
  day DATE NOT NULL, currency CHAR(3) NOT NULL, rate DOUBLE NOT NULL, PRIMARY KEY (day, currency)
);
CREATE TABLE settings (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE access_log (at DATETIME, path TEXT, status INTEGER, milliseconds REAL, address TEXT);
CREATE TABLE returns (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders (id), reason TEXT);
