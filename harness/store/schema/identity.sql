-- Who answered: what answers say of model, configuration, backend and server, and whether it stayed the same.

create view identities as
with answered as (
    select
        run_id, endpoint, job_id, number, shard, session, started_at,
        response_model, system_fingerprint, backend, coalesce(server_headers, []) as headers
    from attempts
    where failure_kind is null and not cached and kind <> 'probe'
),
named as (
    select distinct run_id, endpoint, split_part(unnest(headers), ': ', 1) as header from answered
),
told as (
    select run_id, endpoint, job_id, number, shard, session, started_at,
        unnest(['model', 'system_fingerprint', 'backend']) as part,
        unnest([response_model, system_fingerprint, backend]) as value
    from answered
    union all
    select run_id, endpoint, job_id, number, shard, session, started_at,
        header as part,
        list_filter(headers, lambda one: starts_with(one, header || ': '))[1][len(header) + 3:] as value
    from answered join named using (run_id, endpoint)
),
seen as (
    select
        run_id, endpoint, part, value,
        count(*) as n,
        min(started_at) as first_at,
        max(started_at) as last_at,
        arg_min(job_id, started_at) as example_job_id
    from told group by all
),
parts as (
    select run_id, endpoint, part, count(*) as n_values from seen group by all having count(value) > 0
),
-- Putting all answers in order is the dearest part, and mostly there is one value of everything.
placed as (
    select told.*,
        row_number() over in_time as place,
        row_number() over in_time > 1 and value is distinct from lag(value) over in_time as switched
    from told join parts using (run_id, endpoint, part)
    where n_values > 1
    window in_time as (partition by run_id, endpoint, part order by started_at, job_id, number, shard, session)
),
moved as (
    select run_id, endpoint, part, value, min(place) as first_place, count(*) filter (where switched) as n_switches
    from placed group by all
)
select
    s.run_id, s.endpoint, s.part, s.value, s.n,
    coalesce(m.first_place, 1) as first_place,
    s.first_at, s.last_at,
    coalesce(m.n_switches, 0) as n_switches,
    s.example_job_id
from seen s
join parts using (run_id, endpoint, part)
left join moved m on m.run_id = s.run_id and m.endpoint = s.endpoint and m.part = s.part
    and m.value is not distinct from s.value;
comment on view identities is 'What the answers of an endpoint say of who gave them, one row for each value of each part; a part that no answer tells has no row. Failures, probes and copies from the cache are left out.';
comment on column identities.part is 'model, system_fingerprint, backend, or the name of a header that tells software or version; never NULL.';
comment on column identities.value is 'As stated. NULL: these answers do not tell it, though others do.';
comment on column identities.n is 'Answers that state it.';
comment on column identities.first_place is 'Place of the first of them among the endpoint''s answers by time of sending, from 1.';
comment on column identities.first_at is 'UTC of the sending of the first of them.';
comment on column identities.last_at is 'UTC of the sending of the last of them.';
comment on column identities.n_switches is 'How often it follows another value, by time of sending.';
comment on column identities.example_job_id is 'The first job that has it.';

create view server_times as
with told as (
    select run_id, endpoint, stage, phase,
        unnest(map_keys(server_times)) as name, unnest(map_values(server_times)) as ms
    from attempts
    where server_times is not null and failure_kind is null and not cached and kind <> 'probe'
)
select run_id, endpoint, stage, name, count(*) as n,
    quantile_cont(ms, 0.5) as p50_ms, quantile_cont(ms, 0.95) as p95_ms
from told
where phase = 'measure'
group by all;
comment on view server_times is 'What servers say that they measured themselves in the measured phase of a stage, beside what this client measured; nothing is checked.';
comment on column server_times.name is 'As the provider''s quirks call it, for example queue_ms; never NULL.';
comment on column server_times.n is 'Answers that state it.';
comment on column server_times.p50_ms is 'Milliseconds, the median.';
comment on column server_times.p95_ms is 'Milliseconds, the 95th percentile; of few answers it says little.';
