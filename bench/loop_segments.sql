-- The ten segments of the bench by hand, over the table of tags. A missing value fails every test.

SELECT 'recent_buyers', count(*) FROM customers_now WHERE ordinal IN (
    SELECT ordinal FROM "transaction" WHERE category = 'purchase' AND booked_on BETWEEN $as_of - 14 AND $as_of);

SELECT 'seg_car', count(*) FROM customers_now WHERE acct_etc OR txn_spend_auto > 0;

SELECT 'seg_churn', count(*) FROM customers_now WHERE asset_aum_peak_12m >= 1000000 AND (
    txn_large_out OR asset_aum_chg_rate_90d <= -0.3 OR (txn_peer_out_ratio >= 0.7 AND asset_aum_chg_30d < 0));

SELECT 'seg_edge', count(*) FROM customers_now WHERE asset_near_upgrade OR asset_near_downgrade;

SELECT 'seg_genz', count(*) FROM customers_now WHERE demo_age BETWEEN 18 AND 31 AND txn_spend_online >= 0.6;

SELECT 'seg_midclass', count(*) FROM customers_now
WHERE demo_age BETWEEN 30 AND 45 AND asset_tier IN ('T3', 'T4') AND (acct_mortgage OR txn_payroll_avg >= 1500000);

SELECT 'seg_owner', count(*) FROM customers_now WHERE acct_corp_owner OR (acct_merchant AND txn_merchant_vol >= 20000000);

SELECT 'seg_senior', count(*) FROM customers_now WHERE demo_age >= 55 AND acct_pension_payout;

SELECT 'seg_windfall', count(*) FROM customers_now WHERE txn_large_in AND ordinal IN (
    SELECT ordinal FROM "transaction"
    WHERE direction = 'in' AND is_external AND amount >= 50000000 AND booked_on BETWEEN $as_of - 2 AND $as_of);

SELECT 'wealth_ready', count(*) FROM customers_now
WHERE (acct_payroll OR asset_maturity_30d >= 1000000 OR asset_near_upgrade) AND asset_aum_mavg >= 500000 AND demo_age >= 18
    AND NOT coalesce(life_stage IN ('dormant', 'lost', 'deceased'), false);
