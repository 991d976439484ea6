-- The catalogue's tags by hand: one grouped query a table, then the values. $as_of is the business date, a month end.

CREATE MACRO ranked(counts) AS list_transform(list_sort(list_transform(map_entries(counts),
    lambda e: {'n': -CAST(e.value AS BIGINT), 'k': e.key})), lambda e: e.k);

CREATE MACRO tier_of(x) AS CASE WHEN x >= 3000000000 THEN 6 WHEN x >= 600000000 THEN 5 WHEN x >= 100000000 THEN 4
    WHEN x >= 20000000 THEN 3 WHEN x >= 5000000 THEN 2 WHEN x >= 10000 THEN 1 ELSE 0 END;

CREATE TABLE ends AS
SELECT (SELECT max(as_of) FROM holding WHERE as_of <= $as_of) AS latest,
    (SELECT min(as_of) FROM holding) AS first,
    (SELECT max(as_of) FROM holding WHERE as_of <= $as_of - 30) AS before_30,
    (SELECT max(as_of) FROM holding WHERE as_of <= $as_of - 90) AS before_90;

CREATE TABLE acc AS
SELECT ordinal,
    list(DISTINCT class ORDER BY class) FILTER (kind = 'debit' AND class IS NOT NULL) AS acct_class,
    bool_or(kind = 'personal_pension') AS acct_personal_pension,
    bool_or(kind = 'social_card') AS acct_social_card,
    bool_or(kind = 'custody') AS acct_third_custody,
    bool_or(kind = 'etc') AS acct_etc,
    bool_or(kind = 'credit_card') AS acct_credit_card,
    bool_or(kind = 'mobile_bank') AS acct_mobile_bank,
    bool_or(kind = 'wecom') AS acct_wecom,
    bool_or(kind = 'public_account') AS acct_wx_follow,
    list(DISTINCT detail ORDER BY detail) FILTER (kind = 'quick_pay' AND detail IS NOT NULL) AS acct_quickpay,
    list(DISTINCT detail ORDER BY detail) FILTER (kind = 'auto_pay' AND detail IS NOT NULL) AS acct_autopay,
    bool_or(kind = 'corporate_owner') AS acct_corp_owner,
    sum(credit_limit) FILTER (kind = 'credit_card') AS cc_limit,
    min(opened_on) FILTER (kind = 'credit_card') AS card_since,
    bool_or(kind = 'credit_card' AND fee_due_on BETWEEN $as_of AND $as_of + 30) AS cc_fee_due
FROM account
WHERE opened_on <= $as_of AND (closed_on > $as_of OR (closed_on IS NULL AND status IS DISTINCT FROM 'closed'))
GROUP BY ordinal;

CREATE TABLE held AS
WITH h AS (
    SELECT h.*, p.is_equity, p.yearly_margin,
        h.family IN ('demand', 'time', 'cd', 'wmp', 'fund', 'insurance', 'bond', 'gold', 'trust', 'pension') AS asset
    FROM holding h LEFT JOIN product p USING (product_code) WHERE h.as_of = (SELECT latest FROM ends)
)
SELECT ordinal,
    sum(balance) FILTER (asset) AS asset_aum_eod, sum(month_average) FILTER (asset) AS asset_aum_mavg,
    sum(balance) FILTER (family = 'demand') AS asset_demand, sum(balance) FILTER (family = 'time') AS asset_time,
    sum(balance) FILTER (family = 'cd') AS asset_cd, sum(balance) FILTER (family = 'wmp') AS asset_wmp,
    sum(balance) FILTER (family = 'fund') AS asset_fund, sum(balance) FILTER (family = 'insurance') AS asset_insurance,
    sum(balance) FILTER (family = 'bond') AS asset_bond, sum(balance) FILTER (family = 'gold') AS asset_gold,
    sum(balance) FILTER (family = 'trust') AS asset_trust,
    count(*) FILTER (asset AND balance > 0) AS asset_product_cnt,
    count(DISTINCT family) FILTER (asset AND balance > 0) AS asset_category_cnt,
    sum(CASE WHEN is_equity THEN balance ELSE 0 END) FILTER (asset) AS equity,
    sum(balance - cost) FILTER (asset AND cost IS NOT NULL) AS asset_pnl,
    sum(balance) FILTER (asset AND matures_on BETWEEN $as_of AND $as_of + 30) AS asset_maturity_30d,
    min(matures_on) FILTER (asset AND balance > 0 AND matures_on >= $as_of) AS asset_maturity_next,
    sum(balance) FILTER (family IN ('mortgage', 'consumer_loan', 'biz_loan')) AS loan_balance,
    sum(balance) FILTER (family = 'mortgage') AS loan_mortgage_bal,
    max(balance) FILTER (family = 'mortgage') > 0 AS acct_mortgage,
    sum(greatest(credit_limit - balance, 0)) FILTER (family IN ('consumer_loan', 'biz_loan') AND credit_limit IS NOT NULL)
        AS loan_limit_unused,
    arg_max(repay_day, balance::HUGEINT * 100 - repay_day)
        FILTER (family IN ('mortgage', 'consumer_loan', 'biz_loan') AND repay_day IS NOT NULL AND balance > 0) AS loan_repay_day,
    max(overdue_days) FILTER (family IN ('mortgage', 'consumer_loan', 'biz_loan', 'credit_card')) > 0 AS loan_overdue,
    sum(balance) FILTER (family = 'credit_card' AND credit_limit IS NOT NULL) AS card_balance,
    sum(credit_limit) FILTER (family = 'credit_card') AS card_limit,
    bool_or(has_instalment) FILTER (family = 'credit_card') AS cc_installment,
    list(DISTINCT CASE WHEN is_equity THEN 'equity' WHEN family = 'fund' THEN 'mixed' WHEN family = 'insurance' THEN 'insurance'
        WHEN family = 'gold' THEN 'gold' ELSE 'fixed' END ORDER BY CASE WHEN is_equity THEN 'equity' WHEN family = 'fund' THEN 'mixed'
        WHEN family = 'insurance' THEN 'insurance' WHEN family = 'gold' THEN 'gold' ELSE 'fixed' END)
        FILTER (balance > 0 AND family IN ('wmp', 'fund', 'insurance', 'gold', 'bond', 'trust')) AS mkt_invest_pref,
    list(DISTINCT CASE family WHEN 'consumer_loan' THEN 'consumer' WHEN 'biz_loan' THEN 'business' WHEN 'mortgage' THEN 'mortgage'
        ELSE 'instalment' END ORDER BY CASE family WHEN 'consumer_loan' THEN 'consumer' WHEN 'biz_loan' THEN 'business'
        WHEN 'mortgage' THEN 'mortgage' ELSE 'instalment' END)
        FILTER (balance > 0 AND (family IN ('consumer_loan', 'biz_loan', 'mortgage') OR (family = 'credit_card' AND has_instalment)))
        AS mkt_finance_pref,
    sum(balance * yearly_margin) AS value_contrib
FROM h GROUP BY ordinal;

CREATE TABLE months AS
WITH h AS (
    SELECT *, coalesce(cost, balance) AS principal,
        (year($as_of) - year(as_of)) * 12 + month($as_of) - month(as_of) AS ago
    FROM holding
    WHERE as_of <= $as_of AND family IN ('demand', 'time', 'cd', 'wmp', 'fund', 'insurance', 'bond', 'gold', 'trust', 'pension')
)
SELECT ordinal,
    sum(month_average * day(as_of)) FILTER (date_trunc('quarter', as_of) = date_trunc('quarter', latest)) AS quarter_sum,
    sum(month_average * day(as_of)) FILTER (year(as_of) = year(latest)) AS year_sum,
    [coalesce(sum(month_average) FILTER (ago = 12), 0), coalesce(sum(month_average) FILTER (ago = 11), 0),
     coalesce(sum(month_average) FILTER (ago = 10), 0), coalesce(sum(month_average) FILTER (ago = 9), 0),
     coalesce(sum(month_average) FILTER (ago = 8), 0), coalesce(sum(month_average) FILTER (ago = 7), 0),
     coalesce(sum(month_average) FILTER (ago = 6), 0), coalesce(sum(month_average) FILTER (ago = 5), 0),
     coalesce(sum(month_average) FILTER (ago = 4), 0), coalesce(sum(month_average) FILTER (ago = 3), 0),
     coalesce(sum(month_average) FILTER (ago = 2), 0), coalesce(sum(month_average) FILTER (ago = 1), 0),
     coalesce(sum(month_average) FILTER (ago = 0), 0)] AS by_month,
    count(*) FILTER (as_of IN (latest, before_30)) AS rows_30,
    coalesce(sum(principal) FILTER (as_of = latest), 0) AS principal_now,
    coalesce(sum(principal) FILTER (as_of = before_30), 0) AS principal_30,
    coalesce(sum(principal) FILTER (as_of = before_90), 0) AS principal_90
FROM h, ends GROUP BY ordinal;

CREATE TABLE txn AS
WITH t AS (
    SELECT t.*, booked_on > $as_of - 3 AS d3, booked_on > $as_of - 30 AS d30, booked_on > $as_of - 31 AS d31,
        booked_on > $as_of - 90 AS d90, booked_on > $as_of - 180 AS d180, booked_on > $as_of - 183 AS d183,
        booked_on > $as_of - 365 AS d365, direction = 'in' AS came,
        category = 'consumption' AND direction = 'out' AS spent, p.family = 'credit_card' AS carded
    FROM "transaction" t LEFT JOIN product p USING (product_code) WHERE booked_on <= $as_of AND booked_on > $as_of - 730
)
SELECT ordinal,
    count_if(d180 AND category = 'payroll') > 0 OR (count_if(d180 AND came) >= 18 AND count_if(d180 AND NOT came) >= 60)
        AS acct_main_bank,
    count_if(d90 AND category = 'payroll' AND came) >= 2 AS acct_payroll,
    count_if(d90 AND category = 'pension' AND came) >= 2 AS acct_pension_payout,
    bool_or(d90 AND category = 'merchant_receipt' AND came) AS acct_merchant,
    sum(amount) FILTER (d30 AND spent AND carded) AS cc_spend_30d,
    count_if(d90 AND spent AND carded) AS cc_txn_90d,
    $as_of - max(booked_on) FILTER (is_initiated) AS txn_recency,
    count_if(d90 AND is_initiated) AS txn_freq_90d,
    count_if(d180 AND NOT d90 AND is_initiated) AS freq_before,
    sum(amount) FILTER (d90 AND is_initiated) AS txn_amt_90d,
    sum(amount) FILTER (d30 AND came AND is_external) AS txn_inflow_30d,
    sum(amount) FILTER (d30 AND NOT came AND is_external) AS txn_outflow_30d,
    sum(amount) FILTER (d90 AND NOT came AND is_external) AS out_90,
    coalesce(sum(amount) FILTER (d90 AND NOT came AND is_external AND category = 'own_transfer'), 0) AS own_out_90,
    max(amount) FILTER (d3 AND came AND is_external)
        >= greatest(5000000, 3 * coalesce(avg(amount) FILTER (d183 AND NOT d3 AND came AND is_external), 0)) AS txn_large_in,
    max(amount) FILTER (d3 AND NOT came AND is_external) AS txn_out_max_3d,
    ranked(histogram(day(booked_on)) FILTER (d183 AND category = 'payroll' AND came))[1] AS txn_payday,
    sum(amount) FILTER (d183 AND category = 'payroll' AND came)
        / count(DISTINCT year(booked_on) * 12 + month(booked_on)) FILTER (d183 AND category = 'payroll' AND came) AS txn_payroll_avg,
    sum(amount) FILTER (d31 AND category = 'payroll' AND came) AS pay_31,
    coalesce(sum(amount) FILTER (d31 AND NOT came AND is_external), 0) AS out_31,
    arg_max(month(booked_on), amount::HUGEINT * 100000 + (booked_on - DATE '2000-01-01'))
        FILTER (d365 AND category = 'bonus' AND came) AS txn_bonus_month,
    sum(amount) FILTER (d365 AND came AND is_external AND category NOT IN ('payroll', 'pension', 'bonus')) AS in_365,
    sum(amount) FILTER (d365 AND came AND is_external AND category NOT IN ('payroll', 'pension', 'bonus')
        AND month(booked_on) IN (12, 1)) AS in_year_end,
    sum(amount) FILTER (d365 AND came AND is_external AND category NOT IN ('payroll', 'pension', 'bonus')
        AND month(booked_on) IN (3, 6, 9, 12) AND day(booked_on) >= 20) AS in_quarter_end,
    count(DISTINCT booked_on) FILTER (d365 AND came AND is_external AND category NOT IN ('payroll', 'pension', 'bonus')) AS in_days,
    ranked(histogram(mcc) FILTER (d180 AND spent AND mcc IS NOT NULL))[1:3] AS txn_mcc_top,
    sum(amount) FILTER (d180 AND spent AND mcc IN ('8211', '8220', '8241', '8244', '8249', '8299')) AS txn_spend_edu,
    sum(amount) FILTER (d180 AND spent AND mcc IN ('5641', '5945')) AS txn_spend_baby,
    sum(amount) FILTER (d180 AND spent AND mcc IN ('5511', '5531', '5532', '5533', '5541', '5542', '7531', '7538', '7542'))
        AS txn_spend_auto,
    sum(amount) FILTER (d180 AND spent AND (mcc IN ('4112', '4411', '4511', '4722', '7011') OR mcc BETWEEN '3000' AND '3999'))
        AS txn_spend_travel,
    sum(amount) FILTER (d180 AND spent) AS spent_180,
    coalesce(sum(amount) FILTER (d180 AND spent AND is_online), 0) AS online_180,
    bool_or(d180 AND is_foreign) AS txn_cross_border,
    sum(CASE WHEN came THEN amount ELSE -amount END) FILTER (d30 AND category = 'broker') AS txn_broker_net,
    sum(amount) FILTER (d30 AND category = 'merchant_receipt' AND came) AS txn_merchant_vol,
    count(DISTINCT booked_on) FILTER (d30 AND category = 'merchant_receipt' AND came) AS txn_merchant_days,
    max(booked_on) FILTER (category = 'purchase') AS mkt_last_purchase
FROM t GROUP BY ordinal;

CREATE TABLE ev AS
WITH e AS (SELECT *, happened_on > $as_of - 7 AS d7, happened_on > $as_of - 30 AS d30, happened_on > $as_of - 90 AS d90
    FROM event WHERE happened_on <= $as_of AND happened_on > $as_of - 730)
SELECT ordinal,
    bool_or(happened_on > $as_of - 31 AND date_trunc('month', happened_on) = date_trunc('month', $as_of) AND channel = 'app') AS chan_mau,
    max(happened_on) FILTER (kind = 'login') AS chan_last_login,
    count(DISTINCT happened_on) FILTER (d30 AND kind = 'login') AS chan_login_days_30d,
    count_if(d90 AND kind = 'branch_visit') AS chan_branch_90d,
    count_if(d7 AND kind = 'view_wmp') AS chan_view_wmp_7d, count_if(d7 AND kind = 'view_fund') AS chan_view_fund_7d,
    count_if(d7 AND kind = 'view_loan') AS chan_view_loan_7d, count_if(d7 AND kind = 'view_insurance') AS chan_view_ins_7d,
    max(happened_on) FILTER (happened_on > $as_of - 31 AND kind = 'purchase_confirm') AS chan_last_confirm,
    bool_or(d30 AND kind = 'wecom_message') AS chan_wecom_active,
    count_if(d90 AND kind = 'live') AS chan_live
FROM e GROUP BY ordinal;

CREATE TABLE ct AS
WITH c AS (SELECT *, coalesce(responded, false) AND coalesce(responded_on, contacted_on) <= $as_of AS hit,
    contacted_on > $as_of - 30 AS d30, contacted_on > $as_of - 180 AS d180, contacted_on > $as_of - 365 AS d365
    FROM contact WHERE contacted_on <= $as_of AND contacted_on > $as_of - 730)
SELECT ordinal,
    histogram(channel) FILTER (d180) AS tries, histogram(channel) FILTER (d180 AND hit) AS hits,
    ranked(histogram(response_hour) FILTER (d180 AND hit AND response_hour IS NOT NULL))[1] AS chan_pref_hour,
    count_if(d180 AND channel = 'sms') AS sms, count_if(d180 AND channel = 'sms' AND hit) AS sms_hit,
    count_if(d365 AND channel = 'call') AS calls,
    count_if(d365 AND channel = 'call' AND outcome IN ('answered', 'refused', 'interested')) AS answered,
    max(contacted_on) FILTER (purpose = 'marketing') AS mkt_last_contact,
    count_if(d30 AND purpose = 'marketing') AS mkt_contacts_30d,
    count_if(d180 AND purpose = 'marketing') AS asked, count_if(d180 AND purpose = 'marketing' AND hit) AS asked_hit,
    ranked(histogram(benefit) FILTER (hit AND benefit IS NOT NULL))[1] AS mkt_offer_pref
FROM c GROUP BY ordinal;

CREATE TABLE sv AS
SELECT ordinal, bool_or(kind = 'complaint') AS risk_complaint_90d FROM service
WHERE happened_on <= $as_of AND happened_on > $as_of - 90 GROUP BY ordinal;

CREATE TABLE cs AS
WITH c AS (SELECT *, granted AND (expires_on IS NULL OR expires_on >= $as_of) AS holds
    FROM consent WHERE given_on <= $as_of AND purpose = 'marketing')
SELECT ordinal,
    arg_max(holds, given_on) FILTER (channel = 'sms') AS mkt_consent_sms, arg_max(holds, given_on) FILTER (channel = 'call') AS mkt_consent_call,
    arg_max(holds, given_on) FILTER (channel = 'app_push') AS mkt_consent_push,
    arg_max(holds, given_on) FILTER (channel = 'email') AS mkt_consent_email,
    arg_max(holds, given_on) FILTER (channel = 'wecom') AS mkt_consent_wecom,
    max(given_on) FILTER (NOT granted) AS mkt_optout_at
FROM c GROUP BY ordinal;

CREATE TABLE walked AS
SELECT ordinal, list_reduce(list_prepend(0::BIGINT, list_transform(by_month, lambda x, i:
        10 * tier_of(x) + list_max(list_transform(by_month[greatest(1, i - 6):i], lambda y: tier_of(y))))),
    lambda held, m: CASE WHEN m // 10 >= held // 10 THEN 10 * (m // 10) WHEN held % 10 < 6 THEN held + 1
        ELSE 10 * (m % 10) + CASE WHEN m // 10 < m % 10 THEN 1 ELSE 0 END END) AS state
FROM months;

CREATE TABLE base AS
SELECT c.ordinal, c.opened_on <= $as_of AND CASE WHEN closed_on IS NULL THEN status IS DISTINCT FROM 'closed' ELSE closed_on > $as_of END AS present,
    year($as_of) - year(birth_on) - (month($as_of) * 100 + day($as_of) < month(birth_on) * 100 + day(birth_on))::INT AS demo_age,
    gender AS demo_gender, city AS demo_city, area_type AS demo_area_type, marital AS demo_marital, has_child AS demo_has_child,
    child_stage AS demo_child_stage, education AS demo_education, occupation AS demo_occupation, industry AS demo_industry,
    employer_type AS demo_employer_type, strftime(birth_on, '%m-%d') AS demo_birthday_md, resident_type AS demo_resident_type,
    coalesce(gender IS NOT NULL AND birth_on IS NOT NULL AND occupation IS NOT NULL AND city IS NOT NULL
        AND document_expires_on >= $as_of, false) AS demo_kyc_complete,
    household_no::VARCHAR AS demo_household_id,
    $as_of - opened_on AS acct_tenure_days, coalesce(acct_main_bank, false) AS acct_main_bank, branch_code AS acct_branch,
    rm_no AS acct_rm_id, rm_no IS NOT NULL AS acct_managed,
    CASE WHEN is_deceased THEN 'deceased' WHEN closed_on <= $as_of THEN 'closed' WHEN status = 'closed' AND closed_on > $as_of THEN 'active'
        ELSE status END AS acct_status,
    coalesce(acct_payroll, false) AS acct_payroll, employer_no::VARCHAR AS acct_payroll_corp,
    coalesce(acct_pension_payout, false) AS acct_pension_payout, acct_class, acct_quickpay, acct_autopay,
    coalesce(acct_personal_pension, false) AS acct_personal_pension, coalesce(acct_social_card, false) AS acct_social_card,
    coalesce(acct_third_custody, false) AS acct_third_custody, coalesce(acct_etc, false) AS acct_etc,
    coalesce(acct_credit_card, false) AS acct_credit_card, coalesce(acct_mobile_bank, false) AS acct_mobile_bank,
    coalesce(acct_wecom, false) AS acct_wecom, coalesce(acct_wx_follow, false) AS acct_wx_follow,
    coalesce(acct_merchant, false) AS acct_merchant, coalesce(acct_corp_owner, false) AS acct_corp_owner,
    coalesce(acct_mortgage, false) AS acct_mortgage,
    coalesce(asset_aum_eod, 0)::BIGINT AS asset_aum_eod, coalesce(asset_aum_mavg, 0)::BIGINT AS asset_aum_mavg,
    coalesce(round(quarter_sum / (latest - greatest(date_trunc('quarter', latest)::DATE, date_trunc('month', first)::DATE) + 1)), 0)::BIGINT AS asset_aum_qavg,
    coalesce(round(year_sum / (latest - greatest(date_trunc('year', latest)::DATE, date_trunc('month', first)::DATE) + 1)), 0)::BIGINT AS asset_aum_yavg,
    coalesce(list_max(by_month[2:13]), 0)::BIGINT AS asset_aum_peak_12m,
    CASE WHEN rows_30 > 0 AND first <= $as_of - 30 THEN principal_now - principal_30 END::BIGINT AS asset_aum_chg_30d,
    CASE WHEN first <= $as_of - 90 AND principal_90 >= 100000 THEN principal_now / principal_90 - 1 END AS asset_aum_chg_rate_90d,
    coalesce(state // 10, 0) AS asset_tier_level, coalesce(state % 10, 0) AS asset_tier_unmet,
    coalesce(asset_demand, 0)::BIGINT AS asset_demand, coalesce(asset_time, 0)::BIGINT AS asset_time, coalesce(asset_cd, 0)::BIGINT AS asset_cd,
    coalesce(asset_wmp, 0)::BIGINT AS asset_wmp, coalesce(asset_fund, 0)::BIGINT AS asset_fund,
    coalesce(asset_insurance, 0)::BIGINT AS asset_insurance, coalesce(asset_bond, 0)::BIGINT AS asset_bond,
    coalesce(asset_gold, 0)::BIGINT AS asset_gold, coalesce(asset_trust, 0)::BIGINT AS asset_trust,
    coalesce(asset_product_cnt, 0) AS asset_product_cnt, coalesce(asset_category_cnt, 0) AS asset_category_cnt,
    equity::DOUBLE / nullif(asset_aum_eod, 0) AS asset_equity_ratio, asset_pnl::BIGINT AS asset_pnl,
    coalesce(asset_maturity_30d, 0)::BIGINT AS asset_maturity_30d, asset_maturity_next,
    coalesce(loan_balance, 0)::BIGINT AS loan_balance, coalesce(loan_mortgage_bal, 0)::BIGINT AS loan_mortgage_bal,
    coalesce(loan_limit_unused, 0)::BIGINT AS loan_limit_unused, loan_repay_day::BIGINT AS loan_repay_day,
    coalesce(loan_overdue, false) AS loan_overdue, cc_limit::BIGINT AS cc_limit,
    card_balance::DOUBLE / nullif(card_limit, 0) AS cc_utilization, coalesce(cc_installment, false) AS cc_installment,
    coalesce(cc_spend_30d, 0)::BIGINT AS cc_spend_30d,
    (year($as_of) - year(card_since)) * 12 + month($as_of) - month(card_since) - (day($as_of) < day(card_since))::INT AS cc_mob,
    coalesce(cc_txn_90d, 0)::BIGINT AS cc_txn_90d, coalesce(cc_fee_due, false) AS cc_fee_due,
    txn_recency, coalesce(txn_freq_90d, 0)::BIGINT AS txn_freq_90d,
    CASE WHEN freq_before >= 5 THEN txn_freq_90d::DOUBLE / freq_before - 1 END AS txn_freq_chg_90d,
    coalesce(txn_amt_90d, 0)::BIGINT AS txn_amt_90d, coalesce(txn_inflow_30d, 0)::BIGINT AS txn_inflow_30d,
    coalesce(txn_outflow_30d, 0)::BIGINT AS txn_outflow_30d, own_out_90::DOUBLE / nullif(out_90, 0) AS txn_peer_out_ratio,
    coalesce(txn_large_in, false) AS txn_large_in, coalesce(txn_out_max_3d, 0) AS txn_out_max_3d, txn_payday,
    round(txn_payroll_avg)::BIGINT AS txn_payroll_avg,
    CASE WHEN pay_31 > 0 THEN greatest(0, 1 - out_31::DOUBLE / pay_31) END AS txn_payroll_retention, txn_bonus_month,
    CASE WHEN in_365 IS NULL THEN NULL WHEN coalesce(in_year_end, 0) >= 0.4 * in_365 THEN 'year_end'
        WHEN coalesce(in_quarter_end, 0) >= 0.5 * in_365 THEN 'quarter_end' WHEN in_days >= 200 THEN 'daily'
        WHEN in_days >= 40 THEN 'weekly' WHEN in_days >= 6 THEN 'monthly' END AS txn_inflow_cycle,
    txn_mcc_top, coalesce(txn_spend_edu, 0)::BIGINT AS txn_spend_edu, coalesce(txn_spend_baby, 0)::BIGINT AS txn_spend_baby,
    coalesce(txn_spend_auto, 0)::BIGINT AS txn_spend_auto, coalesce(txn_spend_travel, 0)::BIGINT AS txn_spend_travel,
    online_180::DOUBLE / nullif(spent_180, 0) AS txn_spend_online, coalesce(txn_cross_border, false) AS txn_cross_border,
    coalesce(txn_broker_net, 0)::BIGINT AS txn_broker_net, coalesce(txn_merchant_vol, 0)::BIGINT AS txn_merchant_vol,
    coalesce(txn_merchant_days, 0) AS txn_merchant_days,
    coalesce(chan_mau, false) AS chan_mau, chan_last_login, coalesce(chan_login_days_30d, 0) AS chan_login_days_30d,
    CASE WHEN hits IS NOT NULL THEN list_sort(list_transform(map_entries(tries), lambda e:
        {'r': -(coalesce(hits[e.key], 0) + 1)::DOUBLE / (e.value + 20), 'k': e.key}))[1].k END AS chan_pref,
    chan_pref_hour, coalesce(chan_branch_90d, 0)::BIGINT AS chan_branch_90d, coalesce(chan_view_wmp_7d, 0)::BIGINT AS chan_view_wmp_7d,
    coalesce(chan_view_fund_7d, 0)::BIGINT AS chan_view_fund_7d, coalesce(chan_view_loan_7d, 0)::BIGINT AS chan_view_loan_7d,
    coalesce(chan_view_ins_7d, 0)::BIGINT AS chan_view_ins_7d, chan_last_confirm,
    CASE WHEN sms > 0 THEN (sms_hit + 1) / (sms + 20)::DOUBLE END AS chan_sms_ctr,
    CASE WHEN calls > 0 THEN (answered + 3) / (calls + 10)::DOUBLE END AS chan_call_answer,
    coalesce(chan_wecom_active, false) AS chan_wecom_active, coalesce(chan_live, 0)::BIGINT AS chan_live,
    CASE WHEN risk_tested_on <= $as_of THEN 'C' || risk_level END AS risk_c_level,
    CASE WHEN risk_tested_on <= $as_of THEN risk_expires_on END AS risk_c_expire, is_suppressed AS risk_suppress,
    coalesce(risk_complaint_90d, false) AS risk_complaint_90d, is_staff AS risk_staff_related, is_vulnerable AS risk_vulnerable,
    mkt_consent_sms, mkt_consent_call, mkt_consent_push, mkt_consent_email, mkt_consent_wecom,
    personalisation_off AS mkt_personal_off, mkt_optout_at, mkt_last_contact, coalesce(mkt_contacts_30d, 0)::BIGINT AS mkt_contacts_30d,
    CASE WHEN asked > 0 THEN (asked_hit + 1) / (asked + 20)::DOUBLE END AS mkt_resp_180d, mkt_offer_pref, mkt_invest_pref,
    mkt_finance_pref, mkt_last_purchase, coalesce(round(value_contrib), 0)::BIGINT AS value_contrib
FROM customer c CROSS JOIN ends LEFT JOIN acc USING (ordinal) LEFT JOIN held USING (ordinal) LEFT JOIN months USING (ordinal)
    LEFT JOIN walked USING (ordinal) LEFT JOIN txn USING (ordinal) LEFT JOIN ev USING (ordinal) LEFT JOIN ct USING (ordinal)
    LEFT JOIN sv USING (ordinal) LEFT JOIN cs USING (ordinal);

CREATE TABLE tags AS
WITH one AS (
    SELECT *,
        CASE WHEN demo_age < 18 THEN '<18' WHEN demo_age < 25 THEN '18-24' WHEN demo_age < 35 THEN '25-34' WHEN demo_age < 45 THEN '35-44'
            WHEN demo_age < 55 THEN '45-54' WHEN demo_age < 65 THEN '55-64' WHEN demo_age >= 65 THEN '65+' END AS demo_age_band,
        CASE WHEN txn_payroll_avg < 300000 THEN '<3k' WHEN txn_payroll_avg < 500000 THEN '3k-5k' WHEN txn_payroll_avg < 1000000 THEN '5k-10k'
            WHEN txn_payroll_avg < 2000000 THEN '10k-20k' WHEN txn_payroll_avg < 5000000 THEN '20k-50k'
            WHEN txn_payroll_avg >= 5000000 THEN '50k+' END AS demo_income_band,
        CASE WHEN acct_pension_payout OR demo_age >= 65 THEN 'retired' WHEN demo_marital = 'married' AND demo_age < 40 THEN 'young_family'
            WHEN demo_marital = 'married' AND demo_age >= 40 THEN 'settled_family' WHEN demo_marital = 'single' THEN 'single' END AS demo_life_stage,
        coalesce(demo_age < 18, true) AS demo_is_minor, demo_age >= 65 AS demo_is_senior,
        'T' || asset_tier_level AS asset_tier, CASE WHEN asset_tier_unmet >= 4 THEN 'watch' ELSE 'normal' END AS asset_tier_status,
        [10000, 5000000, 20000000, 100000000, 600000000, 3000000000][asset_tier_level + 1] AS asset_tier_gap_up,
        [0, 10000, 5000000, 20000000, 100000000, 600000000, 3000000000][asset_tier_level + 1] AS lower,
        asset_demand::DOUBLE / nullif(asset_aum_eod, 0) AS asset_idle_ratio,
        asset_demand + asset_time + asset_cd > 50000000 AS asset_over_insured,
        coalesce(acct_credit_card AND cc_mob >= 3 AND cc_txn_90d = 0, false) AS cc_inactive,
        (CASE WHEN txn_recency <= 7 THEN '5' WHEN txn_recency <= 15 THEN '4' WHEN txn_recency <= 30 THEN '3' WHEN txn_recency <= 90 THEN '2'
            ELSE '1' END) || (CASE WHEN txn_freq_90d >= 20 THEN '5' WHEN txn_freq_90d >= 10 THEN '4' WHEN txn_freq_90d >= 5 THEN '3'
            WHEN txn_freq_90d >= 1 THEN '2' ELSE '1' END) || (CASE WHEN asset_aum_mavg >= 50000000 THEN '5' WHEN asset_aum_mavg >= 20000000 THEN '4'
            WHEN asset_aum_mavg >= 5000000 THEN '3' WHEN asset_aum_mavg >= 1000000 THEN '2' ELSE '1' END) AS txn_rfm,
        txn_inflow_30d - txn_outflow_30d AS txn_net_30d,
        txn_out_max_3d >= 5000000 AND txn_out_max_3d >= 0.3 * (asset_aum_eod + txn_out_max_3d) AS txn_large_out,
        coalesce(chan_last_confirm > $as_of - 7 AND chan_last_confirm < $as_of
            AND (mkt_last_purchase IS NULL OR mkt_last_purchase < chan_last_confirm), false) AS chan_abandon,
        CASE WHEN mkt_contacts_30d <= 1 THEN 'under' WHEN mkt_contacts_30d >= 6 OR (mkt_contacts_30d >= 4 AND coalesce(mkt_resp_180d, 0) < 0.05)
            THEN 'saturated' ELSE 'moderate' END AS mkt_fatigue,
        (CASE WHEN asset_tier_level >= 3 THEN 'high' ELSE 'low' END) || '_' || (CASE WHEN coalesce(txn_payroll_avg, 0) >= 1500000
            OR txn_inflow_30d >= 5000000 OR acct_mortgage OR acct_merchant OR acct_corp_owner THEN 'high' ELSE 'low' END) AS value_grade,
        CASE WHEN acct_status = 'deceased' THEN 'deceased'
            WHEN acct_status = 'closed' OR (acct_tenure_days >= 180 AND coalesce(txn_recency, 9999) >= 180 AND asset_aum_eod < 10000
                AND asset_aum_peak_12m >= 100000) THEN 'lost'
            WHEN acct_tenure_days >= 180 AND coalesce(txn_recency, 9999) >= 180 AND (asset_aum_eod >= 10000 OR txn_recency IS NULL) THEN 'dormant'
            WHEN txn_freq_chg_90d <= -0.3 OR asset_aum_chg_rate_90d <= -0.3 THEN 'decline'
            WHEN acct_tenure_days <= 30 THEN 'new_first' WHEN acct_tenure_days <= 90 THEN 'new_honeymoon'
            WHEN acct_tenure_days <= 540 AND (asset_category_cnt >= 2 OR asset_aum_chg_rate_90d > 0) THEN 'growth'
            WHEN acct_tenure_days > 540 THEN 'mature' ELSE 'stable' END AS life_stage
    FROM base
)
SELECT *,
    coalesce(asset_tier_level < 6 AND asset_aum_mavg >= 0.8 * asset_tier_gap_up AND asset_aum_mavg < asset_tier_gap_up
        AND asset_aum_chg_rate_90d > 0, false) AS asset_near_upgrade,
    asset_tier_status = 'watch' OR asset_aum_mavg < lower AS asset_near_downgrade
FROM one ORDER BY ordinal;
