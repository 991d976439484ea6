SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      did.customer_id
    FROM (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "kind" = 'view'
      GROUP BY
        customer_id
      HAVING
        COUNT(*) >= 3
    ) AS did
    LEFT JOIN (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "kind" = 'buy'
        AND NOT COALESCE("kind" = 'view', FALSE)
      GROUP BY
        customer_id
    ) AS later
      ON later.customer_id = did.customer_id
    WHERE
      COALESCE(later.last_on, CAST('1000-01-01' AS DATE)) < did.last_on
  )
  AND customer_tags.customer_id IN (
    SELECT
      did.customer_id
    FROM (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
      GROUP BY
        customer_id
    ) AS did
    LEFT JOIN (
      SELECT
        customer_id,
        MAX("contacted_on") AS last_on
      FROM "contact"
      WHERE
        "contacted_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
      GROUP BY
        customer_id
    ) AS later
      ON later.customer_id = did.customer_id
    WHERE
      COALESCE(later.last_on, CAST('1000-01-01' AS DATE)) < did.last_on
  )
