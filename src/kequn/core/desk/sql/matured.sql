-- what came free within the last days and was not put into products again: one row a customer and day
WITH
dates AS (SELECT DISTINCT as_of FROM holding WHERE as_of BETWEEN $back AND $as_of),
came AS (
    SELECT
        h.ordinal,
        h.matures_on,
        sum(h.balance)::BIGINT AS value,
        arg_max(h.product_code, h.balance) AS product,
        count(*)::INTEGER AS n
    FROM holding h
    WHERE
        h.as_of BETWEEN $back AND $as_of
        AND h.matures_on > $since AND h.matures_on <= $as_of
        AND list_contains($families, h.family) AND h.balance > 0
        -- the last picture before the day: what was withdrawn earlier did not mature
        AND h.as_of = (SELECT max(d.as_of) FROM dates d WHERE d.as_of < h.matures_on)
    GROUP BY h.ordinal, h.matures_on
),
again AS (
    SELECT m.ordinal, m.matures_on, sum(h.balance)::BIGINT AS kept
    FROM came m JOIN holding h USING (ordinal)
    WHERE
        h.as_of = (SELECT max(as_of) FROM holding WHERE as_of <= $as_of)
        AND h.opened_on >= m.matures_on AND list_contains($assets, h.family) AND h.family <> 'demand'
    GROUP BY m.ordinal, m.matures_on
)
SELECT m.ordinal, m.matures_on AS "on", m.value, m.product, m.n, 0::BIGINT AS habit
FROM came m JOIN customer c USING (ordinal) LEFT JOIN again a ON a.ordinal = m.ordinal AND a.matures_on = m.matures_on
WHERE
    m.value >= $floor
    AND COALESCE(a.kept, 0) * 100 < m.value * $percent
    AND COALESCE(c.status, '') <> 'closed' AND NOT COALESCE(c.is_deceased, false)
ORDER BY m.ordinal, m.matures_on
