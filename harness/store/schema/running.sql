-- How a run went: what was answered at the first try, what trying again cost, what was not asked at all.

create view request_summary as
with tries as (
    select
        m.run_id, m.endpoint, m.job_id, m.ok, m.cost_usd, m.cost_unknown, a.cached,
        row_number() over (partition by m.run_id, m.job_id order by m.number, m.shard, m.session) as try
    from attempt_metrics m join attempts a using (run_id, job_id, number, shard, session)
    where m.kind not in ('probe', 'judge') and not m.set_apart
),
jobs as (
    select
        run_id, endpoint, job_id,
        count(*) as tries_n,
        min(try) filter (where ok) as ok_at,
        coalesce(sum(cost_usd) filter (where try > 1), 0) as retries_usd,
        count(*) filter (where try > 1 and cost_unknown) as retries_unknown_n,
        bool_or(ok and cached) as cached
    from tries group by all
),
asked as (
    select
        run_id, endpoint,
        count(*) as n_asked,
        count(*) filter (where ok_at = 1) as n_answered_first,
        count(ok_at) as n_answered,
        max(tries_n) as tries_max,
        list(ok_at) filter (where ok_at is not null) as ok_at_all,
        sum(tries_n - 1)::bigint as n_retries,
        case when sum(retries_unknown_n) = 0 then sum(retries_usd) end as retries_cost_usd,
        count(*) filter (where cached) as n_cached
    from jobs group by all
),
unasked as (
    select
        run_id, endpoint,
        count(*) as n_given_up,
        min(substr(a.failure_detail, 11)) as given_up_why
    from attempt_metrics m join attempts a using (run_id, endpoint, job_id, number, shard, session)
    where m.last_attempt and a.failure_kind = 'unasked' and starts_with(a.failure_detail, 'given up: ')
    group by all
)
select
    run_id, endpoint,
    coalesce(n_asked, 0) as n_asked,
    coalesce(n_answered_first, 0) as n_answered_first,
    coalesce(n_answered, 0) as n_answered,
    coalesce(list_transform(range(1, tries_max + 1), lambda r: len(list_filter(coalesce(ok_at_all, []), lambda n: n <= r))), []) as n_answered_within,
    coalesce(n_retries, 0) as n_retries,
    retries_cost_usd,
    coalesce(n_cached, 0) as n_cached,
    coalesce(n_given_up, 0) as n_given_up,
    given_up_why
from asked full join unasked using (run_id, endpoint);
comment on view request_summary is 'Requests of each endpoint (not probes, nor what it was asked as a judge) by tries: what failed by our own doing (cancelled, abandoned, unasked) is no try.';
comment on column request_summary.n_asked is 'Jobs that were asked at least once.';
comment on column request_summary.n_answered_first is 'Of these, answered at the first try.';
comment on column request_summary.n_answered is 'Of these, answered at last.';
comment on column request_summary.n_answered_within is 'Answered within 1, 2, 3 ... tries, up to the most that any job took; empty: none was asked.';
comment on column request_summary.n_retries is 'Tries after the first.';
comment on column request_summary.retries_cost_usd is 'USD of the tries after the first, by stated usage; refusals cost nothing. NULL: a needed cost is not known, or nothing was asked.';
comment on column request_summary.n_cached is 'Answers that came from the cache of earlier runs: they cost nothing and have no times.';
comment on column request_summary.n_given_up is 'Jobs, probes and judgements too, that were not asked since the endpoint was given up; harness resume asks them.';
comment on column request_summary.given_up_why is 'Why. NULL: it was not given up.';
