-- The same attempts by the formulas of other tools, read from their sources: vLLM 0.33.0 `vllm bench serve` (Python),
-- aiperf 0.13.0, guidellm 0.8.1. Their bugs are kept. What a log cannot give (their own delays) is left out.

create view dialect_attempts as
with objectives as (
    select run_id, task, any_value(slo_ttft_ms) as slo_ttft_ms, any_value(slo_tpot_ms) as slo_tpot_ms,
        any_value(slo_e2e_ms) as slo_e2e_ms
    from loads group by all
),
theirs as (
    select
        attempts.*, slo_ttft_ms, slo_tpot_ms, slo_e2e_ms,
        phase = 'measure' and kind = 'load' and failure_kind is distinct from 'cancelled'
            and failure_kind is distinct from 'unasked' and failure_kind is distinct from 'abandoned' as counts,
        -- An error inside a 200 stream and an end without a finish reason are no failures to these tools.
        status between 200 and 299 and tok1_ns is not null
            and coalesce(failure_kind in ('truncated', 'inband_error', 'content_filter'), true) as loose_ok,
        -- aiohttp connects after the request's clock was started; httpcore's trace begins with the headers.
        case when reused then send0_ns else admit_ns end as request_ns,
        coalesce(completion_tokens, list_sum(chunk_events)) as tokens_or_chunks
    from attempts left join objectives using (run_id, task)
)
select
    run_id, job_id, number, shard, session, endpoint, task, stage,
    loose_ok as vllm_ok,
    case when loose_ok then (tok1_ns - request_ns) / 1e6 end as vllm_ttft_ms,
    case when loose_ok then (tokn_ns - request_ns) / 1e6 end as vllm_e2el_ms,
    case when loose_ok and completion_tokens > 1 then (tokn_ns - tok1_ns) / 1e6 / (completion_tokens - 1) end
        as vllm_tpot_ms,
    loose_ok as aiperf_ok,
    case when loose_ok and stream then (tok1_ns - request_ns) / 1e6 end as aiperf_ttft_ms,
    case when loose_ok then (tokn_ns - request_ns) / 1e6 end as aiperf_request_latency_ms,
    case when loose_ok and completion_tokens >= 2 then (tokn_ns - tok1_ns) / 1e6 / (completion_tokens - 1) end
        as aiperf_itl_ms,
    loose_ok and failure_kind is distinct from 'inband_error' as guidellm_ok,
    case when guidellm_ok then (tok1_ns - send0_ns) / 1e6 end as guidellm_ttft_ms,
    case when guidellm_ok then (coalesce(eof_ns, tokn_ns) - send0_ns) / 1e6 end as guidellm_request_latency_ms,
    case when guidellm_ok and tokens_or_chunks > 0 then (tokn_ns - send0_ns) / 1e6 / tokens_or_chunks end
        as guidellm_tpot_ms,
    case when guidellm_ok and tokens_or_chunks > 1 then (tokn_ns - tok1_ns) / 1e6 / (tokens_or_chunks - 1) end
        as guidellm_itl_ms,
    tokens_or_chunks as guidellm_tokens,
    completion_tokens as output_tokens,
    started_at - to_microseconds((coalesce(send0_ns, admit_ns) - request_ns) // 1000) as requested_at,
    started_at + to_microseconds((tokn_ns - send0_ns) // 1000) as last_output_at,
    started_at + to_microseconds((coalesce(eof_ns, tokn_ns, hdr_ns, send0_ns, admit_ns)
        - coalesce(send0_ns, admit_ns)) // 1000) as over_at,
    slo_ttft_ms, slo_tpot_ms, slo_e2e_ms
from theirs
where counts and stream;
comment on view dialect_attempts is 'Measured streamed load attempts as vLLM, aiperf and guidellm would have them.';
comment on column dialect_attempts.vllm_ok is 'Whether vllm bench serve calls it a success: 200 and a token, whatever came after.';
comment on column dialect_attempts.vllm_ttft_ms is 'First output since the request call, connecting included, ms. NULL: no success; so for every time here.';
comment on column dialect_attempts.vllm_e2el_ms is 'Last output since the request call, ms.';
comment on column dialect_attempts.vllm_tpot_ms is '(E2EL - TTFT) / (n - 1), ms. NULL too: n under 2, or not stated (it would count with a tokenizer).';
comment on column dialect_attempts.aiperf_ok is 'Whether aiperf calls it valid: as vllm_ok.';
comment on column dialect_attempts.aiperf_ttft_ms is 'First content response since the request call, connecting included, ms.';
comment on column dialect_attempts.aiperf_request_latency_ms is 'Last content response since the request call, ms.';
comment on column dialect_attempts.aiperf_itl_ms is '(request latency - TTFT) / (n - 1), ms. NULL too: n under 2, or not stated.';
comment on column dialect_attempts.guidellm_ok is 'Whether guidellm calls it successful: it finds an error inside the stream, not a missing end.';
comment on column dialect_attempts.guidellm_ttft_ms is 'First output since the headers were sent, ms.';
comment on column dialect_attempts.guidellm_request_latency_ms is 'End of the stream since the headers were sent, ms.';
comment on column dialect_attempts.guidellm_tpot_ms is '(last output - headers sent) / n: the first token''s time is in it, ms.';
comment on column dialect_attempts.guidellm_itl_ms is '(last - first output) / (n - 1), one figure for a request, ms. NULL too: n under 2.';
comment on column dialect_attempts.guidellm_tokens is 'Stated tokens, else output events. NULL: no answer.';
comment on column dialect_attempts.output_tokens is 'Tokens as the server states them. NULL: not stated.';
comment on column dialect_attempts.requested_at is 'UTC of the request call, before connecting.';
comment on column dialect_attempts.last_output_at is 'UTC of the last output event. NULL: none came.';
comment on column dialect_attempts.over_at is 'UTC of the end of the response, or the last thing known of it.';

-- What vLLM calls ITL and aiperf inter chunk latency: a gap for each output event after the first. Events of one read
-- have one stamp here and there: all but the first gap of a read are nothing. Equal gaps together, as in load_itl: the
-- quantiles are those of quantile_cont.
create view dialect_gaps as
with streams as (
    select run_id, d.endpoint, d.stage, chunk_delta_us[2:] as gaps_us,
        greatest(list_sum(chunk_events) - len(chunk_events), 0) as shared
    from dialect_attempts d join attempts a using (run_id, job_id, number, shard, session)
    where vllm_ok and chunk_events is not null
),
alike as (
    select run_id, endpoint, stage, gap_us / 1e3 as gap_ms, count(*) as n from (
        select run_id, endpoint, stage, unnest(gaps_us) as gap_us from streams
    ) group by all
    union all
    select run_id, endpoint, stage, 0, sum(shared)::bigint as n from streams group by all having sum(shared) > 0
),
placed as (
    select *,
        sum(n) over (partition by run_id, endpoint, stage order by gap_ms rows unbounded preceding) as up_to,
        sum(n) over (partition by run_id, endpoint, stage) - 1 as last
    from alike
),
found as (
    select run_id, endpoint, stage,
        min(gap_ms) filter (where up_to > floor(0.5 * last)) as below_50,
        min(gap_ms) filter (where up_to > ceil(0.5 * last)) as above_50,
        min(gap_ms) filter (where up_to > floor(0.95 * last)) as below_95,
        min(gap_ms) filter (where up_to > ceil(0.95 * last)) as above_95,
        min(gap_ms) filter (where up_to > floor(0.99 * last)) as below_99,
        min(gap_ms) filter (where up_to > ceil(0.99 * last)) as above_99,
        max(last) as last,
        sum(gap_ms * n) / sum(n) as gap_mean_ms
    from placed group by all
)
select run_id, endpoint, stage, gap_mean_ms,
    below_50 + (above_50 - below_50) * (0.5 * last - floor(0.5 * last)) as gap_p50_ms,
    below_95 + (above_95 - below_95) * (0.95 * last - floor(0.95 * last)) as gap_p95_ms,
    below_99 + (above_99 - below_99) * (0.99 * last - floor(0.99 * last)) as gap_p99_ms
from found;
comment on view dialect_gaps is 'Gaps between output events of each stage together, 0 within a read: what vLLM calls ITL and aiperf inter chunk latency.';
comment on column dialect_gaps.gap_mean_ms is 'Mean over output events of the gap before them, ms; never NULL.';
comment on column dialect_gaps.gap_p50_ms is 'Quantile over output events, interpolated, ms; never NULL; so for the others.';

create view dialect_vllm as
with judged as (
    select *,
        case when coalesce(slo_ttft_ms, slo_tpot_ms, slo_e2e_ms) is not null then
            vllm_ok and coalesce(vllm_ttft_ms <= slo_ttft_ms, true) and coalesce(vllm_e2el_ms <= slo_e2e_ms, true)
            and coalesce(coalesce(vllm_tpot_ms, 0) <= slo_tpot_ms, true) end as good
    from dialect_attempts
),
counted as (
    select
        run_id, endpoint, stage,
        epoch_us(max(over_at) - min(requested_at)) / 1e6 as duration_s,
        count(*) filter (where vllm_ok) as completed,
        count(*) filter (where not vllm_ok) as failed,
        count(*) filter (where good) as good_n, count(good) as judged_n,
        case when count(*) filter (where vllm_ok and output_tokens is null) = 0
            then sum(output_tokens) filter (where vllm_ok) end as total_output,
        avg(vllm_ttft_ms) as mean_ttft_ms, quantile_cont(vllm_ttft_ms, [0.5, 0.95, 0.99]) as ttft,
        avg(vllm_tpot_ms) as mean_tpot_ms, quantile_cont(vllm_tpot_ms, [0.5, 0.95, 0.99]) as tpot,
        avg(vllm_e2el_ms) as mean_e2el_ms, quantile_cont(vllm_e2el_ms, [0.5, 0.95, 0.99]) as e2el
    from judged group by all
)
select
    run_id, endpoint, stage, duration_s, completed, failed,
    completed / nullif(duration_s, 0) as request_throughput,
    total_output / nullif(duration_s, 0) as output_throughput,
    case when judged_n > 0 then good_n / nullif(duration_s, 0) end as request_goodput,
    mean_ttft_ms, ttft[1] as median_ttft_ms, ttft[2] as p95_ttft_ms, ttft[3] as p99_ttft_ms,
    mean_tpot_ms, tpot[1] as median_tpot_ms, tpot[2] as p95_tpot_ms, tpot[3] as p99_tpot_ms,
    gap_mean_ms as mean_itl_ms, gap_p50_ms as median_itl_ms, gap_p95_ms as p95_itl_ms, gap_p99_ms as p99_itl_ms,
    mean_e2el_ms, e2el[1] as median_e2el_ms, e2el[2] as p95_e2el_ms, e2el[3] as p99_e2el_ms
from counted left join dialect_gaps using (run_id, endpoint, stage);
comment on view dialect_vllm is 'Each stage as vllm bench serve 0.33.0 (Python) sums it up; names are its own. calculate_metrics in vllm/benchmarks/serve.py.';
comment on column dialect_vllm.duration_s is 'First request call to the end of the last response, seconds. NULL: nothing known.';
comment on column dialect_vllm.completed is 'Answers it calls successful.';
comment on column dialect_vllm.failed is 'Answers it calls failed.';
comment on column dialect_vllm.request_throughput is 'completed / duration_s.';
comment on column dialect_vllm.output_throughput is 'Tokens of completed ones / duration_s. NULL: tokens not stated (it would count with a tokenizer).';
comment on column dialect_vllm.request_goodput is 'Good ones / duration_s: times since the request call, and no TPOT passes as 0. NULL: no objectives.';
comment on column dialect_vllm.mean_ttft_ms is 'Over completed ones, ms; percentiles are interpolated. NULL: nothing to take it from; so for every time here.';

create view dialect_aiperf as
with judged as (
    select *,
        case when coalesce(slo_ttft_ms, slo_tpot_ms, slo_e2e_ms) is not null then
            aiperf_ok and (slo_ttft_ms is null or coalesce(aiperf_ttft_ms <= slo_ttft_ms, false))
            and (slo_tpot_ms is null or coalesce(aiperf_itl_ms <= slo_tpot_ms, false))
            and (slo_e2e_ms is null or coalesce(aiperf_request_latency_ms <= slo_e2e_ms, false)) end as good
    from dialect_attempts
),
counted as (
    select
        run_id, endpoint, stage,
        epoch_us(max(last_output_at) filter (where aiperf_ok) - min(requested_at) filter (where aiperf_ok)) / 1e6
            as benchmark_duration_s,
        count(*) filter (where aiperf_ok) as request_count,
        count(*) filter (where not aiperf_ok) as error_request_count,
        count(*) filter (where good) as good_n, count(good) as judged_n, count(*) as n,
        case when count(*) filter (where aiperf_ok and output_tokens is null) = 0
            then sum(output_tokens) filter (where aiperf_ok) end as total_osl,
        avg(aiperf_ttft_ms) as ttft_avg_ms, quantile_cont(aiperf_ttft_ms, [0.5, 0.95, 0.99]) as ttft,
        avg(aiperf_itl_ms) as itl_avg_ms, quantile_cont(aiperf_itl_ms, [0.5, 0.95, 0.99]) as itl,
        avg(aiperf_request_latency_ms) as request_latency_avg_ms,
        quantile_cont(aiperf_request_latency_ms, [0.5, 0.95, 0.99]) as latency
    from judged group by all
)
select
    run_id, endpoint, stage, benchmark_duration_s, request_count, error_request_count,
    request_count / nullif(benchmark_duration_s, 0) as request_throughput,
    total_osl / nullif(benchmark_duration_s, 0) as output_token_throughput,
    case when judged_n > 0 then good_n / nullif(benchmark_duration_s, 0) end as goodput,
    case when judged_n > 0 then good_n / n end as good_request_fraction,
    ttft_avg_ms, ttft[1] as ttft_p50_ms, ttft[2] as ttft_p95_ms, ttft[3] as ttft_p99_ms,
    itl_avg_ms, itl[1] as itl_p50_ms, itl[2] as itl_p95_ms, itl[3] as itl_p99_ms,
    gap_mean_ms as icl_avg_ms, gap_p50_ms as icl_p50_ms, gap_p95_ms as icl_p95_ms, gap_p99_ms as icl_p99_ms,
    request_latency_avg_ms, latency[1] as request_latency_p50_ms, latency[2] as request_latency_p95_ms,
    latency[3] as request_latency_p99_ms
from counted left join dialect_gaps using (run_id, endpoint, stage);
comment on view dialect_aiperf is 'Each stage as aiperf 0.13.0 sums it up, its token counts by --use-server-token-count. src/aiperf/metrics/types.';
comment on column dialect_aiperf.benchmark_duration_s is 'First request call to the last content of a valid one, seconds. NULL: none was valid.';
comment on column dialect_aiperf.request_count is 'Answers it calls valid.';
comment on column dialect_aiperf.error_request_count is 'Answers it calls errors.';
comment on column dialect_aiperf.request_throughput is 'request_count / benchmark_duration_s.';
comment on column dialect_aiperf.output_token_throughput is 'Tokens of valid ones / benchmark_duration_s. NULL: tokens not stated (it would count with a tokenizer).';
comment on column dialect_aiperf.goodput is 'Good ones / benchmark_duration_s. NULL: no objectives.';
comment on column dialect_aiperf.good_request_fraction is 'Good ones / (valid + errors): one without the measure of an objective is not good. NULL: no objectives.';
comment on column dialect_aiperf.ttft_avg_ms is 'Over valid ones, ms; percentiles are interpolated. NULL: nothing to take it from; so for every time here.';
comment on column dialect_aiperf.itl_avg_ms is 'Mean over requests of (request latency - TTFT) / (n - 1), ms.';
comment on column dialect_aiperf.icl_avg_ms is 'Mean over output events of the gap before them, ms.';

create view dialect_guidellm as
with judged as (
    select *,
        case when coalesce(slo_ttft_ms, slo_tpot_ms, slo_e2e_ms) is null or not guidellm_ok then null
            when (slo_tpot_ms is not null and guidellm_itl_ms is null) then null
            else coalesce(guidellm_ttft_ms <= slo_ttft_ms, true) and coalesce(guidellm_itl_ms <= slo_tpot_ms, true)
                and coalesce(guidellm_request_latency_ms <= slo_e2e_ms, true) end as good
    from dialect_attempts
),
-- Its percentile is the smallest value up to which the weights reach the share: n for TPOT, n - 1 for ITL, else 1.
samples as (
    select run_id, endpoint, stage, 'ttft' as metric, guidellm_ttft_ms as value, 1.0 as weight from judged where guidellm_ok
    union all select run_id, endpoint, stage, 'latency', guidellm_request_latency_ms, 1.0 from judged where guidellm_ok
    union all select run_id, endpoint, stage, 'tpot', coalesce(guidellm_tpot_ms, 0), coalesce(guidellm_tokens, 0)
        from judged where guidellm_ok
    union all select run_id, endpoint, stage, 'itl', coalesce(guidellm_itl_ms, 0), coalesce(guidellm_tokens, 1) - 1
        from judged where guidellm_ok
),
ranked as (
    select *,
        sum(weight) over (partition by run_id, endpoint, stage, metric order by value rows unbounded preceding) as up_to,
        sum(weight) over (partition by run_id, endpoint, stage, metric) * (1 - 1e-9) as total
    from samples where weight > 0
),
figures as (
    select run_id, endpoint, stage, metric, sum(value * weight) / sum(weight) as mean,
        min(value) filter (where up_to >= 0.5 * total) as median,
        min(value) filter (where up_to >= 0.95 * total) as p95,
        min(value) filter (where up_to >= 0.99 * total) as p99
    from ranked group by all
),
wide as (
    select run_id, endpoint, stage,
        max(mean) filter (where metric = 'ttft') as ttft_mean_ms,
        max(median) filter (where metric = 'ttft') as ttft_median_ms,
        max(p95) filter (where metric = 'ttft') as ttft_p95_ms, max(p99) filter (where metric = 'ttft') as ttft_p99_ms,
        max(mean) filter (where metric = 'tpot') as tpot_mean_ms,
        max(median) filter (where metric = 'tpot') as tpot_median_ms,
        max(p95) filter (where metric = 'tpot') as tpot_p95_ms, max(p99) filter (where metric = 'tpot') as tpot_p99_ms,
        max(mean) filter (where metric = 'itl') as itl_mean_ms,
        max(median) filter (where metric = 'itl') as itl_median_ms,
        max(p95) filter (where metric = 'itl') as itl_p95_ms, max(p99) filter (where metric = 'itl') as itl_p99_ms,
        max(mean) filter (where metric = 'latency') as request_latency_mean_ms,
        max(median) filter (where metric = 'latency') as request_latency_median_ms,
        max(p95) filter (where metric = 'latency') as request_latency_p95_ms,
        max(p99) filter (where metric = 'latency') as request_latency_p99_ms
    from figures group by all
),
counted as (
    select run_id, endpoint, stage, count(*) filter (where guidellm_ok) as successful,
        count(*) filter (where not guidellm_ok) as errored, avg(good::integer) as slo_attainment
    from judged group by all
)
select run_id, endpoint, stage, successful, errored, slo_attainment, wide.* exclude (run_id, endpoint, stage)
from counted left join wide using (run_id, endpoint, stage);
comment on view dialect_guidellm is 'Each stage as guidellm 0.8.1 sums it up; its rates over time are left out. src/guidellm/schemas/base/request_stats.py and statistics.py.';
comment on column dialect_guidellm.successful is 'Answers it calls successful.';
comment on column dialect_guidellm.errored is 'Answers it calls errored.';
comment on column dialect_guidellm.slo_attainment is 'Good ones / those it can judge, its tpot objective held against its ITL. NULL: no objectives, or none it can judge.';
comment on column dialect_guidellm.ttft_mean_ms is 'Over successful ones, ms; percentiles are the smallest value that reaches the share. NULL: nothing to take it from; so for every time here.';
comment on column dialect_guidellm.tpot_mean_ms is 'Time per output token with the first token''s time in it, weighed by n, ms.';
comment on column dialect_guidellm.itl_mean_ms is 'One figure for a request, weighed by n - 1, ms.';
comment on column dialect_guidellm.request_latency_mean_ms is 'End of the stream since the headers were sent, ms; it prints seconds.';
