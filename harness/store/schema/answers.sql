-- What came of each question that was to be scored, and of its repeats together.

-- A question may take several requests (turns): one that failed leaves it without a score.
create view answers as
with judged as (
    select
        m.run_id, m.endpoint, m.kind, m.task, m.sample, m.repeat, m.turn, m.ok, m.set_apart, m.failure_kind,
        m.workload_sha256, s.scorer is not null as seen, s.value, s.fault, s.cluster
    from attempt_metrics m
    left join scores s on s.run_id = m.run_id and s.job_id = m.job_id and m.ok
    where m.kind in ('quality', 'tools') and m.last_attempt
),
together as (
    select
        run_id, endpoint, kind, task, sample, repeat,
        min(failure_kind) filter (where not ok and not set_apart) as failure_kind,
        any_value(value) as found,
        any_value(fault) as named,
        bool_or(seen) as seen,
        bool_or(failure_kind is not distinct from 'cancelled') as cancelled,
        bool_and(set_apart) as unasked,
        any_value(cluster) as cluster,
        arg_min(workload_sha256, turn) as workload_sha256
    from judged group by all
)
select
    run_id, endpoint, kind, task, sample, repeat,
    case
        when failure_kind is not null then 'failed'
        when found is not null then 'scored'
        when seen then 'invalid'
        when cancelled or unasked then 'not asked'
        else 'not judged'
    end as outcome,
    case outcome when 'failed' then failure_kind when 'invalid' then coalesce(named, 'not stated') end as reason,
    case when outcome = 'scored' then found end as value,
    cluster, workload_sha256
from together;
comment on view answers is 'One row for each question of a quality or tool task and each time it was asked: what came of it.';
comment on column answers.outcome is 'scored; failed: no answer; invalid: an answer that cannot be judged; not judged: an answer that no scorer saw; not asked: broken off by us.';
comment on column answers.reason is 'Kind of the failure, or fault of the invalid answer. NULL: another outcome.';
comment on column answers.value is 'Its score, 0 to 1. NULL: not scored.';
comment on column answers.workload_sha256 is 'Of its first request: equal hashes, the same question.';

create view question_scores as
select
    run_id, endpoint, kind, task, sample,
    count(*) filter (where outcome <> 'not asked') as n_asked,
    count(value) as n_scored,
    count(*) filter (where value >= 1) as n_right,
    avg(value) as mean_score,
    var_samp(value) as variance,
    any_value(cluster) as cluster,
    any_value(workload_sha256) as workload_sha256
from answers group by all;
comment on view question_scores is 'One row for each question and endpoint, its repeats together: the unit of intervals and comparisons.';
comment on column question_scores.n_asked is 'Times it was asked, whatever came of it.';
comment on column question_scores.n_scored is 'Times it was scored.';
comment on column question_scores.n_right is 'Scores of 1.';
comment on column question_scores.mean_score is 'Mean of its scores, 0 to 1. NULL: never scored.';
comment on column question_scores.variance is 'Unbiased variance of its scores. NULL: scored fewer than two times.';
