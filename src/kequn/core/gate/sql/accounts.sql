-- one row a wanted customer with an account that opens a channel
SELECT
    ordinal,
    bool_or(kind = 'wecom')::TINYINT AS wecom,
    bool_or(kind = 'mobile_bank')::TINYINT AS app_push
FROM account SEMI JOIN gate_wanted USING (ordinal)
WHERE kind IN ('wecom', 'mobile_bank') AND status IS DISTINCT FROM 'closed' AND status IS DISTINCT FROM 'frozen'
    AND (closed_on IS NULL OR closed_on > $as_of)
GROUP BY ordinal
