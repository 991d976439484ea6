SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_payroll = TRUE, FALSE)
  AND COALESCE(asset_aum BETWEEN 4000000 AND 4999999, FALSE)
  AND COALESCE(txn_online >= CAST(0.6 AS DOUBLE PRECISION), FALSE)
  AND COALESCE(asset_matures <= CAST('2026-07-30' AS DATE), FALSE)
  AND (
    COALESCE(demo_city IN ('上海', 'O''Brien'), FALSE)
    OR COALESCE(demo_age < -1, FALSE)
  )
  AND NOT COALESCE(demo_city LIKE '%50!%!_%' ESCAPE '!', FALSE)
  AND NOT (
    demo_age IS NULL OR NOT demo_city IS NULL
  )
  AND COALESCE(acct_class && ARRAY['I', 'III'], FALSE)
