-- what comes free within the coming days: one row a customer and day
SELECT
    h.ordinal,
    h.matures_on AS "on",
    sum(h.balance)::BIGINT AS value,
    arg_max(h.product_code, h.balance) AS product,
    count(*)::INTEGER AS n,
    0::BIGINT AS habit
FROM holding h JOIN customer c USING (ordinal)
WHERE
    h.as_of = (SELECT max(as_of) FROM holding WHERE as_of <= $as_of)
    AND h.matures_on > $as_of AND h.matures_on <= $until
    AND list_contains($families, h.family) AND h.balance > 0
    AND COALESCE(c.status, '') <> 'closed' AND NOT COALESCE(c.is_deceased, false)
GROUP BY h.ordinal, h.matures_on
HAVING sum(h.balance) >= $floor
ORDER BY h.ordinal, h.matures_on
