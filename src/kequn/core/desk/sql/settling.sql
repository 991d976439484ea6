-- one row a task: what the data say of her now
WITH
now AS (SELECT max(as_of) AS as_of FROM holding WHERE as_of <= $as_of),
held AS (
    SELECT h.ordinal, h.family, h.product_code, h.opened_on, h.balance
    FROM holding h, now SEMI JOIN desk_tasks t ON t.ordinal = h.ordinal
    WHERE h.as_of = now.as_of AND h.balance > 0 AND list_contains($assets, h.family)
),
bought AS (
    SELECT
        t.id,
        sum(h.balance) FILTER (WHERE h.opened_on > t.base_on)::BIGINT AS opened,
        sum(h.balance)::BIGINT AS held,
        first(h.product_code ORDER BY h.balance DESC, h.product_code) FILTER (WHERE h.opened_on > t.base_on) AS opened_product,
        first(h.product_code ORDER BY h.balance DESC, h.product_code) AS held_product
    FROM desk_tasks t JOIN held h ON h.ordinal = t.ordinal AND h.family = t.family
    WHERE t.rule = 'bought' GROUP BY t.id
),
kept AS (
    SELECT t.id, sum(h.balance)::BIGINT AS opened,
        first(h.product_code ORDER BY h.balance DESC, h.product_code) AS product,
        first(h.family ORDER BY h.balance DESC, h.product_code) AS family
    FROM desk_tasks t JOIN held h ON h.ordinal = t.ordinal
    WHERE t.rule = 'kept' AND h.family <> 'demand' AND h.opened_on >= t.base_on GROUP BY t.id
)
SELECT
    t.id,
    c.ordinal IS NOT NULL AS known,
    COALESCE(c.status = 'closed', false) AS closed,
    COALESCE(c.is_deceased, false) AS died,
    COALESCE(t.rule = 'renewed' AND c.risk_tested_on > t.base_on AND c.risk_expires_on > $as_of, false) AS renewed,
    CASE t.rule
        WHEN 'kept' THEN COALESCE(k.opened, 0)
        WHEN 'bought' THEN greatest(COALESCE(b.opened, 0), COALESCE(b.held, 0) - t.base)
        ELSE 0
    END::BIGINT AS amount,
    COALESCE(k.product, b.opened_product, b.held_product, '') AS product,
    COALESCE(k.family, t.family, '') AS family
FROM desk_tasks t
LEFT JOIN customer c ON c.ordinal = t.ordinal
LEFT JOIN bought b ON b.id = t.id
LEFT JOIN kept k ON k.id = t.id
ORDER BY t.id
