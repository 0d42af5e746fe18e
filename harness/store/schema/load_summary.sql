-- One row for each endpoint and stage of a load. Formulas and what other tools do differently: docs/metrics.md.

create view load_summary as
with counted as (
    select
        run_id, endpoint, task, stage,
        count(*) filter (where not set_apart) as n,
        count(*) filter (where ok) as n_ok,
        count(*) filter (where not ok and not set_apart) as n_failed,
        count(*) filter (where failure_kind = 'cancelled') as n_cancelled,
        count(*) filter (where failure_kind = 'abandoned') as n_abandoned,
        count(*) filter (where failure_kind = 'unasked') as n_unasked,
        count(*) filter (where failure_kind in ('throttled', 'overloaded')) as n_throttled,
        count(ttft_ms) as ttft_n,
        count(tpot_ms) as tpot_n,
        avg(ttft_ms) as ttft_mean_ms,
        avg(tpot_ms) as tpot_mean_ms,
        avg(e2e_ms) as e2e_mean_ms,
        quantile_cont(ttft_ms, [0.5, 0.75, 0.9, 0.95, 0.99, 0.999]) as ttft,
        quantile_cont(ttft_sched_ms, [0.5, 0.75, 0.9, 0.95, 0.99, 0.999]) as ttft_sched,
        quantile_cont(ttfvt_ms, [0.5, 0.75, 0.9, 0.95, 0.99, 0.999]) as ttfvt,
        quantile_cont(tpot_ms, [0.5, 0.75, 0.9, 0.95, 0.99, 0.999]) as tpot,
        quantile_cont(e2e_ms, [0.5, 0.75, 0.9, 0.95, 0.99, 0.999]) as e2e,
        quantile_cont(e2e_sched_ms, [0.5, 0.75, 0.9, 0.95, 0.99, 0.999]) as e2e_sched,
        quantile_disc(case when ok then ttft_ms when not set_apart then 'infinity'::double end, [0.5, 0.95, 0.99])
            as ttft_adj,
        quantile_disc(case when ok then ttft_sched_ms when not set_apart then 'infinity'::double end, [0.5, 0.95, 0.99])
            as ttft_sched_adj,
        quantile_disc(case when ok then e2e_ms when not set_apart then 'infinity'::double end, [0.5, 0.95, 0.99])
            as e2e_adj,
        quantile_disc(case when ok then e2e_sched_ms when not set_apart then 'infinity'::double end, [0.5, 0.95, 0.99])
            as e2e_sched_adj,
        quantile_cont(ttft_warm_ms, 0.5) as ttft_warm_p50_ms,
        quantile_cont(decode_tokens_per_s, 0.5) as speed_p50,
        quantile_cont(output_tokens_per_s, 0.5) as perceived_p50,
        sum(stalls_n)::bigint as stalls_n,
        quantile_cont(stall_share, 0.99) as stall_share_p99,
        sum(output_tokens) filter (where tokens_per_read is not null)
            / nullif(sum(output_tokens / tokens_per_read) filter (where tokens_per_read > 0), 0) as tokens_per_read,
        case when count(*) filter (where ok and output_tokens is null) = 0
            then sum(output_tokens) filter (where ok)::bigint end as output_tokens,
        case when count(*) filter (where good and output_tokens is null) = 0
            then sum(output_tokens) filter (where good)::bigint end as good_tokens,
        min(api) as api,
        sum(vectors) filter (where ok)::bigint as inputs_n,
        case when count(*) filter (where ok and prompt_tokens is null) = 0
            then sum(prompt_tokens) filter (where ok)::bigint end as prompt_tokens,
        count(token_miss) as token_asked_n,
        count(*) filter (where token_miss < 0) as token_short_n,
        sum(cached_tokens) filter (where cached_share is not null)
            / nullif(sum(prompt_tokens) filter (where cached_share is not null), 0) as cached_share,
        case when count(*) filter (where ok and cost_usd is null) = 0 then sum(cost_usd) end as cost_usd,
        sum(coalesced_reads) filter (where ok) / nullif(sum(n_reads) filter (where ok), 0) as coalesced_share,
        -- min and max, here and for sessions: each count(distinct) is a whole aggregation of its own.
        case when min(clock) filter (where ok) < max(clock) filter (where ok) then 'mixed'
            else min(clock) filter (where ok) end as clock,
        max(lag_max_ms) filter (where not set_apart) as lag_max_ms,
        count(*) filter (where reused and slip_ms is not null)
            / nullif(count(*) filter (where slip_ms is not null), 0) as reused_share,
        quantile_cont(slip_ms, [0.5, 0.99]) as slip,
        quantile_cont(admit_slip_ms, 0.99) as admit_slip_p99_ms,
        count(*) filter (where slip_ms > 10) as late_n,
        count(good) as slo_judged_n,
        count(*) filter (where good) as slo_good_n,
        count(*) filter (where slo_na) as slo_na_n,
        (max(epoch_us(started_at)) filter (where slip_ms is not null)
            - min(epoch_us(started_at)) filter (where slip_ms is not null)) / 1e6 as sending_s,
        count(slip_ms) as n_sent,
        min(session) = max(session) as one_sitting
    from load_attempts where phase = 'measure' group by all
),
-- Wilson's score interval at 95 %: (p + z2/2n +- z sqrt(p (1 - p) / n + z2/4n2)) / (1 + z2/n), z2 = 1.96 squared.
shared as (
    select *,
        slo_good_n / nullif(slo_judged_n, 0) as p,
        3.8414588206941236 / nullif(slo_judged_n, 0) as z2n,
        (p + z2n / 2) / (1 + z2n) as centre,
        sqrt(z2n * (p * (1 - p) + z2n / 4)) / (1 + z2n) as half
    from counted
)
select
    run_id, endpoint, task, stage, loads.position as level, loads.law, loads.block,
    shared.n, n_ok, n_failed, n_throttled, n_cancelled, n_abandoned, n_unasked, ttft_n, tpot_n,
    ttft_mean_ms,
    ttft[1] as ttft_p50_ms, ttft[2] as ttft_p75_ms, ttft[3] as ttft_p90_ms, ttft[4] as ttft_p95_ms, ttft[5] as
    ttft_p99_ms, ttft[6] as ttft_p999_ms,
    ttft_sched[1] as ttft_sched_p50_ms, ttft_sched[2] as ttft_sched_p75_ms, ttft_sched[3] as ttft_sched_p90_ms,
    ttft_sched[4] as ttft_sched_p95_ms, ttft_sched[5] as ttft_sched_p99_ms, ttft_sched[6] as ttft_sched_p999_ms,
    ttfvt[1] as ttfvt_p50_ms, ttfvt[2] as ttfvt_p75_ms, ttfvt[3] as ttfvt_p90_ms, ttfvt[4] as ttfvt_p95_ms, ttfvt[5]
    as ttfvt_p99_ms, ttfvt[6] as ttfvt_p999_ms,
    tpot_mean_ms,
    tpot[1] as tpot_p50_ms, tpot[2] as tpot_p75_ms, tpot[3] as tpot_p90_ms, tpot[4] as tpot_p95_ms, tpot[5] as
    tpot_p99_ms, tpot[6] as tpot_p999_ms,
    e2e_mean_ms,
    e2e[1] as e2e_p50_ms, e2e[2] as e2e_p75_ms, e2e[3] as e2e_p90_ms, e2e[4] as e2e_p95_ms, e2e[5] as e2e_p99_ms,
    e2e[6] as e2e_p999_ms,
    e2e_sched[1] as e2e_sched_p50_ms, e2e_sched[2] as e2e_sched_p75_ms, e2e_sched[3] as e2e_sched_p90_ms, e2e_sched[4]
    as e2e_sched_p95_ms, e2e_sched[5] as e2e_sched_p99_ms, e2e_sched[6] as e2e_sched_p999_ms,
    nullif(ttft_adj[1], 'infinity') as ttft_p50_adj_ms, nullif(ttft_adj[2], 'infinity') as ttft_p95_adj_ms,
        nullif(ttft_adj[3], 'infinity') as ttft_p99_adj_ms,
    nullif(ttft_sched_adj[1], 'infinity') as ttft_sched_p50_adj_ms,
        nullif(ttft_sched_adj[2], 'infinity') as ttft_sched_p95_adj_ms, nullif(ttft_sched_adj[3], 'infinity') as ttft_sched_p99_adj_ms,
    nullif(e2e_adj[1], 'infinity') as e2e_p50_adj_ms, nullif(e2e_adj[2], 'infinity') as e2e_p95_adj_ms,
        nullif(e2e_adj[3], 'infinity') as e2e_p99_adj_ms,
    nullif(e2e_sched_adj[1], 'infinity') as e2e_sched_p50_adj_ms,
        nullif(e2e_sched_adj[2], 'infinity') as e2e_sched_p95_adj_ms, nullif(e2e_sched_adj[3], 'infinity') as e2e_sched_p99_adj_ms,
    ttft_warm_p50_ms,
    itl_mean_ms, itl_p50_ms, itl_p95_ms, itl_p99_ms, itl_n, chunk_gap_p50_ms, chunk_gap_p99_ms,
    tokens_per_read, tokens_per_read <= 1.5 as itl_comparable,
    speed_p50, perceived_p50, stalls_n, stall_share_p99,
    window_s, window_measured_s, offered_per_s,
    case when one_sitting then (n_sent - 1) / nullif(sending_s, 0) end as achieved_per_s,
    n_ok / nullif(window_s, 0) as ok_per_s, window_ok_per_s, concurrency_mean, concurrency_max,
    output_tokens, output_tokens / nullif(window_s, 0) as output_tokens_per_s, window_tokens_per_s,
    api, inputs_n, inputs_n / nullif(window_s, 0) as inputs_per_s,
    prompt_tokens, prompt_tokens / nullif(window_s, 0) as prompt_tokens_per_s,
    token_asked_n, token_short_n, cached_share, cost_usd, cost_usd / nullif(slo_good_n, 0) as usd_per_good,
    coalesced_share, clock, lag_max_ms, reused_share, slip[1] as slip_p50_ms, slip[2] as slip_p99_ms,
    admit_slip_p99_ms, late_n,
    slo_judged_n, slo_good_n, slo_na_n, p as slo_attainment,
    -- greatest and least pass over NULL
    case when p is not null then greatest(centre - half, 0) end as slo_attainment_low,
    case when p is not null then least(centre + half, 1) end as slo_attainment_high,
    case when slo_judged_n > 0 then slo_good_n / nullif(window_s, 0) end as goodput_per_s,
    case when slo_judged_n > 0 then coalesce(good_tokens, case when slo_good_n = 0 then 0 end) / nullif(window_s, 0) end
        as token_goodput_per_s,
    window_goodput_per_s
from shared
left join load_flow using (run_id, endpoint, stage)
left join load_itl using (run_id, endpoint, stage)
left join loads using (run_id, task, stage);
comment on view load_summary is 'Measured load attempts by endpoint and stage; warm-ups and cool-downs are left out. What was cancelled, abandoned or never asked is in no n, no percentile and no share. Percentiles are over ok attempts, interpolated.';
comment on column load_summary.level is 'Place of the stage from 0, in the order in which they were asked. NULL: not stated.';
comment on column load_summary.law is 'Arrival law, for people. NULL: not stated.';
comment on column load_summary.block is 'Which block of its level it is, from 1. NULL: the load was not planned in blocks (harness load --repeats).';
comment on column load_summary.n is 'Attempts: n_ok + n_failed.';
comment on column load_summary.n_throttled is 'Refused by a limit (throttled) or for want of room (overloaded); they are in n_failed.';
comment on column load_summary.n_cancelled is 'Broken off because the run was stopped; not in n.';
comment on column load_summary.n_abandoned is 'Given up by a user of the plan; not in n.';
comment on column load_summary.n_unasked is 'Later turns of sessions that had failed; never sent, not in n.';
comment on column load_summary.ttft_n is 'Attempts that the TTFT percentiles rest on.';
comment on column load_summary.tpot_n is 'Attempts that the TPOT percentiles rest on.';
comment on column load_summary.ttft_mean_ms is 'Mean time to first token, ms. NULL: nothing to take it from; so for every mean here.';
comment on column load_summary.tpot_mean_ms is 'Mean over attempts of the time per output token, ms.';
comment on column load_summary.e2e_mean_ms is 'Mean time to the last output event, ms.';
comment on column load_summary.ttft_p50_ms is 'Median time to first token, ms. NULL: nothing to take it from; so for every percentile here; p999 is 99.9 %.';
comment on column load_summary.ttft_sched_p50_ms is 'The same since the planned arrival, ms.';
comment on column load_summary.ttfvt_p50_ms is 'Median time to first visible token, ms.';
comment on column load_summary.tpot_p50_ms is 'Median over attempts of the time per output token, ms.';
comment on column load_summary.e2e_p50_ms is 'Median time to the last output event, ms.';
comment on column load_summary.e2e_sched_p50_ms is 'The same since the planned arrival, ms.';
comment on column load_summary.ttft_p50_adj_ms is 'Percentile where a failed attempt counts as endless, nearest rank, ms; so for every adj here. NULL: so many failed that it is endless, or nothing to take it from.';
comment on column load_summary.ttft_warm_p50_ms is 'Median time to first token on kept connections, ms.';
comment on column load_summary.itl_mean_ms is 'Mean inter-token latency weighed by tokens, ms. NULL: tokens are not stated; so for its percentiles.';
comment on column load_summary.itl_p50_ms is 'Percentile over tokens of the gap before them: of a read of k tokens k times gap / k, ms.';
comment on column load_summary.itl_n is 'Tokens that the ITL percentiles rest on. NULL: no read after the first.';
comment on column load_summary.chunk_gap_p50_ms is 'Percentile over reads of the gap before them, ms. NULL: no read after the first.';
comment on column load_summary.tokens_per_read is 'Output tokens for each read that held output. NULL: tokens are not stated, or nothing was streamed.';
comment on column load_summary.itl_comparable is 'Whether tokens_per_read is at most 1.5: above, reads hold several tokens and ITL percentiles compare with nothing. NULL: as there.';
comment on column load_summary.speed_p50 is 'Median over users of the decode speed, 1000 / tpot_ms, tokens per second.';
comment on column load_summary.perceived_p50 is 'Median over users of output tokens / e2e, tokens per second.';
comment on column load_summary.stalls_n is 'Gaps longer than 250 ms and than 10 times the median gap of their answer. NULL: no gaps.';
comment on column load_summary.stall_share_p99 is '99th percentile over answers of the share of e2e spent in stalls, 0 to 1. NULL: no gaps.';
comment on column load_summary.window_s is 'Whole window: first planned arrival to last output event, seconds, added up over sittings. NULL: all was set apart.';
comment on column load_summary.window_measured_s is 'Measured window: first to last planned arrival, seconds, added up over sittings; 0: all arrived at once.';
comment on column load_summary.offered_per_s is 'Planned arrivals per second of the measured window. NULL: all arrived at once.';
comment on column load_summary.achieved_per_s is 'Requests sent per second, first to last send. NULL: several sittings, or fewer than two sent.';
comment on column load_summary.ok_per_s is 'n_ok / window_s: start and drain are in it.';
comment on column load_summary.window_ok_per_s is 'Answers of any phase that ended in the measured window, per second. NULL: all arrived at once.';
comment on column load_summary.concurrency_mean is 'Requests under way on average over the whole window, those of warm-up and cool-down too. NULL: nothing was sent.';
comment on column load_summary.concurrency_max is 'Most requests under way at one time in the whole window. NULL: nothing was sent.';
comment on column load_summary.output_tokens is 'Tokens of ok attempts. NULL: those of an ok attempt are not stated, or nothing was ok.';
comment on column load_summary.output_tokens_per_s is 'output_tokens / window_s: start and drain are in it. NULL: as output_tokens.';
comment on column load_summary.window_tokens_per_s is 'Throughput of the system: output tokens of any phase whose read lies in the measured window, per second; an answer across its edge is split by reads. NULL: tokens of an ok answer are not stated, or all arrived at once.';
comment on column load_summary.api is 'Which interface was asked: chat, responses or embeddings. NULL: a record older than this column.';
comment on column load_summary.inputs_n is 'Inputs embedded by ok attempts, one vector each. NULL: no embeddings were asked for.';
comment on column load_summary.inputs_per_s is 'inputs_n / window_s: start and drain are in it. NULL: as inputs_n.';
comment on column load_summary.prompt_tokens is 'Prompt tokens of ok attempts, as the server states them. NULL: those of an ok attempt are not stated, or nothing was ok.';
comment on column load_summary.prompt_tokens_per_s is 'prompt_tokens / window_s: start and drain are in it. NULL: as prompt_tokens.';
comment on column load_summary.token_asked_n is 'Ok attempts whose output length was asked for and is stated.';
comment on column load_summary.token_short_n is 'Those of them with fewer tokens than asked for.';
comment on column load_summary.cached_share is 'Share of prompt tokens from a prompt cache, 0 to 1. NULL: no server stated it.';
comment on column load_summary.cost_usd is 'USD of all measured attempts, failed ones and those set apart too where usage was stated. NULL: the cost of an ok attempt is not known.';
comment on column load_summary.usd_per_good is 'cost_usd / slo_good_n, USD. NULL: cost not known, no objectives, or none was good.';
comment on column load_summary.coalesced_share is 'Share of reads that held more than one HTTP chunk, 0 to 1, over ok attempts. NULL: no reads.';
comment on column load_summary.clock is 'Source of the times of ok attempts: kernel, user or mixed. NULL: nothing was ok.';
comment on column load_summary.lag_max_ms is 'How late this client read a packet at worst, ms. NULL: no kernel stamp.';
comment on column load_summary.reused_share is 'Share of requests sent on a kept connection, 0 to 1. NULL: nothing was sent.';
comment on column load_summary.slip_p50_ms is 'Median time from planned arrival to sending, ms. NULL: nothing was sent.';
comment on column load_summary.slip_p99_ms is '99th percentile of it, ms. NULL: nothing was sent.';
comment on column load_summary.admit_slip_p99_ms is '99th percentile of the client''s own part of it, after limits and connection allowed it, ms. NULL: nothing was sent.';
comment on column load_summary.late_n is 'Requests sent more than 10 ms after their planned arrival.';
comment on column load_summary.slo_judged_n is 'Attempts to which an objective applies; failed ones are among them. 0: no objectives.';
comment on column load_summary.slo_good_n is 'Attempts that succeeded and met every objective that applies, times from the planned arrival.';
comment on column load_summary.slo_na_n is 'Ok attempts to which some objective does not apply; where none does they are not in slo_judged_n.';
comment on column load_summary.slo_attainment is 'slo_good_n / slo_judged_n. NULL: no objectives.';
comment on column load_summary.slo_attainment_low is 'Lower Wilson bound of it, 95 %. NULL: no objectives.';
comment on column load_summary.slo_attainment_high is 'Upper Wilson bound of it, 95 %. NULL: no objectives.';
comment on column load_summary.goodput_per_s is 'slo_good_n / window_s. NULL: no objectives.';
comment on column load_summary.token_goodput_per_s is 'Output tokens of good attempts / window_s. NULL: no objectives, or tokens of a good one are not stated.';
comment on column load_summary.window_goodput_per_s is 'Good answers of any phase that ended in the measured window, per second. NULL: no objectives, or all arrived at once.';
