-- Tables: what was recorded and judged. Views: every metric, defined once; report and dashboard read these.
-- Times within an attempt are nanoseconds of one monotonic clock: only their differences mean something, and only
-- inside one session. NULL means "did not happen" or "not known", never 0.

create table store (
    schema_version integer not null,
    harness_version varchar not null,
    built_at timestamp not null
);
comment on table store is 'One row: what made this file. It is derived from the run folders; harness db rebuild makes it anew.';
comment on column store.schema_version is 'Version of these tables and views; never NULL.';
comment on column store.harness_version is 'Version of endpoint-harness that built the file; never NULL.';
comment on column store.built_at is 'When it was built, UTC; never NULL.';

create table runs (
    run_id varchar not null,
    status varchar,
    suite varchar,
    created_at timestamp,
    finished_at timestamp,
    seed bigint,
    planned bigint,
    harness_version varchar,
    python varchar,
    duckdb varchar,
    os varchar,
    host varchar,
    cpus integer,
    plan_sha256 varchar,
    config_sha256 varchar,
    probe_profile varchar,
    calibration varchar,
    manifest varchar,
    sealed boolean not null,
    problem varchar
);
comment on table runs is 'One row for each run folder, running and damaged ones too.';
comment on column runs.run_id is 'Name of the run folder; never NULL.';
comment on column runs.status is 'running, interrupted, finished or failed; running with no living writer is shown as interrupted. NULL: the manifest cannot be read.';
comment on column runs.suite is 'What was asked for, by name. NULL: not stated.';
comment on column runs.created_at is 'Start, UTC. NULL: not stated.';
comment on column runs.finished_at is 'End of the last sitting, UTC. NULL: not ended.';
comment on column runs.seed is 'Seed of order and load prompts. NULL: not stated.';
comment on column runs.planned is 'Planned requests (jobs). NULL: not stated.';
comment on column runs.harness_version is 'Version of endpoint-harness that measured. NULL: not stated.';
comment on column runs.python is 'Version of Python that measured. NULL: not stated.';
comment on column runs.duckdb is 'Version of DuckDB that sealed. NULL: not stated.';
comment on column runs.os is 'Operating system of the measuring machine. NULL: not stated.';
comment on column runs.host is 'Name of the measuring machine. NULL: not stated.';
comment on column runs.cpus is 'Processors of the measuring machine. NULL: not stated.';
comment on column runs.plan_sha256 is 'Equal hashes: the same requests in the same order. NULL: not stated.';
comment on column runs.config_sha256 is 'Equal hashes: the same configuration. NULL: not stated.';
comment on column runs.probe_profile is 'Profile of the probes. NULL: no probes.';
comment on column runs.calibration is 'JSON: how this machine measured a known simulator. NULL: not calibrated.';
comment on column runs.manifest is 'JSON: run.json as it is. NULL: it cannot be read.';
comment on column runs.sealed is 'Whether its attempts are in these tables; never NULL.';
comment on column runs.problem is 'Why data of the run are missing here. NULL: nothing is wrong.';

create table endpoints (
    run_id varchar not null,
    endpoint varchar not null,
    position integer not null,
    provider varchar,
    provider_kind varchar,
    model varchar,
    model_id varchar,
    base_url varchar,
    engine varchar,
    engine_version varchar,
    input_usd_per_mtok double,
    output_usd_per_mtok double,
    cached_input_usd_per_mtok double,
    price_source varchar
);
comment on table endpoints is 'The endpoints of each run, as they were configured then.';
comment on column endpoints.run_id is 'The run; never NULL.';
comment on column endpoints.endpoint is 'provider/model; never NULL.';
comment on column endpoints.position is 'Place on the command line from 0; 0 is the baseline of comparisons; never NULL.';
comment on column endpoints.provider is 'Name in providers.yaml. NULL: not stated.';
comment on column endpoints.provider_kind is 'hosted, gateway, local or simulated. NULL: not stated.';
comment on column endpoints.model is 'Logical model name. NULL: not stated.';
comment on column endpoints.model_id is 'What was sent in the body. NULL: not stated.';
comment on column endpoints.base_url is 'Address it was asked at. NULL: not known.';
comment on column endpoints.engine is 'Local engine that the harness started. NULL: it started none.';
comment on column endpoints.engine_version is 'Version of that engine. NULL: none, or not known.';
comment on column endpoints.input_usd_per_mtok is 'USD per million input tokens at the time. NULL: not known.';
comment on column endpoints.output_usd_per_mtok is 'USD per million output tokens at the time. NULL: not known.';
comment on column endpoints.cached_input_usd_per_mtok is 'USD per million cached input tokens at the time. NULL: not known.';
comment on column endpoints.price_source is 'Where the prices come from. NULL: no prices.';

create table tasks (
    run_id varchar not null,
    task varchar not null,
    version integer,
    kind varchar,
    scorer varchar,
    scorer_version integer,
    n_samples integer,
    repeats integer
);
comment on table tasks is 'The quality and tool tasks of each run.';
comment on column tasks.run_id is 'The run; never NULL.';
comment on column tasks.task is 'Name of the task; never NULL.';
comment on column tasks.version is 'Version of the task. NULL: not stated.';
comment on column tasks.kind is 'quality or tools. NULL: not stated.';
comment on column tasks.scorer is 'Name of the scorer at the time of planning. NULL: not stated.';
comment on column tasks.scorer_version is 'Version of that scorer. NULL: not stated.';
comment on column tasks.n_samples is 'Samples asked of each endpoint. NULL: not stated.';
comment on column tasks.repeats is 'How often each sample was asked. NULL: not stated.';

create table loads (
    run_id varchar not null,
    task varchar not null,
    version integer,
    stage varchar not null,
    position integer not null,
    law varchar,
    n integer,
    slo_ttft_ms double,
    slo_tpot_ms double,
    slo_e2e_ms double
);
comment on table loads is 'The load levels of each run, one row each.';
comment on column loads.run_id is 'The run; never NULL.';
comment on column loads.task is 'Name of the load; never NULL.';
comment on column loads.version is 'Version of the load. NULL: not stated.';
comment on column loads.stage is 'Stage of the level, as in attempts; never NULL.';
comment on column loads.position is 'Place of the level from 0, in the order of rising stress; never NULL.';
comment on column loads.law is 'Arrival law, for people. NULL: not stated.';
comment on column loads.n is 'Measured requests per endpoint. NULL: not stated.';
comment on column loads.slo_ttft_ms is 'Objective for the time to first token from the planned arrival, ms. NULL: no such objective.';
comment on column loads.slo_tpot_ms is 'Objective for the time per output token, ms. NULL: no such objective.';
comment on column loads.slo_e2e_ms is 'Objective for the whole answer from the planned arrival, ms. NULL: no such objective.';

create table attempts (
    run_id varchar not null,
    job_id varchar not null,
    number integer not null,
    endpoint varchar not null,
    kind varchar not null,
    stage varchar not null,
    task varchar not null,
    sample varchar not null,
    repeat integer not null,
    phase varchar not null,
    shard integer not null,
    session integer not null,
    sched_ns bigint not null,
    admit_ns bigint not null,
    dns_ns bigint,
    conn_ns bigint,
    tls_ns bigint,
    send0_ns bigint,
    send1_ns bigint,
    hdr_ns bigint,
    eof_ns bigint,
    ev1_ns bigint,
    tok1_ns bigint,
    vis1_ns bigint,
    tool1_ns bigint,
    tokn_ns bigint,
    fin_ns bigint,
    done_ns bigint,
    started_at timestamp not null,
    status integer,
    failure_kind varchar,
    failure_detail varchar,
    retry_after_s double,
    stream boolean not null,
    workload_sha256 varchar not null,
    clock varchar not null,
    reused boolean not null,
    coalesced_reads integer not null,
    n_reads integer not null,
    lag_max_ns bigint,
    in_flight integer not null,
    finish_reason varchar,
    prompt_tokens bigint,
    completion_tokens bigint,
    cached_tokens bigint,
    reasoning_tokens bigint,
    response_model varchar,
    system_fingerprint varchar,
    tool_calls integer,
    text_chars integer,
    chunk_delta_us integer[],
    chunk_events usmallint[],
    deviations varchar[] not null,
    cost_usd double,
    text_lossy boolean not null
);
comment on table attempts is 'One row for each request sent, or failed to be; a retry is another row. Marks are ns of the monotonic clock of (shard, session).';
comment on column attempts.run_id is 'The run; never NULL.';
comment on column attempts.job_id is 'The planned request; its retries share it; never NULL.';
comment on column attempts.number is '0 for the first try of its job; never NULL.';
comment on column attempts.endpoint is 'provider/model; never NULL.';
comment on column attempts.kind is 'quality, tools, probe or load; never NULL.';
comment on column attempts.stage is 'Stage of the plan; never NULL.';
comment on column attempts.task is 'Name of the task, load or probe surface; never NULL.';
comment on column attempts.sample is 'Sample of the task; never NULL.';
comment on column attempts.repeat is 'Repetition of the sample from 0; never NULL.';
comment on column attempts.phase is 'warmup or measure; warm-ups count for cost and failures only; never NULL.';
comment on column attempts.shard is 'Which writing process; never NULL.';
comment on column attempts.session is 'Which opening of that shard''s journal, from 1; never NULL.';
comment on column attempts.sched_ns is 'Planned arrival, ns; never NULL.';
comment on column attempts.admit_ns is 'When limits let it go, ns; never NULL.';
comment on column attempts.dns_ns is 'Name resolved, ns. NULL: kept connection, or not reached.';
comment on column attempts.conn_ns is 'TCP connected, ns. NULL: kept connection, or not reached.';
comment on column attempts.tls_ns is 'TLS handshake done, ns. NULL: kept connection, plain HTTP, or not reached.';
comment on column attempts.send0_ns is 'Just before the first byte was handed to the kernel, ns. NULL: nothing was sent.';
comment on column attempts.send1_ns is 'Last byte of the request taken by the kernel, ns. NULL: not reached.';
comment on column attempts.hdr_ns is 'Arrival of the end of the headers, ns. NULL: not reached.';
comment on column attempts.eof_ns is 'Arrival of the end of the response, ns. NULL: it never ended.';
comment on column attempts.ev1_ns is 'Arrival of the first data event, ns. NULL: none came.';
comment on column attempts.tok1_ns is 'Arrival of the first output event, ns. NULL: none came, or not streamed.';
comment on column attempts.vis1_ns is 'Arrival of the first content or refusal, ns. NULL: none came, or not streamed.';
comment on column attempts.tool1_ns is 'Arrival of the first tool-call event, ns. NULL: none came, or not streamed.';
comment on column attempts.tokn_ns is 'Arrival of the last output event, ns. NULL: none came, or not streamed.';
comment on column attempts.fin_ns is 'Arrival of the first finish reason, ns. NULL: none came, or not streamed.';
comment on column attempts.done_ns is 'Arrival of [DONE], ns. NULL: none came, or not streamed.';
comment on column attempts.started_at is 'UTC of send0, or of admit where nothing was sent; from the anchor of the session; never NULL.';
comment on column attempts.status is 'HTTP status. NULL: no response came.';
comment on column attempts.failure_kind is 'Why there is no completion. NULL: it succeeded.';
comment on column attempts.failure_detail is 'One line for a person. NULL: it succeeded.';
comment on column attempts.retry_after_s is 'Seconds the server asked us to wait. NULL: it did not ask.';
comment on column attempts.stream is 'Whether a streamed answer was asked for; never NULL.';
comment on column attempts.workload_sha256 is 'Equal hashes: the same question; never NULL.';
comment on column attempts.clock is 'Source of the read times: kernel, user or mixed; never NULL.';
comment on column attempts.reused is 'Whether a kept connection carried it; never NULL.';
comment on column attempts.coalesced_reads is 'Reads that held more than one HTTP chunk and so have one time for several writes; never NULL.';
comment on column attempts.n_reads is 'Reads that held body bytes; never NULL.';
comment on column attempts.lag_max_ns is 'Largest delay between arrival and our reading, ns. NULL: no kernel stamp.';
comment on column attempts.in_flight is 'Requests under way on the endpoint when it was sent, itself included; never NULL.';
comment on column attempts.finish_reason is 'As stated by the server. NULL: not stated.';
comment on column attempts.prompt_tokens is 'Tokens, as stated by the server. NULL: not stated.';
comment on column attempts.completion_tokens is 'Tokens, as stated by the server. NULL: not stated.';
comment on column attempts.cached_tokens is 'Tokens, the cached part of prompt_tokens. NULL: not stated.';
comment on column attempts.reasoning_tokens is 'Tokens, the reasoning part of completion_tokens. NULL: not stated.';
comment on column attempts.response_model is 'The model the server says it was. NULL: not stated.';
comment on column attempts.system_fingerprint is 'As stated by the server. NULL: not stated.';
comment on column attempts.tool_calls is 'Tool calls in the answer. NULL: no answer.';
comment on column attempts.text_chars is 'Characters of visible text. NULL: no answer.';
comment on column attempts.chunk_delta_us is 'Gaps between reads that held output, microseconds, the first since send0; gaps between chunks, not ITL. NULL: nothing was sent or no answer; empty: not streamed.';
comment on column attempts.chunk_events is 'Output events in each of those reads, same length as chunk_delta_us. NULL: as there.';
comment on column attempts.deviations is 'Tolerated deviations from the documented shape, by name; empty: none; never NULL.';
comment on column attempts.cost_usd is 'USD by stated usage and the prices of that time. NULL: usage or a needed price is not known.';
comment on column attempts.text_lossy is 'Whether a character that UTF-8 cannot hold was replaced in this row; never NULL.';

create table texts (
    run_id varchar not null,
    job_id varchar not null,
    number integer not null,
    request_body varchar,
    response_body varchar not null,
    text varchar,
    reasoning varchar,
    tool_calls_json varchar,
    response_headers_json varchar not null,
    text_lossy boolean not null
);
comment on table texts is 'What was said, one row for each attempt; apart, so that it can be purged.';
comment on column texts.run_id is 'The run; never NULL.';
comment on column texts.job_id is 'The planned request; never NULL.';
comment on column texts.number is '0 for the first try of its job; never NULL.';
comment on column texts.request_body is 'The body as sent. NULL: there was none.';
comment on column texts.response_body is 'The body as it came, event stream included; empty: none; never NULL.';
comment on column texts.text is 'Visible text of the answer. NULL: no answer.';
comment on column texts.reasoning is 'Reasoning of the answer. NULL: no answer.';
comment on column texts.tool_calls_json is 'JSON list of {id, name, arguments}; arguments as they came. NULL: no answer.';
comment on column texts.response_headers_json is 'JSON list of [name, value] in the order received, credentials redacted; never NULL.';
comment on column texts.text_lossy is 'Whether bytes that are no UTF-8 were replaced in this row; the journal has them whole; never NULL.';

create table scores (
    run_id varchar not null,
    job_id varchar not null,
    endpoint varchar not null,
    task varchar not null,
    sample varchar not null,
    repeat integer not null,
    value double not null,
    answer varchar,
    explanation varchar not null,
    scorer varchar not null,
    version integer not null,
    text_lossy boolean not null
);
comment on table scores is 'One row for each scored completion; failures have none.';
comment on column scores.run_id is 'The run; never NULL.';
comment on column scores.job_id is 'The planned request; never NULL.';
comment on column scores.endpoint is 'provider/model; never NULL.';
comment on column scores.task is 'Name of the task; never NULL.';
comment on column scores.sample is 'Sample of the task; never NULL.';
comment on column scores.repeat is 'Repetition of the sample from 0; never NULL.';
comment on column scores.value is '0.0 wrong to 1.0 right, no unit; never NULL.';
comment on column scores.answer is 'What was read out of the completion. NULL: no answer could be found in it.';
comment on column scores.explanation is 'Why this value; never NULL.';
comment on column scores.scorer is 'Name of the scorer; never NULL.';
comment on column scores.version is 'Version of the scorer; never NULL.';
comment on column scores.text_lossy is 'Whether a character that UTF-8 cannot hold was replaced in this row; never NULL.';

create table verdicts (
    run_id varchar not null,
    endpoint varchar not null,
    probe varchar not null,
    rev integer not null,
    surface varchar not null,
    severity varchar not null,
    title varchar not null,
    verdict varchar not null,
    reason varchar not null,
    expected varchar not null,
    actual varchar not null,
    evidence varchar[] not null,
    text_lossy boolean not null
);
comment on table verdicts is 'One row for each probe and endpoint.';
comment on column verdicts.run_id is 'The run; never NULL.';
comment on column verdicts.endpoint is 'provider/model; never NULL.';
comment on column verdicts.probe is 'Id of the probe; never NULL.';
comment on column verdicts.rev is 'Revision of the probe; never NULL.';
comment on column verdicts.surface is 'Part of the API it looks at; never NULL.';
comment on column verdicts.severity is 'How much a break matters; never NULL.';
comment on column verdicts.title is 'What should be true; never NULL.';
comment on column verdicts.verdict is 'supported, partial, ignored, rejected, broken, untestable or skipped; never NULL.';
comment on column verdicts.reason is 'One line; never NULL.';
comment on column verdicts.expected is 'What should have been seen; empty: see title; never NULL.';
comment on column verdicts.actual is 'What was seen; empty: nothing to show; never NULL.';
comment on column verdicts.evidence is 'Job ids it rests on; never NULL.';
comment on column verdicts.text_lossy is 'Whether a character that UTF-8 cannot hold was replaced in this row; never NULL.';

-- A failed attempt has no latency: its times are NULL, also where a part of an answer had arrived.
create view attempt_metrics as
with marked as (
    select
        *,
        failure_kind is null as ok,
        coalesce(tokn_ns, case when not stream then eof_ns end) as end_ns,
        completion_tokens - greatest(chunk_events[1], 1) as later_tokens,
        row_number() over (
            partition by run_id, job_id
            order by failure_kind is not distinct from 'cancelled', number desc, shard desc, session desc
        ) = 1 as last_attempt
    from attempts
)
select
    run_id, job_id, number, last_attempt, endpoint, kind, stage, task, sample, repeat, phase, shard, session, started_at,
    ok, status, failure_kind, finish_reason, stream, clock, reused, in_flight,
    case when ok then (tok1_ns - send0_ns) / 1e6 end as ttft_ms,
    case when ok then (tok1_ns - sched_ns) / 1e6 end as ttft_sched_ms,
    case when ok then (vis1_ns - send0_ns) / 1e6 end as ttfvt_ms,
    case when ok then (tool1_ns - send0_ns) / 1e6 end as ttftool_ms,
    case when ok then (end_ns - send0_ns) / 1e6 end as e2e_ms,
    case when ok then (end_ns - sched_ns) / 1e6 end as e2e_sched_ms,
    case when ok and later_tokens >= 1 and tokn_ns > tok1_ns then (tokn_ns - tok1_ns) / 1e6 / later_tokens end as tpot_ms,
    case when ok then list_max(chunk_delta_us[2:]) / 1e3 end as chunk_gap_max_ms,
    completion_tokens as output_tokens,
    prompt_tokens, cached_tokens, reasoning_tokens,
    case when ok and end_ns > send0_ns then completion_tokens / ((end_ns - send0_ns) / 1e9) end as output_tokens_per_s,
    (admit_ns - sched_ns) / 1e6 as wait_ms,
    (coalesce(tls_ns, conn_ns) - admit_ns) / 1e6 as connect_ms,
    case when ok then (eof_ns - tokn_ns) / 1e6 end as close_lag_ms,
    cost_usd,
    lag_max_ns / 1e6 as lag_max_ms,
    coalesced_reads, n_reads, tool_calls, text_chars, len(deviations) as deviations_n
from marked;
comment on view attempt_metrics is 'The metrics of each attempt. A failed attempt has NULL latencies, also where a part of an answer had arrived.';
comment on column attempt_metrics.last_attempt is 'Whether it is the one that counts for its job: the last that we did not cancel ourselves.';
comment on column attempt_metrics.ok is 'Whether the completion may be scored and timed.';
comment on column attempt_metrics.ttft_ms is 'Time to first token: first output event (reasoning counts) since send, ms. NULL: failed or not streamed.';
comment on column attempt_metrics.ttft_sched_ms is 'The same since the planned arrival, ms; the honest number in an open loop. NULL: as ttft_ms.';
comment on column attempt_metrics.ttfvt_ms is 'Time to first visible token since send, ms. NULL: failed, not streamed, or none came.';
comment on column attempt_metrics.ttftool_ms is 'Time to the first tool-call event since send, ms. NULL: failed, not streamed, or none came.';
comment on column attempt_metrics.e2e_ms is 'Last output event since send, ms; end of response where not streamed. NULL: failed.';
comment on column attempt_metrics.e2e_sched_ms is 'The same since the planned arrival, ms. NULL: as e2e_ms.';
comment on column attempt_metrics.tpot_ms is 'Time per output token: (last - first output event) / (n - n1), n1 the events of the first read, ms. NULL: failed, not streamed, tokens not stated, or n - n1 under 1.';
comment on column attempt_metrics.chunk_gap_max_ms is 'Longest gap between two reads that held output, ms. NULL: failed, or fewer than two.';
comment on column attempt_metrics.output_tokens is 'completion_tokens as the server states them, of failed attempts too. NULL: not stated.';
comment on column attempt_metrics.output_tokens_per_s is 'Output tokens per second of e2e_ms. NULL: failed or tokens not stated.';
comment on column attempt_metrics.wait_ms is 'What the attempt waited for limits, ms.';
comment on column attempt_metrics.connect_ms is 'Name resolution, TCP and TLS, ms; not part of ttft_ms. NULL: kept connection, or not reached.';
comment on column attempt_metrics.close_lag_ms is 'End of response since the last output event, ms. NULL: failed or not streamed.';
comment on column attempt_metrics.cost_usd is 'USD, of failed attempts too where usage was stated. NULL: usage or a needed price is not known.';
comment on column attempt_metrics.lag_max_ms is 'How late this client read a packet at worst, ms. NULL: no kernel stamp.';
comment on column attempt_metrics.deviations_n is 'Tolerated deviations from the documented shape.';

create view quality_summary as
with judged as (
    select m.run_id, m.endpoint, m.task, m.kind, m.ok, m.failure_kind, m.cost_usd,
        case when m.ok then s.value end as value
    from attempt_metrics m
    left join scores s on s.run_id = m.run_id and s.job_id = m.job_id
    where m.kind in ('quality', 'tools') and m.last_attempt
),
counted as (
    select
        run_id, endpoint, task, kind,
        count(*) as n_asked,
        count(value) as n_scored,
        count(*) filter (where not ok and failure_kind <> 'cancelled') as n_failed,
        count(*) filter (where value = 1) as n_correct,
        avg(value) as mean_score
    from judged
    group by all
),
planned as (
    select t.run_id, e.endpoint, t.task, t.kind, t.n_samples * t.repeats as n_planned
    from tasks t join endpoints e using (run_id)
    where (select sealed from runs r where r.run_id = t.run_id)
)
select
    run_id, endpoint, task, coalesce(counted.kind, planned.kind) as kind,
    coalesce(n_planned, n_asked) as n_planned,
    coalesce(n_scored, 0) as n_scored,
    coalesce(n_failed, 0) as n_failed,
    coalesce(n_correct, 0) as n_correct,
    mean_score
from counted full join planned using (run_id, endpoint, task);
comment on view quality_summary is 'Quality and tool tasks by endpoint, from the attempt that counts of each job; failures are counted apart and are never wrong answers.';
comment on column quality_summary.n_planned is 'Planned requests: samples times repeats.';
comment on column quality_summary.n_scored is 'Completions with a score.';
comment on column quality_summary.n_failed is 'Jobs whose last attempt failed; those we cancelled are not among them.';
comment on column quality_summary.n_correct is 'Scores of exactly 1.';
comment on column quality_summary.mean_score is 'Mean of the scores, 0 to 1. NULL: nothing was scored.';

create view load_summary as
with objectives as (
    select run_id, task, any_value(slo_ttft_ms) as slo_ttft_ms, any_value(slo_tpot_ms) as slo_tpot_ms,
        any_value(slo_e2e_ms) as slo_e2e_ms
    from loads group by all
),
measured as (
    select
        m.*,
        case
            when coalesce(slo_ttft_ms, slo_tpot_ms, slo_e2e_ms) is null then null
            when not ok then false
            when coalesce(ttft_sched_ms <= slo_ttft_ms, tpot_ms <= slo_tpot_ms, e2e_sched_ms <= slo_e2e_ms) is null then null
            else coalesce(ttft_sched_ms <= slo_ttft_ms, true) and coalesce(tpot_ms <= slo_tpot_ms, true)
                and coalesce(e2e_sched_ms <= slo_e2e_ms, true)
        end as good
    from attempt_metrics m left join objectives using (run_id, task)
    where kind = 'load' and phase = 'measure' and failure_kind is distinct from 'cancelled'
),
sittings as (
    select
        run_id, endpoint, stage, session,
        (max(epoch_us(started_at) + round(e2e_ms * 1e3)) - min(epoch_us(started_at))) / 1e6 as seconds
    from measured group by all
),
windows as (select run_id, endpoint, stage, sum(seconds) as window_s from sittings group by all),
counted as (
    select
        run_id, endpoint, task, stage,
        count(*) as n,
        count(*) filter (where ok) as n_ok,
        count(*) filter (where not ok) as n_failed,
        count(ttft_ms) as ttft_n,
        quantile_cont(ttft_ms, 0.5) as ttft_p50_ms,
        quantile_cont(ttft_ms, 0.95) as ttft_p95_ms,
        quantile_cont(ttft_sched_ms, 0.5) as ttft_sched_p50_ms,
        quantile_cont(ttft_sched_ms, 0.95) as ttft_sched_p95_ms,
        quantile_cont(tpot_ms, 0.5) as tpot_p50_ms,
        quantile_cont(e2e_ms, 0.5) as e2e_p50_ms,
        quantile_cont(e2e_ms, 0.95) as e2e_p95_ms,
        case when count(*) filter (where ok and output_tokens is null) = 0 then sum(output_tokens) filter (where ok)::bigint end as output_tokens,
        quantile_cont(1000 / tpot_ms, 0.5) as speed_p50,
        case when count(*) filter (where ok and cost_usd is null) = 0 then sum(cost_usd) end as cost_usd,
        sum(coalesced_reads) filter (where ok) / nullif(sum(n_reads) filter (where ok), 0) as coalesced_share,
        case when count(distinct clock) filter (where ok) > 1 then 'mixed' else any_value(clock) filter (where ok) end as clock,
        max(lag_max_ms) as lag_max_ms,
        count(good) as slo_judged_n,
        count(*) filter (where good) as slo_good_n
    from measured group by all
)
select
    run_id, endpoint, task, stage, counted.n, n_ok, n_failed, ttft_n, ttft_p50_ms, ttft_p95_ms, ttft_sched_p50_ms, ttft_sched_p95_ms,
    tpot_p50_ms, e2e_p50_ms, e2e_p95_ms, output_tokens / nullif(window_s, 0) as output_tokens_per_s, speed_p50, cost_usd,
    coalesced_share, clock, lag_max_ms, output_tokens, window_s, slo_judged_n, slo_good_n,
    slo_good_n / nullif(slo_judged_n, 0) as slo_attainment, loads.position as level
from counted
join windows using (run_id, endpoint, stage)
left join loads using (run_id, task, stage);
comment on view load_summary is 'Measured load attempts by endpoint and stage; warm-ups and what we cancelled are left out. Percentiles are over ok attempts, interpolated.';
comment on column load_summary.n is 'Attempts: n_ok + n_failed.';
comment on column load_summary.ttft_n is 'Attempts that the TTFT percentiles rest on.';
comment on column load_summary.ttft_p50_ms is 'Median time to first token, ms. NULL: nothing to take it from; so for every percentile here.';
comment on column load_summary.ttft_sched_p50_ms is 'The same since the planned arrival, ms.';
comment on column load_summary.output_tokens_per_s is 'Throughput of the system: output_tokens / window_s. NULL: tokens of an ok attempt are not stated, or nothing was ok.';
comment on column load_summary.speed_p50 is 'Median over users of 1000 / tpot_ms, tokens per second.';
comment on column load_summary.cost_usd is 'USD. NULL: the cost of an ok attempt is not known.';
comment on column load_summary.coalesced_share is 'Share of reads that held more than one HTTP chunk, 0 to 1, over ok attempts. NULL: no reads.';
comment on column load_summary.clock is 'Source of the times of ok attempts: kernel, user or mixed. NULL: nothing was ok.';
comment on column load_summary.lag_max_ms is 'How late this client read a packet at worst, ms. NULL: no kernel stamp.';
comment on column load_summary.output_tokens is 'Tokens of ok attempts. NULL: those of an ok attempt are not stated, or nothing was ok.';
comment on column load_summary.window_s is 'From the first send to the last output event, seconds, added up over sittings. NULL: nothing was ok.';
comment on column load_summary.slo_judged_n is 'Attempts to which an objective applies; failed ones are among them. 0: no objectives.';
comment on column load_summary.slo_good_n is 'Attempts that met every objective that applies.';
comment on column load_summary.level is 'Place of the stage from 0, in the order of rising stress. NULL: not stated.';
comment on column load_summary.slo_attainment is 'slo_good_n / slo_judged_n. NULL: no objectives.';

create view feature_matrix as
select run_id, endpoint, probe, surface, severity, verdict, reason, title, expected, actual, rev from verdicts;
comment on view feature_matrix is 'What each endpoint supports, one row for each probe.';

create view error_summary as
select run_id, endpoint, failure_kind, count(*) as n, any_value(failure_detail) as example
from attempts
where failure_kind is not null and kind <> 'probe'
group by all;
comment on view error_summary is 'Failed attempts by kind, retried ones and those we cancelled too. Probes provoke errors and are left out.';
comment on column error_summary.n is 'Attempts.';
comment on column error_summary.example is 'Detail of one of them.';

create view endpoint_summary as
with everyone as (
    select run_id, endpoint from endpoints union select run_id, endpoint from attempts
    union select run_id, endpoint from verdicts
),
asked as (
    select
        run_id, endpoint,
        count(*) filter (where failure_kind is distinct from 'cancelled') as n,
        count(*) filter (where ok) as n_ok,
        count(*) filter (where not ok and failure_kind <> 'cancelled') as n_failed,
        count(*) filter (where failure_kind = 'cancelled') as n_cancelled
    from attempt_metrics where kind <> 'probe' group by all
),
spent as (
    select
        run_id, endpoint,
        sum(cost_usd) as known_usd,
        count(cost_usd) as cost_known_n,
        count(*) filter (where cost_usd is null and (
            (ok and kind <> 'probe') or prompt_tokens is not null or output_tokens is not null
        )) as cost_unknown_n
    from attempt_metrics group by all
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
moved as (
    select
        run_id, endpoint,
        case when count(*) filter (where n_ok > 0 and output_tokens is null) = 0
            then sum(output_tokens) / nullif(sum(window_s) filter (where n_ok > 0), 0) end as output_tokens_per_s
    from load_summary group by all
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
    ttft_p50_ms, ttft_p95_ms, coalesce(ttft_n, 0) as ttft_n, tpot_p50_ms, e2e_p50_ms, speed_p50, output_tokens_per_s,
    case when coalesce(cost_unknown_n, 0) = 0 then known_usd end as cost_usd,
    coalesce(cost_known_n, 0) as cost_known_n, coalesce(cost_unknown_n, 0) as cost_unknown_n,
    quality_mean, coalesce(quality_n, 0) as quality_n, coalesce(quality_failed_n, 0) as quality_failed_n,
    coalesce(features_failed, 0) as features_failed, coalesce(features_partial, 0) as features_partial,
    coalesce(features_supported, 0) as features_supported, coalesce(features_judged, 0) as features_judged
from everyone
left join asked using (run_id, endpoint)
left join spent using (run_id, endpoint)
left join timed using (run_id, endpoint)
left join moved using (run_id, endpoint)
left join scored using (run_id, endpoint)
left join probed using (run_id, endpoint);
comment on view endpoint_summary is 'One row for each endpoint of a run. Times are from measured ok load attempts only; probes provoke errors, so they are in no n.';
comment on column endpoint_summary.n is 'Quality, tool and load attempts, warm-ups too: n_ok + n_failed.';
comment on column endpoint_summary.n_cancelled is 'Attempts that we broke off ourselves; they are not in n.';
comment on column endpoint_summary.ttft_p50_ms is 'Median time to first token under load, ms. NULL: no load was run, or nothing was ok; so for every time here.';
comment on column endpoint_summary.ttft_n is 'Attempts that the TTFT percentiles rest on.';
comment on column endpoint_summary.speed_p50 is 'Median over users of 1000 / tpot_ms, tokens per second.';
comment on column endpoint_summary.output_tokens_per_s is 'Tokens of all load stages / seconds of all load stages. NULL: tokens not stated, or no load.';
comment on column endpoint_summary.cost_usd is 'USD over all attempts, failed ones, warm-ups and probes with stated usage too. NULL: a needed cost is not known, or nothing was spent on.';
comment on column endpoint_summary.cost_known_n is 'Attempts whose cost is known.';
comment on column endpoint_summary.cost_unknown_n is 'Attempts whose cost is needed and not known: ok ones but probes, and any with stated usage.';
comment on column endpoint_summary.quality_mean is 'Mean score over all scored completions of quality and tool tasks, 0 to 1. NULL: nothing was scored.';
comment on column endpoint_summary.quality_n is 'Completions with a score.';
comment on column endpoint_summary.quality_failed_n is 'Quality and tool jobs whose last attempt failed.';
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
