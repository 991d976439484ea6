-- a day's payments in one direction that are large, and large against the customer's own habit: her largest day
WITH
moved AS (
    SELECT ordinal, booked_on, amount
    FROM "transaction"
    WHERE
        booked_on > $habit_from AND booked_on <= $as_of AND direction = $direction
        AND category NOT IN ('own_transfer', 'purchase', 'redemption', 'maturity')
),
large AS (
    SELECT ordinal, booked_on, sum(amount)::BIGINT AS value, count(*)::INTEGER AS n
    FROM moved WHERE booked_on > $since GROUP BY ordinal, booked_on HAVING sum(amount) >= $floor
),
habits AS (
    SELECT ordinal, avg(amount)::BIGINT AS habit
    FROM (
        SELECT ordinal, booked_on, sum(amount) AS amount
        FROM moved SEMI JOIN large USING (ordinal) WHERE booked_on <= $since GROUP BY ordinal, booked_on
    )
    GROUP BY ordinal
)
SELECT l.ordinal, l.booked_on AS "on", l.value, NULL::VARCHAR AS product, l.n, COALESCE(h.habit, 0) AS habit
FROM large l JOIN customer c USING (ordinal) LEFT JOIN habits h USING (ordinal)
WHERE
    l.value * 100 >= COALESCE(h.habit, 0) * $percent
    AND COALESCE(c.status, '') <> 'closed' AND NOT COALESCE(c.is_deceased, false)
QUALIFY row_number() OVER (PARTITION BY l.ordinal ORDER BY l.value DESC, l.booked_on DESC) = 1
ORDER BY l.ordinal
