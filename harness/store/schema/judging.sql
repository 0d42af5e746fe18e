-- What judges did, and how they compared.

create view judge_summary as
with asked as (
    select
        run_id, endpoint as judge,
        count(*) filter (where last_attempt and not set_apart) as n,
        count(*) filter (where last_attempt and ok) as n_ok,
        count(*) filter (where last_attempt and not ok and not set_apart) as n_failed,
        count(*) filter (where last_attempt and set_apart) as n_unasked,
        mode(failure_kind) filter (where last_attempt and not ok and not set_apart) as failure_kind,
        sum(prompt_tokens) as prompt_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_usd) as known_usd,
        count(*) filter (where cost_unknown) as cost_unknown_n
    from attempt_metrics where kind = 'judge' group by all
),
read as (
    select run_id, judge, count(value) as n_judged, count(*) filter (where fault = 'judge_unreadable') as n_unreadable,
        count(*) filter (where fault = 'judge_failed') as n_unanswered
    from judgements group by all
)
select
    run_id, judge, n, n_ok, n_failed, n_unasked, coalesce(n_judged, 0) as n_judged,
    coalesce(n_unreadable, 0) as n_unreadable, coalesce(n_unanswered, 0) as n_unanswered, failure_kind, prompt_tokens, output_tokens,
    case when cost_unknown_n = 0 then known_usd end as cost_usd, cost_unknown_n
from asked left join read using (run_id, judge);
comment on view judge_summary is 'Each judge of a run: what it was asked, what of it could be read, and what it cost. None of it is in the figures of the endpoints that it judged, nor in its own as one of them.';
comment on column judge_summary.judge is 'provider/model.';
comment on column judge_summary.n is 'Requests to it: n_ok + n_failed.';
comment on column judge_summary.n_unasked is 'Planned requests that were not sent: the answer did not come, the judge was lost, or the run was stopped.';
comment on column judge_summary.n_judged is 'Judgements that could be read.';
comment on column judge_summary.n_unreadable is 'Replies whose last line was not what was asked for: neither a good nor a bad judgement.';
comment on column judge_summary.n_unanswered is 'Answers that were there and that it gave no reply on, for whatever reason.';
comment on column judge_summary.failure_kind is 'The commonest failure. NULL: none.';
comment on column judge_summary.prompt_tokens is 'Tokens, as stated by the server, of all its attempts. NULL: none stated any.';
comment on column judge_summary.output_tokens is 'The same of its replies. NULL: none stated any.';
comment on column judge_summary.cost_usd is 'USD over all its attempts. NULL: a needed cost is not known.';
comment on column judge_summary.cost_unknown_n is 'Attempts whose cost is needed and not known.';

create view judged_pairs as
with orders as (
    select run_id, judge, task, sample, repeat, turn, endpoint, baseline,
        count(*) as n, count(value) as n_read, min(value) as low, max(value) as high
    from judgements where baseline is not null group by all
)
select
    run_id, judge, task, sample, repeat, turn, endpoint, baseline,
    case when n = 2 and n_read = 2 then low = high end as consistent,
    case when n = 2 and n_read = 2 then case when low = high then low else 0.5 end end as value
from orders;
comment on view judged_pairs is 'Comparisons in both orders by one judge: a win counts only where both orders agree, else it is a tie.';
comment on column judged_pairs.consistent is 'Whether both orders gave the same verdict. NULL: one of them is missing or could not be read.';
comment on column judged_pairs.value is '1: the endpoint is better, 0: the baseline is, 0.5: a tie, or the two orders contradict each other. NULL: as consistent.';
