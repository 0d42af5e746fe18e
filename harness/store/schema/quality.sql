-- What was right, and what failed.

create view quality_summary as
with counted as (
    select
        run_id, endpoint, task, kind,
        count(*) as n_asked,
        count(value) as n_scored,
        count(*) filter (where outcome = 'failed') as n_failed,
        count(*) filter (where outcome = 'invalid') as n_invalid,
        count(*) filter (where value = 1) as n_correct,
        avg(value) as mean_score
    from answers
    group by all
),
planned as (
    select t.run_id, e.endpoint, t.task, t.kind, t.n_samples * t.repeats * coalesce(e.times, 1) as n_planned
    from tasks t join endpoints e using (run_id)
    where (select sealed from runs r where r.run_id = t.run_id)
)
select
    run_id, endpoint, task, coalesce(counted.kind, planned.kind) as kind,
    coalesce(n_planned, n_asked) as n_planned,
    coalesce(n_scored, 0) as n_scored,
    coalesce(n_failed, 0) as n_failed,
    coalesce(n_invalid, 0) as n_invalid,
    coalesce(n_correct, 0) as n_correct,
    mean_score
from counted full join planned using (run_id, endpoint, task);
comment on view quality_summary is 'Quality and tool tasks by endpoint, by samples times repeats, from the attempt that counts of each request; failures are counted apart and are never wrong answers.';
comment on column quality_summary.n_planned is 'Samples times repeats, whatever number of requests each takes.';
comment on column quality_summary.n_scored is 'Samples times repeats with a score.';
comment on column quality_summary.n_failed is 'Samples times repeats of which a request failed for good; those we cancelled are not among them.';
comment on column quality_summary.n_invalid is 'Answers that cannot be judged, since they break their contract or the item cannot be passed; neither scored nor failed.';
comment on column quality_summary.n_correct is 'Scores of exactly 1.';
comment on column quality_summary.mean_score is 'Mean of the scores, 0 to 1. NULL: nothing was scored.';

create view error_summary as
select run_id, endpoint, failure_kind, count(*) as n, any_value(failure_detail) as example
from attempts
where failure_kind is not null and failure_kind <> 'unneeded' and kind not in ('probe', 'judge')
group by all;
comment on view error_summary is 'Failed attempts by kind, retried ones and those set apart (cancelled, abandoned, unasked) too. Probes provoke errors and are left out, and so are requests that turned out not to be needed; a judge''s failures are in judge_summary.';
comment on column error_summary.n is 'Attempts.';
comment on column error_summary.example is 'Detail of one of them.';

create view contract_faults as
with answered as (
    select run_id, endpoint, job_id, number, contract_faults
    from attempts
    where contract_faults is not null and kind not in ('probe', 'judge')
),
named as (
    select run_id, endpoint, job_id, number, unnest(contract_faults) as fault
    from answered
),
completions as (
    select run_id, endpoint, count(*) as n_completions
    from answered
    group by all
)
select
    run_id, endpoint, fault,
    count(*) as n,
    count(*) / any_value(n_completions) as share,
    arg_min(job_id, (job_id, number)) as example_job_id
from named join completions using (run_id, endpoint)
group by all;
comment on view contract_faults is 'Faults of the contract of chat completions, by name; an answer may have several. A name that no answer of the endpoint has has no row. Probes provoke faults and are left out.';
comment on column contract_faults.fault is 'Name, as harness.contract has it; never NULL.';
comment on column contract_faults.n is 'Completions that have it, each attempt counted.';
comment on column contract_faults.share is 'n of the completions of the endpoint, 0 to 1; failures are not among them.';
comment on column contract_faults.example_job_id is 'A job that has it, the first by name; never NULL.';
