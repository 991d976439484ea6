-- one row a wanted customer who ever complained
SELECT ordinal, max(happened_on) AS last_on, bool_or(status IS DISTINCT FROM 'closed')::TINYINT AS open
FROM service SEMI JOIN gate_wanted USING (ordinal)
WHERE kind = 'complaint'
GROUP BY ordinal
