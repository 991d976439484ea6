-- of some customers, those who have enough with the bank, with how much
SELECT w.ordinal, sum(h.balance)::BIGINT AS value
FROM desk_wanted w JOIN customer c USING (ordinal) JOIN holding h USING (ordinal)
WHERE
    h.as_of = (SELECT max(as_of) FROM holding WHERE as_of <= $as_of)
    AND list_contains($assets, h.family)
    AND COALESCE(c.status, '') <> 'closed' AND NOT COALESCE(c.is_deceased, false)
GROUP BY w.ordinal
HAVING sum(h.balance) >= $floor
ORDER BY w.ordinal
