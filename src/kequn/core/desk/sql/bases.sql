-- what each customer has in each family at the latest date
SELECT h.ordinal, h.family, sum(h.balance)::BIGINT AS balance
FROM holding h SEMI JOIN desk_wanted w USING (ordinal)
WHERE h.as_of = (SELECT max(as_of) FROM holding WHERE as_of <= $as_of)
GROUP BY h.ordinal, h.family
