-- What can be said of one attempt, of its gaps and of its tokens. A failed attempt has no latency: its times are NULL,
-- also where a part of an answer had arrived.

create view attempt_metrics as
with marked as (
    select
        *,
        failure_kind is null as ok,
        coalesce(tokn_ns, case when not stream then eof_ns end) as end_ns,
        -- n1: tokens in the first read. One event is one token; of several, the answer's tokens are shared out by events.
        case when coalesce(chunk_events[1], 1) > 1 then completion_tokens * chunk_events[1] / list_sum(chunk_events)
            else 1 end as first_tokens,
        chunk_delta_us[2:] as gaps_us,
        -- NULL: no gap is long enough to be a stall, so no median has to be found.
        case when list_max(chunk_delta_us[2:]) > 250000 then greatest(250000, 10 * list_median(chunk_delta_us[2:])) end
            as stall_us,
        coalesce(send0_ns, admit_ns) as started_ns,
        greatest(admit_ns, send0_ns, send1_ns, hdr_ns, eof_ns, ev1_ns, tokn_ns, fin_ns, done_ns,
            case when failure_kind = 'abandoned' then send0_ns + (give_up_s * 1e9)::bigint end) as over_ns,
        row_number() over (
            partition by run_id, job_id
            order by failure_kind is not distinct from 'cancelled', number desc, shard desc, session desc
        ) = 1 as last_attempt
    from attempts
)
select
    run_id, job_id, number, last_attempt, endpoint, kind, stage, task, sample, repeat, phase, turn, shard, session,
    workload_sha256, started_at,
    started_at + to_microseconds((sched_ns - started_ns) // 1000) as planned_at,
    started_at + to_microseconds((over_ns - started_ns) // 1000) as over_at,
    ok, status, failure_kind, coalesce(failure_kind in ('cancelled', 'abandoned', 'unasked', 'unneeded'), false) as set_apart,
    finish_reason, api, stream, clock, reused, in_flight,
    case when ok then (tok1_ns - send0_ns) / 1e6 end as ttft_ms,
    case when ok then (tok1_ns - sched_ns) / 1e6 end as ttft_sched_ms,
    case when ok and reused then (tok1_ns - send0_ns) / 1e6 end as ttft_warm_ms,
    case when ok then (vis1_ns - send0_ns) / 1e6 end as ttfvt_ms,
    case when ok then (tool1_ns - send0_ns) / 1e6 end as ttftool_ms,
    case when ok then (end_ns - send0_ns) / 1e6 end as e2e_ms,
    case when ok then (end_ns - sched_ns) / 1e6 end as e2e_sched_ms,
    case when ok and completion_tokens - first_tokens >= 1 and tokn_ns > tok1_ns
        then (tokn_ns - tok1_ns) / 1e6 / (completion_tokens - first_tokens) end as tpot_ms,
    1000 / tpot_ms as decode_tokens_per_s,
    case when ok and end_ns > send0_ns then completion_tokens / ((end_ns - send0_ns) / 1e9) end as output_tokens_per_s,
    case when ok then list_max(gaps_us) / 1e3 end as chunk_gap_max_ms,
    case when not ok or coalesce(len(gaps_us), 0) = 0 then null when stall_us is null then 0
        else len(list_filter(gaps_us, lambda gap: gap > stall_us)) end as stalls_n,
    case when not ok or coalesce(len(gaps_us), 0) = 0 or coalesce(end_ns <= send0_ns, true) then null
        when stall_us is null then 0
        else coalesce(list_sum(list_filter(gaps_us, lambda gap: gap > stall_us)), 0) * 1e3 / (end_ns - send0_ns)
        end as stall_share,
    case when ok then completion_tokens / nullif(len(chunk_events), 0) end as tokens_per_read,
    completion_tokens as output_tokens,
    prompt_tokens, cached_tokens, reasoning_tokens, input_tokens_asked, output_tokens_asked,
    case when ok then completion_tokens - output_tokens_asked end as token_miss,
    case when ok then cached_tokens / nullif(prompt_tokens, 0) end as cached_share,
    (admit_ns - sched_ns) / 1e6 as wait_ms,
    (coalesce(tls_ns, conn_ns) - admit_ns) / 1e6 as connect_ms,
    (send0_ns - sched_ns) / 1e6 as slip_ms,
    (send0_ns - greatest(admit_ns, conn_ns, tls_ns)) / 1e6 as admit_slip_ms,
    case when ok then (eof_ns - tokn_ns) / 1e6 end as close_lag_ms,
    give_up_s, cost_usd, cost_source,
    cost_usd is null and ((ok and kind <> 'probe') or prompt_tokens is not null or completion_tokens is not null) as cost_unknown,
    lag_max_ns / 1e6 as lag_max_ms,
    coalesced_reads, n_reads, tool_calls, prompt_chars, text_chars, vectors, dimensions, len(deviations) as deviations_n
from marked;
comment on view attempt_metrics is 'The metrics of each attempt. A failed attempt has NULL latencies, also where a part of an answer had arrived.';
comment on column attempt_metrics.last_attempt is 'Whether it is the one that counts for its job: the last that we did not cancel ourselves.';
comment on column attempt_metrics.planned_at is 'UTC of the planned arrival, from the anchor of the session.';
comment on column attempt_metrics.over_at is 'UTC of the last thing known of it: end of the response; of a failed one the last mark, or when its user gave up.';
comment on column attempt_metrics.ok is 'Whether the completion may be scored and timed.';
comment on column attempt_metrics.set_apart is 'Whether it failed by our own doing (cancelled, abandoned, unasked, unneeded), which says nothing about the endpoint.';
comment on column attempt_metrics.ttft_ms is 'Time to first token: first output event (reasoning counts) since send, ms. NULL: failed or not streamed.';
comment on column attempt_metrics.ttft_sched_ms is 'The same since the planned arrival, ms; the honest number in an open loop. NULL: as ttft_ms.';
comment on column attempt_metrics.ttft_warm_ms is 'ttft_ms where a kept connection carried it, ms. NULL: as ttft_ms, or a new connection.';
comment on column attempt_metrics.ttfvt_ms is 'Time to first visible token since send, ms. NULL: failed, not streamed, or none came.';
comment on column attempt_metrics.ttftool_ms is 'Time to the first tool-call event since send, ms. NULL: failed, not streamed, or none came.';
comment on column attempt_metrics.e2e_ms is 'Last output event since send, ms; end of response where not streamed. NULL: failed.';
comment on column attempt_metrics.e2e_sched_ms is 'The same since the planned arrival, ms. NULL: as e2e_ms.';
comment on column attempt_metrics.tpot_ms is 'Time per output token: (last - first output event) / (n - n1), n1 the tokens of the first read, ms. NULL: failed, not streamed, tokens not stated, all in one read, or n - n1 under 1.';
comment on column attempt_metrics.decode_tokens_per_s is 'Decode speed: 1000 / tpot_ms, tokens per second. NULL: as tpot_ms.';
comment on column attempt_metrics.output_tokens_per_s is 'Speed as a user perceives it: output tokens per second of e2e_ms. NULL: failed or tokens not stated.';
comment on column attempt_metrics.chunk_gap_max_ms is 'Longest gap between two reads that held output, ms. NULL: failed, or fewer than two.';
comment on column attempt_metrics.stalls_n is 'Gaps longer than 250 ms and than 10 times its own median gap. NULL: as chunk_gap_max_ms.';
comment on column attempt_metrics.stall_share is 'Share of e2e_ms spent in those gaps, 0 to 1. NULL: as chunk_gap_max_ms.';
comment on column attempt_metrics.tokens_per_read is 'Output tokens for each read that held output. NULL: failed, not streamed or tokens not stated.';
comment on column attempt_metrics.output_tokens is 'completion_tokens as the server states them, of failed attempts too. NULL: not stated.';
comment on column attempt_metrics.token_miss is 'Output tokens beyond those asked for; negative: fewer. NULL: failed, not stated, or nothing was asked for.';
comment on column attempt_metrics.cached_share is 'Share of prompt tokens from a prompt cache, 0 to 1. NULL: failed, or not stated.';
comment on column attempt_metrics.wait_ms is 'What the attempt waited for limits, ms.';
comment on column attempt_metrics.connect_ms is 'Name resolution, TCP and TLS, ms; not part of ttft_ms. NULL: kept connection, or not reached.';
comment on column attempt_metrics.slip_ms is 'Sent after the planned arrival by, ms: waits for limits, a new connection, and the client itself. NULL: nothing was sent.';
comment on column attempt_metrics.admit_slip_ms is 'Sent after limits and connection allowed it by, ms: the client''s own delay. NULL: nothing was sent.';
comment on column attempt_metrics.close_lag_ms is 'End of response since the last output event, ms. NULL: failed or not streamed.';
comment on column attempt_metrics.cost_usd is 'USD, of failed attempts too where usage was stated. NULL: usage or a needed price is not known.';
comment on column attempt_metrics.cost_unknown is 'Whether a cost is needed and not known: ok and no probe, or usage was stated.';
comment on column attempt_metrics.lag_max_ms is 'How late this client read a packet at worst, ms. NULL: no kernel stamp.';
comment on column attempt_metrics.deviations_n is 'Tolerated deviations from the documented shape.';

-- A row for each gap is a hundred times as many rows as attempts: macros that are asked for one run or one job.
-- NULL asks for all; load_itl does.
create macro chunk_gaps(run := null, job := null) as table
select
    run_id, job_id, number, shard, session, endpoint, kind, stage, phase,
    unnest(range(2, len(chunk_delta_us) + 1)) as position,
    unnest(chunk_delta_us[2:]) / 1e3 as gap_ms,
    unnest(chunk_events[2:]) as events
from attempts
where failure_kind is null and len(chunk_delta_us) > 1 and (run is null or run_id = run) and (job is null or job_id = job);
comment on macro table chunk_gaps is 'Gaps between reads that held output, one row each, of the ok streamed attempts of a run or of one job of it. A read may hold several tokens: these are no inter-token latencies. position: which read of the answer ended the gap, from 2. gap_ms: time since the read before, ms; never NULL. events: output events in the read that ended the gap; never NULL.';

-- The tokens after the first read are shared out over the later reads by events: so the weighted mean is the TPOT.
create macro itl(run := null, job := null) as table
with spread as (
    select
        run_id, job_id, number, shard, session, endpoint, kind, stage, phase, chunk_delta_us, chunk_events,
        completion_tokens - case when chunk_events[1] > 1
            then completion_tokens * chunk_events[1] / list_sum(chunk_events) else 1 end as later_tokens,
        list_sum(chunk_events[2:]) as later_events
    from attempts
    where failure_kind is null and len(chunk_delta_us) > 1
        and (run is null or run_id = run) and (job is null or job_id = job)
),
gaps as (
    select
        run_id, job_id, number, shard, session, endpoint, kind, stage, phase,
        unnest(chunk_delta_us[2:]) / 1e3 as gap_ms,
        unnest(list_transform(chunk_events[2:], lambda events: later_tokens * events / later_events)) as tokens
    from spread where later_tokens >= 1
)
select *, gap_ms / tokens as itl_ms from gaps where tokens > 0;
comment on macro table itl is 'Inter-token latency by reads, of a run or of one job of it: one row stands for so many tokens, each gap_ms / tokens after the one before. Quantiles weigh by tokens. gap_ms: time since the read before, ms; never NULL. tokens: of the read, what the answer had after its first read, shared out by output events; never NULL. itl_ms: gap_ms / tokens, ms; never NULL, answers whose tokens are not stated have no row.';

create view attempt_lag as
with lives as (
    select run_id, job_id, number, shard, session, endpoint, kind, stage, sched_ns,
        greatest(admit_ns, send0_ns, send1_ns, hdr_ns, eof_ns, tokn_ns, done_ns,
            case when failure_kind = 'abandoned' then send0_ns + (give_up_s * 1e9)::bigint end) as over_ns
    from attempts
)
select
    l.run_id, l.job_id, l.number, l.shard, l.session, l.endpoint, l.kind, l.stage,
    count(c.at_ns) as windows_n,
    max(c.lag_max_ns) / 1e6 as loop_lag_max_ms
from lives l left join client_samples c
    on c.run_id = l.run_id and c.shard = l.shard and c.at_ns > l.sched_ns and c.at_ns - c.window_ns < l.over_ns
group by all;
comment on view attempt_lag is 'How late this client''s event loop was while each attempt lived, from its planned arrival to the last thing known of it.';
comment on column attempt_lag.windows_n is 'Windows of client_samples that overlap its life.';
comment on column attempt_lag.loop_lag_max_ms is 'Worst lateness of the event loop in those, ms. NULL: there are none.';
