CREATE INDEX addresses_by_customer ON addresses (customer_id);
CREATE UNIQUE INDEX customers_by_lower_email ON customers (lower(email));
CREATE INDEX products_by_category ON products (category_id, name);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at DESC);
CREATE INDEX orders_open ON orders (placed_at) WHERE status = 'open';
CREATE INDEX items_by_product ON order_items (product_id);
CREATE INDEX payments_by_order ON payments (order_id);
CREATE INDEX reviews_by_product ON reviews (product_id, stars);
CREATE VIEW revenue AS
  SELECT currency, count(*) AS orders, sum(total_cents) / 100.0 AS total
  FROM orders WHERE status <> 'cancelled' GROUP BY currency;
CREATE TRIGGER orders_logged AFTER UPDATE OF status ON orders BEGIN
  INSERT INTO access_log VALUES (datetime('now'), '/orders/' || new.id, 200, NULL, NULL);
END;
