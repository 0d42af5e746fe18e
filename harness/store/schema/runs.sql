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
comment on column runs.status is 'running, interrupted, partial (a worker was lost), finished or failed; running with no living writer is shown as interrupted. NULL: the manifest cannot be read.';
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
    price_source varchar,
    usd_per_hour double,
    times integer
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
comment on column endpoints.times is 'How often it was asked what the others were asked once: 2 for the reference of a verification, which is compared with itself. NULL: not stated.';
comment on column endpoints.usd_per_hour is 'USD of an hour of a server of one''s own. NULL: it is paid by the token, or not known.';

create view endpoint_marks as
select endpoint, (row_number() over (order by min(created_at) nulls last, min(run_id), min(position), endpoint) - 1)::integer
    as mark
from endpoints left join runs using (run_id)
group by endpoint;
comment on view endpoint_marks is 'Every endpoint of the store in the order of its first appearance: a later run changes no earlier number, so an endpoint keeps its colour.';
comment on column endpoint_marks.mark is 'Its number from 0, which stands for a colour and a shape in every chart and table; never NULL.';

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
    block integer,
    slo_ttft_ms double,
    slo_tpot_ms double,
    slo_e2e_ms double
);
comment on table loads is 'The load levels of each run, one row each.';
comment on column loads.run_id is 'The run; never NULL.';
comment on column loads.task is 'Name of the load; never NULL.';
comment on column loads.version is 'Version of the load. NULL: not stated.';
comment on column loads.stage is 'Stage of the level, as in attempts; never NULL.';
comment on column loads.position is 'Place of the level from 0, in the order in which they were asked, which is that of rising stress within a block; never NULL.';
comment on column loads.law is 'Arrival law, for people. NULL: not stated.';
comment on column loads.n is 'Measured requests per endpoint. NULL: not stated.';
comment on column loads.block is 'Which time from 1 on the levels of the load were gone through; the stage ends with it. NULL: once.';
comment on column loads.slo_ttft_ms is 'Objective for the time to first token from the planned arrival, ms. NULL: no such objective.';
comment on column loads.slo_tpot_ms is 'Objective for the time per output token, ms. NULL: no such objective.';
comment on column loads.slo_e2e_ms is 'Objective for the whole answer from the planned arrival, ms. NULL: no such objective.';
