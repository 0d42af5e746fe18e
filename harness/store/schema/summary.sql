-- An endpoint and a run on one line each.

create view endpoint_summary as
with everyone as (
    select run_id, endpoint from endpoints union select run_id, endpoint from attempts where kind <> 'judge'
    union select run_id, endpoint from verdicts
),
asked as (
    select
        run_id, endpoint,
        count(*) filter (where not set_apart) as n,
        count(*) filter (where ok) as n_ok,
        count(*) filter (where not ok and not set_apart) as n_failed,
        count(*) filter (where failure_kind = 'cancelled') as n_cancelled,
        count(*) filter (where failure_kind = 'abandoned') as n_abandoned,
        count(*) filter (where failure_kind = 'unasked') as n_unasked
    from attempt_metrics where kind not in ('probe', 'judge') group by all
),
spent as (
    select
        run_id, endpoint,
        sum(cost_usd) as known_usd,
        count(cost_usd) as cost_known_n,
        count(*) filter (where cost_unknown) as cost_unknown_n
    from attempt_metrics where kind <> 'judge' group by all
),
hours as (
    select run_id, endpoint, sum(hourly_usd) as hourly_usd from paid_hours
    where kind <> 'judge' group by all
),
timed as (
    select
        run_id, endpoint,
        count(ttft_ms) as ttft_n,
        quantile_cont(ttft_ms, 0.5) as ttft_p50_ms,
        quantile_cont(ttft_ms, 0.95) as ttft_p95_ms,
        quantile_cont(tpot_ms, 0.5) as tpot_p50_ms,
        quantile_cont(e2e_ms, 0.5) as e2e_p50_ms,
        quantile_cont(1000 / tpot_ms, 0.5) as speed_p50
    from attempt_metrics where kind = 'load' and phase = 'measure' group by all
),
stages as (
    select
        run_id, endpoint, stage,
        count(*) filter (where ok) as n_ok,
        case when count(*) filter (where ok and output_tokens is null) = 0
            then sum(output_tokens) filter (where ok) end as output_tokens
    from attempt_metrics where kind = 'load' and phase = 'measure' group by all
),
moved as (
    select
        run_id, endpoint,
        case when count(*) filter (where n_ok > 0 and output_tokens is null) = 0
            then sum(output_tokens) / nullif(sum(whole_s) filter (where n_ok > 0), 0) end as output_tokens_per_s
    from stages join (
        select run_id, endpoint, stage, sum(whole_s) as whole_s from load_windows group by all
    ) using (run_id, endpoint, stage)
    group by all
),
scored as (
    select run_id, endpoint, sum(mean_score * n_scored) / nullif(sum(n_scored), 0) as quality_mean,
        sum(n_scored)::bigint as quality_n, sum(n_failed)::bigint as quality_failed_n
    from quality_summary group by all
),
probed as (
    select
        run_id, endpoint,
        count(*) filter (where verdict in ('broken', 'ignored', 'rejected')) as features_failed,
        count(*) filter (where verdict = 'partial') as features_partial,
        count(*) filter (where verdict = 'supported') as features_supported,
        count(*) filter (where verdict not in ('untestable', 'skipped')) as features_judged
    from verdicts group by all
)
select
    run_id, endpoint,
    coalesce(n, 0) as n, coalesce(n_ok, 0) as n_ok, coalesce(n_failed, 0) as n_failed, coalesce(n_cancelled, 0) as n_cancelled,
    coalesce(n_abandoned, 0) as n_abandoned, coalesce(n_unasked, 0) as n_unasked,
    ttft_p50_ms, ttft_p95_ms, coalesce(ttft_n, 0) as ttft_n, tpot_p50_ms, e2e_p50_ms, speed_p50, output_tokens_per_s,
    coalesce(hourly_usd, case when coalesce(cost_unknown_n, 0) = 0 then known_usd end) as cost_usd,
    coalesce(cost_known_n, 0) as cost_known_n, coalesce(cost_unknown_n, 0) as cost_unknown_n,
    quality_mean, coalesce(quality_n, 0) as quality_n, coalesce(quality_failed_n, 0) as quality_failed_n,
    coalesce(features_failed, 0) as features_failed, coalesce(features_partial, 0) as features_partial,
    coalesce(features_supported, 0) as features_supported, coalesce(features_judged, 0) as features_judged
from everyone
left join asked using (run_id, endpoint)
left join spent using (run_id, endpoint)
left join hours using (run_id, endpoint)
left join timed using (run_id, endpoint)
left join moved using (run_id, endpoint)
left join scored using (run_id, endpoint)
left join probed using (run_id, endpoint);
comment on view endpoint_summary is 'One row for each endpoint of a run. What it did as a judge is in judge_summary alone. Times are from measured ok load attempts only; probes provoke errors, so they are in no n.';
comment on column endpoint_summary.n is 'Quality, tool and load attempts, warm-ups too: n_ok + n_failed.';
comment on column endpoint_summary.n_cancelled is 'Attempts that we broke off ourselves; they are not in n.';
comment on column endpoint_summary.n_abandoned is 'Attempts whose user gave up as planned; they are not in n.';
comment on column endpoint_summary.n_unasked is 'Later turns of sessions that had failed, never sent; they are not in n.';
comment on column endpoint_summary.ttft_p50_ms is 'Median time to first token under load, ms. NULL: no load was run, or nothing was ok; so for every time here.';
comment on column endpoint_summary.ttft_n is 'Attempts that the TTFT percentiles rest on.';
comment on column endpoint_summary.speed_p50 is 'Median over users of 1000 / tpot_ms, tokens per second.';
comment on column endpoint_summary.output_tokens_per_s is 'Tokens of all load stages / seconds of all load stages. NULL: tokens not stated, or no load.';
comment on column endpoint_summary.cost_usd is 'USD over all attempts, failed ones, warm-ups and probes with stated usage too; of a server paid by the hour, its hours. NULL: a needed cost is not known, or nothing was spent on.';
comment on column endpoint_summary.cost_known_n is 'Attempts whose cost is known.';
comment on column endpoint_summary.cost_unknown_n is 'Attempts whose cost is needed and not known: ok ones but probes, and any with stated usage.';
comment on column endpoint_summary.quality_mean is 'Mean score over all scored samples of quality and tool tasks, 0 to 1. NULL: nothing was scored.';
comment on column endpoint_summary.quality_n is 'Samples times repeats with a score.';
comment on column endpoint_summary.quality_failed_n is 'Samples times repeats of quality and tool tasks of which a request failed for good.';
comment on column endpoint_summary.features_failed is 'Probes with the verdict broken, ignored or rejected.';
comment on column endpoint_summary.features_judged is 'Probes with a verdict other than untestable or skipped.';

create view run_health as
select
    run_id,
    count(*) as n,
    count(*) filter (where clock = 'kernel') / count(*) as clock_kernel_share,
    sum(coalesced_reads) / nullif(sum(n_reads), 0) as coalesced_share,
    quantile_cont(lag_max_ms, 0.99) as lag_p99_ms,
    max(lag_max_ms) as lag_max_ms,
    quantile_cont(wait_ms, 0.99) as wait_p99_ms
from attempt_metrics
where n_reads > 0
group by all;
comment on view run_health is 'How well this client measured, over attempts that got body bytes.';
comment on column run_health.n is 'Attempts that got body bytes.';
comment on column run_health.clock_kernel_share is 'Share of attempts timed by kernel stamps alone, 0 to 1.';
comment on column run_health.coalesced_share is 'Share of reads that held more than one HTTP chunk, 0 to 1.';
comment on column run_health.lag_p99_ms is '99th percentile of the worst reading delay of each attempt, ms. NULL: no kernel stamps.';
comment on column run_health.lag_max_ms is 'Worst reading delay, ms. NULL: no kernel stamps.';
comment on column run_health.wait_p99_ms is '99th percentile of the time from planned arrival to being let go, by limits or by a busy client, ms.';
