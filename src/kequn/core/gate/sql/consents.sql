-- one row a wanted customer and channel: the latest word. A day without a time is taken to the customer's favour:
-- a grant counts from its morning, a refusal until its night; grants dated after the business date do not count yet.
WITH word AS (
    SELECT ordinal, channel, granted, expires_on,
        epoch_us(given_on::TIMESTAMP + CASE WHEN granted THEN INTERVAL 0 DAY ELSE INTERVAL 86399 SECOND END) AS moment
    FROM gate_ledger
    WHERE purpose = 'marketing' AND (NOT granted OR given_on <= $as_of)
    UNION ALL
    SELECT ordinal, unnest(CASE WHEN channel = 'all' THEN $channels ELSE [channel] END), granted, expires_on,
        epoch_us("at" AT TIME ZONE $zone) AS moment
    FROM gate_changes
)
SELECT ordinal, (list_position($channels, channel) - 1)::TINYINT AS channel, last.granted::TINYINT AS granted, last.expires_on AS expires
FROM (
    SELECT ordinal, channel,
        arg_max(struct_pack(granted := granted, expires_on := expires_on), moment * 2 + (NOT granted)::BIGINT) AS last
    FROM word SEMI JOIN gate_wanted USING (ordinal)
    WHERE channel IN (SELECT unnest($channels))
    GROUP BY ALL
)
