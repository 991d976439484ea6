SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "category" = 'payroll'
      AND "at" > CAST('2026-06-01 09:30:00' AS TIMESTAMP)
    GROUP BY
      customer_id
    HAVING
      COUNT(*) >= 2 AND SUM("amount") >= 800050
  )
