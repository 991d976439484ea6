-- whose risk test ends, or ended and was not renewed, among those who hold investments
SELECT
    c.ordinal,
    c.risk_expires_on AS "on",
    sum(h.balance)::BIGINT AS value,
    NULL::VARCHAR AS product,
    count(*)::INTEGER AS n,
    0::BIGINT AS habit
FROM customer c JOIN holding h USING (ordinal)
WHERE
    c.risk_expires_on BETWEEN $since AND $until
    AND h.as_of = (SELECT max(as_of) FROM holding WHERE as_of <= $as_of)
    AND list_contains($families, h.family) AND h.balance > 0
    AND COALESCE(c.status, '') <> 'closed' AND NOT COALESCE(c.is_deceased, false)
GROUP BY c.ordinal, c.risk_expires_on
HAVING sum(h.balance) >= $floor
ORDER BY c.ordinal
