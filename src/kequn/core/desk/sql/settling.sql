-- one row a task: what the data say of her now, and what was placed by family
WITH
now AS (SELECT max(as_of) AS as_of FROM holding WHERE as_of <= $as_of),
held AS (
    SELECT h.ordinal, h.family, h.product_code, h.opened_on, h.balance
    FROM holding h, now SEMI JOIN desk_tasks t ON t.ordinal = h.ordinal
    WHERE h.as_of = now.as_of AND h.balance > 0 AND list_contains($assets, h.family)
),
pictures AS (SELECT DISTINCT as_of FROM holding WHERE as_of BETWEEN $back AND $as_of),
-- the last picture before the matter began, and what she had of the family in it
begun AS (
    SELECT t.id, t.ordinal, t.family, max(p.as_of) AS pictured_on
    FROM desk_tasks t JOIN pictures p ON p.as_of BETWEEN t.base_on - $span AND t.base_on
    WHERE t.rule = 'bought' GROUP BY t.id, t.ordinal, t.family
),
had AS (
    SELECT b.id, b.pictured_on, COALESCE(p.balance, 0) AS base
    FROM begun b LEFT JOIN (
        SELECT b.id, sum(h.balance)::BIGINT AS balance
        FROM begun b JOIN holding h ON h.as_of = b.pictured_on AND h.ordinal = b.ordinal AND h.family = b.family
        WHERE h.as_of BETWEEN $back AND $as_of GROUP BY b.id
    ) p ON p.id = b.id
),
mine AS (
    SELECT
        t.id,
        COALESCE(sum(h.balance) FILTER (WHERE h.opened_on > t.base_on), 0)::BIGINT AS opened,
        -- a position opened between the picture and the beginning is in neither: it was no doing of the task
        GREATEST(
            COALESCE(sum(h.balance) FILTER (WHERE h.opened_on IS NULL OR h.opened_on <= COALESCE(b.pictured_on, t.base_on)), 0)
            - any_value(COALESCE(t.base, b.base)), 0
        )::BIGINT AS grown,
        first(h.product_code ORDER BY h.balance DESC, h.product_code, h.opened_on) FILTER (WHERE h.opened_on > t.base_on) AS newest,
        first(h.opened_on ORDER BY h.balance DESC, h.product_code, h.opened_on) FILTER (WHERE h.opened_on > t.base_on) AS newest_on,
        first(h.product_code ORDER BY h.balance DESC, h.product_code)
            FILTER (WHERE h.opened_on IS NULL OR h.opened_on <= t.base_on) AS older
    FROM desk_tasks t JOIN held h ON h.ordinal = t.ordinal AND h.family = t.family LEFT JOIN had b ON b.id = t.id
    WHERE t.rule = 'bought' GROUP BY t.id
),
bought AS (
    SELECT m.id, [{
        'family': t.family,
        'product': CASE WHEN m.opened >= m.grown THEN m.newest ELSE m.older END,
        'fen': m.opened + m.grown,
        'opened_on': CASE WHEN m.opened >= m.grown THEN m.newest_on END
    }] AS parts
    FROM mine m JOIN desk_tasks t ON t.id = m.id WHERE m.opened + m.grown > 0
),
again AS (
    SELECT
        t.id,
        h.family,
        sum(h.balance)::BIGINT AS fen,
        first(h.product_code ORDER BY h.balance DESC, h.product_code, h.opened_on) AS product,
        first(h.opened_on ORDER BY h.balance DESC, h.product_code, h.opened_on) AS opened_on
    FROM desk_tasks t JOIN held h ON h.ordinal = t.ordinal
    WHERE t.rule = 'kept' AND h.family <> 'demand' AND h.opened_on >= t.base_on GROUP BY t.id, h.family
),
kept AS (
    SELECT a.id, list(
        {'family': a.family, 'product': a.product, 'fen': a.fen, 'opened_on': a.opened_on}
        ORDER BY a.fen DESC, a.family
    ) AS parts
    FROM again a GROUP BY a.id
)
SELECT
    t.id,
    c.ordinal IS NOT NULL AS known,
    COALESCE(c.status = 'closed', false) AS closed,
    COALESCE(c.is_deceased, false) AS died,
    COALESCE(t.rule = 'renewed' AND c.risk_tested_on > t.base_on AND c.risk_expires_on > $as_of, false) AS renewed,
    CASE t.rule WHEN 'kept' THEN t.base_on - 1 ELSE COALESCE(b.pictured_on, t.base_on) END AS since,
    COALESCE(k.parts, g.parts, []) AS parts
FROM desk_tasks t
LEFT JOIN customer c ON c.ordinal = t.ordinal
LEFT JOIN had b ON b.id = t.id
LEFT JOIN bought g ON g.id = t.id
LEFT JOIN kept k ON k.id = t.id
ORDER BY t.id
