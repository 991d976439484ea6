-- one row a wanted customer with a loan or card at the latest date of the holdings: 1 overdue, 0 not, -1 not known
SELECT
    ordinal,
    CASE WHEN bool_or(overdue_days > 0) THEN 1 WHEN bool_or(overdue_days IS NULL) THEN -1 ELSE 0 END::TINYINT AS overdue
FROM holding SEMI JOIN gate_wanted USING (ordinal)
WHERE as_of = $latest
    AND (family IN ('mortgage', 'consumer_loan', 'biz_loan', 'credit_card') OR overdue_days > 0)
GROUP BY ordinal
