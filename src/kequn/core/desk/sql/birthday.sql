-- whose month and day of birth is one of some, of those who have enough with the bank; the year is not read
SELECT
    c.ordinal,
    strftime(c.birth_on, '%m-%d') AS month_day,
    sum(h.balance)::BIGINT AS value
FROM customer c JOIN holding h USING (ordinal)
WHERE
    list_contains($days, strftime(c.birth_on, '%m-%d'))
    AND h.as_of = (SELECT max(as_of) FROM holding WHERE as_of <= $as_of)
    AND list_contains($assets, h.family)
    AND COALESCE(c.status, '') <> 'closed' AND NOT COALESCE(c.is_deceased, false)
GROUP BY c.ordinal, c.birth_on
HAVING sum(h.balance) >= $floor
ORDER BY c.ordinal
