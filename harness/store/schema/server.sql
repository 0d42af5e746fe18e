-- The server as it sees itself and this client as it fared, in the windows of each stage.

create view server_summary as
with seen as (
    select w.run_id, w.endpoint, w.stage, w.session, s.* exclude (run_id, endpoint, at_ns)
    from server_samples s join load_windows w
        on w.run_id = s.run_id and w.endpoint = s.endpoint and s."at" >= w.begin_at and s."at" <= w.end_at
),
counters as (
    from seen unpivot (
        value for counter in (
            ttft_s_sum, ttft_s_count, itl_s_sum, itl_s_count, tpot_s_sum, tpot_s_count, e2e_s_sum, e2e_s_count,
            queue_s_sum, queue_s_count, prompt_tokens_total, generation_tokens_total, prefix_hits_total,
            prefix_queries_total, preemptions_total
        )
    )
),
steps as (
    select run_id, endpoint, stage, counter,
        value - lag(value) over (partition by run_id, endpoint, stage, session, counter order by "at") as step
    from counters
),
fell as (select run_id, endpoint, stage, coalesce(bool_or(step < 0), false) as restarted from steps group by all),
rose as (
    select run_id, endpoint, stage, counter, case when not restarted then sum(step) end as rise
    from steps join fell using (run_id, endpoint, stage)
    group by run_id, endpoint, stage, counter, restarted
),
rises as (
    select
        run_id, endpoint, stage,
        max(rise) filter (where counter = 'ttft_s_sum') / nullif(max(rise) filter (where counter = 'ttft_s_count'), 0)
            as ttft_mean_s,
        max(rise) filter (where counter = 'itl_s_sum') / nullif(max(rise) filter (where counter = 'itl_s_count'), 0)
            as itl_mean_s,
        max(rise) filter (where counter = 'tpot_s_sum') / nullif(max(rise) filter (where counter = 'tpot_s_count'), 0)
            as tpot_mean_s,
        max(rise) filter (where counter = 'e2e_s_sum') / nullif(max(rise) filter (where counter = 'e2e_s_count'), 0)
            as e2e_mean_s,
        max(rise) filter (where counter = 'queue_s_sum') / nullif(max(rise) filter (where counter = 'queue_s_count'), 0)
            as queue_mean_s,
        max(rise) filter (where counter = 'prefix_hits_total')
            / nullif(max(rise) filter (where counter = 'prefix_queries_total'), 0) as prefix_hit_share,
        max(rise) filter (where counter = 'prompt_tokens_total') as prompt_tokens,
        max(rise) filter (where counter = 'generation_tokens_total') as output_tokens,
        max(rise) filter (where counter = 'preemptions_total') as preemptions_n
    from rose group by all
),
spans as (
    select run_id, endpoint, stage, sum(seconds) as seconds from (
        select run_id, endpoint, stage, session, epoch_us(max("at") - min("at")) / 1e6 as seconds from seen group by all
    ) group by all
),
states as (
    select
        run_id, endpoint, stage, count(*) as samples_n,
        avg(waiting) as waiting_mean, max(waiting) as waiting_max,
        avg(running) as running_mean, max(running) as running_max,
        avg(kv_usage) as kv_usage_mean, max(kv_usage) as kv_usage_max
    from seen group by all
)
select
    run_id, endpoint, stage, samples_n, waiting_mean, waiting_max, running_mean, running_max, kv_usage_mean,
    kv_usage_max, ttft_mean_s, itl_mean_s, tpot_mean_s, e2e_mean_s, queue_mean_s, prefix_hit_share,
    prompt_tokens / nullif(seconds, 0) as prompt_tokens_per_s,
    output_tokens / nullif(seconds, 0) as output_tokens_per_s,
    preemptions_n, coalesce(restarted, false) as restarted
from states
left join spans using (run_id, endpoint, stage)
left join rises using (run_id, endpoint, stage)
left join fell using (run_id, endpoint, stage);
comment on view server_summary is 'The server''s own metrics inside the whole window of each stage. It counts requests of every client it has, not only ours. Means are rises of its counters divided; where a counter fell, the server was restarted and they are NULL.';
comment on column server_summary.samples_n is 'Readings inside the window.';
comment on column server_summary.waiting_mean is 'Requests waiting at the server, mean over readings. NULL: the server does not say; so for every figure here.';
comment on column server_summary.waiting_max is 'Most requests waiting in a reading.';
comment on column server_summary.running_mean is 'Requests being served, mean over readings.';
comment on column server_summary.running_max is 'Most requests being served in a reading.';
comment on column server_summary.kv_usage_mean is 'Share of the KV cache in use, 0 to 1, mean over readings.';
comment on column server_summary.kv_usage_max is 'Most of it in a reading, 0 to 1.';
comment on column server_summary.ttft_mean_s is 'Mean time to first token as the server has it, seconds. NULL too: none ended between two readings, or restarted; so for every mean here.';
comment on column server_summary.itl_mean_s is 'Mean time between tokens as the server has it, seconds.';
comment on column server_summary.tpot_mean_s is 'Mean time per output token as the server has it, seconds.';
comment on column server_summary.e2e_mean_s is 'Mean time of whole requests as the server has it, seconds.';
comment on column server_summary.queue_mean_s is 'Mean time in the server''s queue, seconds.';
comment on column server_summary.prefix_hit_share is 'Share of prompt tokens found in the prefix cache, 0 to 1.';
comment on column server_summary.prompt_tokens_per_s is 'Prompt tokens per second by its counter, between the first and the last reading.';
comment on column server_summary.output_tokens_per_s is 'Generated tokens per second by its counter, between the first and the last reading.';
comment on column server_summary.preemptions_n is 'Requests put back to make room.';
comment on column server_summary.restarted is 'Whether a counter fell inside the window.';

create view client_summary as
with stages as (
    select run_id, shard, stage, session, min(sched_ns) as begin_ns,
        max(greatest(admit_ns, send0_ns, hdr_ns, eof_ns, tokn_ns, done_ns)) as end_ns
    from attempts where kind = 'load' group by all
),
stepped as (
    select *,
        cpu_ns - lag(cpu_ns) over (partition by run_id, shard order by at_ns) as cpu_step,
        at_ns - lag(at_ns) over (partition by run_id, shard order by at_ns) as step_ns
    from client_samples
),
seen as (
    select s.run_id, s.shard, s.stage, c.lag_max_ns, c.lag_sum_ns, c.lag_n,
        case when c.cpu_step >= 0 then c.cpu_step end as cpu_step,
        case when c.cpu_step >= 0 then c.step_ns end as step_ns
    from stages s join stepped c
        on c.run_id = s.run_id and c.shard = s.shard and c.at_ns > s.begin_ns and c.at_ns - c.window_ns < s.end_ns
)
select
    run_id, shard, stage,
    count(*) as windows_n,
    sum(lag_sum_ns) / nullif(sum(lag_n), 0) / 1e6 as loop_lag_mean_ms,
    quantile_cont(lag_max_ns, 0.99) / 1e6 as loop_lag_p99_ms,
    max(lag_max_ns) / 1e6 as loop_lag_max_ms,
    sum(cpu_step) / nullif(sum(step_ns), 0) as cpu_share,
    max(cpu_step / nullif(step_ns, 0)) as cpu_share_max
from seen group by all;
comment on view client_summary is 'How busy each process of this client was while a load stage lasted, warm-ups and cool-downs too.';
comment on column client_summary.windows_n is 'Windows of client_samples that overlap the stage.';
comment on column client_summary.loop_lag_mean_ms is 'Mean lateness of the event loop, ms. NULL: it was never taken.';
comment on column client_summary.loop_lag_p99_ms is '99th percentile over windows of the worst lateness in each, ms.';
comment on column client_summary.loop_lag_max_ms is 'Worst lateness of the event loop, ms.';
comment on column client_summary.cpu_share is 'Processor time / time; 1: one processor was busy all along. NULL: one window only.';
comment on column client_summary.cpu_share_max is 'The same in the busiest window. NULL: one window only.';
