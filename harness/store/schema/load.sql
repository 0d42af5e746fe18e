-- What lies under load_summary: who was good enough, in which window, how much was under way, and how tokens came.

create view load_attempts as
with objectives as (
    select run_id, task, any_value(slo_ttft_ms) as slo_ttft_ms, any_value(slo_tpot_ms) as slo_tpot_ms,
        any_value(slo_e2e_ms) as slo_e2e_ms
    from loads group by all
)
select
    m.*,
    started_at + to_microseconds(round(e2e_ms * 1e3)::bigint) as last_output_at,
    case
        when coalesce(slo_ttft_ms, slo_tpot_ms, slo_e2e_ms) is null or set_apart then null
        when not ok then false
        when coalesce(ttft_sched_ms <= slo_ttft_ms, tpot_ms <= slo_tpot_ms, e2e_sched_ms <= slo_e2e_ms) is null then null
        else coalesce(ttft_sched_ms <= slo_ttft_ms, true) and coalesce(tpot_ms <= slo_tpot_ms, true)
            and coalesce(e2e_sched_ms <= slo_e2e_ms, true)
    end as good,
    ok and coalesce(
        (slo_ttft_ms is not null and ttft_sched_ms is null) or (slo_tpot_ms is not null and tpot_ms is null)
        or (slo_e2e_ms is not null and e2e_sched_ms is null), false
    ) as slo_na
from attempt_metrics m left join objectives using (run_id, task)
where kind = 'load';
comment on view load_attempts is 'attempt_metrics of loads, warm-ups and cool-downs too, judged by the objectives of the load.';
comment on column load_attempts.last_output_at is 'UTC of the last output event; end of response where not streamed. NULL: failed.';
comment on column load_attempts.good is 'Whether it succeeded and met every objective that applies, times from the planned arrival. NULL: no objectives, none that applies, or set apart.';
comment on column load_attempts.slo_na is 'Whether it succeeded and an objective does not apply to it: one token has no time per token.';

create view load_windows as
select
    run_id, endpoint, task, stage, session,
    min(planned_at) as begin_at,
    max(planned_at) as last_planned_at,
    max(coalesce(last_output_at, over_at)) filter (where not set_apart) as end_at,
    count(*) as planned_n,
    epoch_us(end_at - begin_at) / 1e6 as whole_s,
    epoch_us(last_planned_at - begin_at) / 1e6 as measured_s
from load_attempts
where phase = 'measure' and failure_kind is distinct from 'unasked'
group by all;
comment on view load_windows is 'The two windows of a stage in one sitting. Whole: first planned arrival to last output event of what is measured. Measured: first to last planned arrival of what is measured, so without what came before and after.';
comment on column load_windows.begin_at is 'UTC of the first planned arrival: begin of both windows.';
comment on column load_windows.last_planned_at is 'UTC of the last planned arrival: end of the measured window.';
comment on column load_windows.end_at is 'UTC of the last output event, or of the last thing known of a failed attempt: end of the whole window. NULL: all was set apart.';
comment on column load_windows.planned_n is 'Arrivals planned in the measured window: attempts but those never asked.';
comment on column load_windows.whole_s is 'Length of the whole window, seconds. NULL: as end_at.';
comment on column load_windows.measured_s is 'Length of the measured window, seconds; 0: all arrived at once.';

create view load_flow as
with lives as (
    select m.*, w.begin_at, w.last_planned_at, w.end_at,
        started_at + to_microseconds(round(coalesce(ttft_ms, e2e_ms) * 1e3)::bigint) as first_output_at
    from load_attempts m join load_windows w using (run_id, endpoint, stage, session)
    where slip_ms is not null
),
steps as (
    select run_id, endpoint, stage, session, begin_at, end_at, started_at as moment, 1 as step from lives
    union all select run_id, endpoint, stage, session, begin_at, end_at, over_at, -1 from lives
),
running as (
    select *, sum(step) over (
        partition by run_id, endpoint, stage, session order by moment, step rows unbounded preceding
    ) as under_way
    from steps
),
most as (
    select run_id, endpoint, stage,
        max(under_way) filter (where moment between begin_at and end_at)::bigint as concurrency_max
    from running group by all
),
-- Reads of the answers that lie across an edge of the measured window; the others are in it or not.
across as (
    select l.*, a.chunk_delta_us, a.chunk_events, a.completion_tokens / list_sum(a.chunk_events) as tokens_an_event
    from lives l join attempts a using (run_id, job_id, number, shard, session)
    where l.ok and ((first_output_at < begin_at and last_output_at >= begin_at)
        or (first_output_at <= last_planned_at and last_output_at > last_planned_at))
),
reads as (
    select run_id, endpoint, stage, begin_at, last_planned_at, started_at,
        unnest(range(1, len(chunk_delta_us) + 1)) as position,
        unnest(chunk_delta_us) as gap_us,
        unnest(chunk_events) * tokens_an_event as tokens,
        job_id, number, shard, session
    from across
),
timed as (
    select *, started_at + to_microseconds((sum(gap_us) over (
        partition by run_id, job_id, number, shard, session order by position rows unbounded preceding
    ))::bigint) as moment
    from reads
),
split as (
    select run_id, endpoint, stage,
        sum(tokens) filter (where moment >= begin_at and moment <= last_planned_at) as tokens
    from timed group by all
),
inside as (
    select run_id, endpoint, stage,
        sum(greatest(epoch_us(least(over_at, end_at)) - epoch_us(greatest(started_at, begin_at)), 0)) / 1e6 as busy_s,
        count(*) filter (where ok and last_output_at between begin_at and last_planned_at) as done_n,
        count(*) filter (where good and last_output_at between begin_at and last_planned_at) as good_n,
        count(*) filter (where good is not null) as judged_n,
        count(*) filter (where ok and output_tokens is null and first_output_at <= last_planned_at
            and last_output_at >= begin_at) as unknown_n,
        coalesce(sum(output_tokens) filter (
            where ok and first_output_at >= begin_at and last_output_at <= last_planned_at
        ), 0) as tokens
    from lives group by all
),
lengths as (
    select run_id, endpoint, stage, sum(whole_s) as window_s, sum(measured_s) as window_measured_s,
        sum(planned_n) - count(*) as intervals_n
    from load_windows group by all
)
select
    run_id, endpoint, stage, window_s, window_measured_s,
    intervals_n / nullif(window_measured_s, 0) as offered_per_s,
    busy_s / nullif(window_s, 0) as concurrency_mean,
    concurrency_max,
    done_n / nullif(window_measured_s, 0) as window_ok_per_s,
    case when judged_n > 0 then good_n / nullif(window_measured_s, 0) end as window_goodput_per_s,
    case when unknown_n = 0 then (inside.tokens + coalesce(split.tokens, 0)) / nullif(window_measured_s, 0) end
        as window_tokens_per_s
from lengths
left join inside using (run_id, endpoint, stage)
left join most using (run_id, endpoint, stage)
left join split using (run_id, endpoint, stage);
comment on view load_flow is 'What flowed through each stage: arrivals, requests under way, and what came of every phase while the measured arrivals lasted.';
comment on column load_flow.window_s is 'Length of the whole window, seconds, added up over sittings. NULL: all was set apart.';
comment on column load_flow.window_measured_s is 'Length of the measured window, seconds, added up over sittings; 0: all arrived at once.';
comment on column load_flow.offered_per_s is 'Planned arrivals per second: intervals between them / window_measured_s. NULL: all arrived at once.';
comment on column load_flow.concurrency_mean is 'Requests under way on average over the whole window, those of warm-up and cool-down too.';
comment on column load_flow.concurrency_max is 'Most requests under way at one time in the whole window.';
comment on column load_flow.window_ok_per_s is 'Answers of any phase that ended in the measured window, per second. NULL: all arrived at once.';
comment on column load_flow.window_goodput_per_s is 'Good ones among them, per second. NULL: no objectives, or all arrived at once.';
comment on column load_flow.window_tokens_per_s is 'Throughput of the system: output tokens of any phase whose read lies in the measured window, per second; an answer across its edge is split by reads. NULL: tokens of an ok answer are not stated, or all arrived at once.';

-- Equal latencies together: gaps are whole microseconds, so that millions of them are few values to put in order.
create view load_itl as
with alike as (
    select run_id, endpoint, stage, itl_ms, sum(tokens) as tokens, sum(gap_ms) as gap_ms
    from itl() where kind = 'load' and phase = 'measure' group by all
),
ranked as (
    select *,
        sum(tokens) over (partition by run_id, endpoint, stage order by itl_ms rows unbounded preceding) as up_to,
        sum(tokens) over (partition by run_id, endpoint, stage) * (1 - 1e-9) as total
    from alike
),
weighed as (
    select
        run_id, endpoint, stage,
        sum(gap_ms) / sum(tokens) as itl_mean_ms,
        min(itl_ms) filter (where up_to >= 0.5 * total) as itl_p50_ms,
        min(itl_ms) filter (where up_to >= 0.95 * total) as itl_p95_ms,
        min(itl_ms) filter (where up_to >= 0.99 * total) as itl_p99_ms,
        sum(tokens) as itl_n
    from ranked group by all
),
counted as (
    select run_id, endpoint, stage, gap_ms, count(*) as n
    from chunk_gaps() where kind = 'load' and phase = 'measure' group by all
),
placed as (
    select *,
        sum(n) over (partition by run_id, endpoint, stage order by gap_ms rows unbounded preceding) as up_to,
        sum(n) over (partition by run_id, endpoint, stage) - 1 as last
    from counted
),
-- Interpolated between the two gaps that lie about the place of the quantile, as quantile_cont does it.
gaps as (
    select run_id, endpoint, stage,
        min(gap_ms) filter (where up_to > floor(0.5 * last)) as below_50,
        min(gap_ms) filter (where up_to > ceil(0.5 * last)) as above_50,
        min(gap_ms) filter (where up_to > floor(0.99 * last)) as below_99,
        min(gap_ms) filter (where up_to > ceil(0.99 * last)) as above_99,
        max(last) as last
    from placed group by all
)
select run_id, endpoint, stage, itl_mean_ms, itl_p50_ms, itl_p95_ms, itl_p99_ms, coalesce(itl_n, 0) as itl_n,
    below_50 + (above_50 - below_50) * (0.5 * last - floor(0.5 * last)) as chunk_gap_p50_ms,
    below_99 + (above_99 - below_99) * (0.99 * last - floor(0.99 * last)) as chunk_gap_p99_ms,
    (last + 1)::bigint as chunk_gap_n
from gaps left join weighed using (run_id, endpoint, stage);
comment on view load_itl is 'Gaps between reads and between tokens by stage, over measured ok attempts.';
comment on column load_itl.itl_mean_ms is 'Mean inter-token latency, weighed by tokens, ms. NULL: tokens are not stated; so for its quantiles.';
comment on column load_itl.itl_p50_ms is 'Quantile over tokens: the smallest ITL that so many tokens do not exceed, ms.';
comment on column load_itl.itl_n is 'Tokens that the ITL quantiles rest on.';
comment on column load_itl.chunk_gap_p50_ms is 'Quantile of gap_ms over reads, interpolated, ms.';
comment on column load_itl.chunk_gap_n is 'Gaps that its quantiles rest on.';
