SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND NOT COALESCE(demo_age > 20, FALSE)
  AND NOT (
    customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM list_vip
    )
  )
  AND TRUE
  AND NOT FALSE
