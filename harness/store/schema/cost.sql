-- What was paid, and what one got for it.

create view paid_hours as
select
    m.run_id, m.endpoint, m.stage, m.kind, m.task,
    (epoch_us(max(m.over_at)) - epoch_us(min(m.planned_at))) / 1e6 as span_s,
    any_value(e.usd_per_hour) as usd_per_hour,
    any_value(e.usd_per_hour) * span_s / 3600 as hourly_usd
from attempt_metrics m
join endpoints e using (run_id, endpoint)
where m.failure_kind is distinct from 'unasked'
group by m.run_id, m.endpoint, m.stage, m.kind, m.task;
comment on view paid_hours is 'How long each stage had an endpoint at work, and what that cost where a server is paid by the hour.';
comment on column paid_hours.span_s is 'Seconds from the first planned arrival to the end of the last attempt.';
comment on column paid_hours.usd_per_hour is 'USD of an hour of this server. NULL: it is not paid by the hour.';
comment on column paid_hours.hourly_usd is 'span_s x usd_per_hour, USD. NULL: it is not paid by the hour.';

create view item_cost as
with tried as (
    select
        run_id, endpoint, kind, task, sample, repeat,
        count(*) as attempts_n,
        case when not bool_or(cost_unknown) then sum(coalesce(cost_usd, 0)) end as tokens_usd,
        bool_or(cost_source = 'reported') as reported,
        sum(prompt_chars) as prompt_chars,
        sum(text_chars) as text_chars,
        sum(prompt_tokens) as prompt_tokens,
        sum(output_tokens) as output_tokens
    from attempt_metrics
    where kind in ('quality', 'tools') and failure_kind is distinct from 'unasked'
    group by all
),
counted as (
    select run_id, endpoint, task, count(*) as items_n from tried group by all
)
select
    t.run_id, t.endpoint, t.kind, t.task, t.sample, t.repeat, t.attempts_n,
    a.value,
    coalesce(h.hourly_usd / c.items_n, t.tokens_usd) as cost_usd,
    case when h.hourly_usd is not null then 'hours' when t.tokens_usd is null then null
        when t.reported then 'reported' else 'prices' end as basis,
    t.prompt_chars, t.text_chars, t.prompt_tokens, t.output_tokens
from tried t
join counted c using (run_id, endpoint, task)
left join answers a using (run_id, endpoint, kind, task, sample, repeat)
left join paid_hours h on h.run_id = t.run_id and h.endpoint = t.endpoint and h.task = t.task and h.kind = t.kind;
comment on view item_cost is 'One row for each item of a quality or tool task: what all its attempts cost, retries and failures too, and whether it was right.';
comment on column item_cost.attempts_n is 'Attempts, retries and later requests of the same item too.';
comment on column item_cost.value is 'Score, 0 to 1. NULL: it failed or cannot be judged.';
comment on column item_cost.cost_usd is 'USD; of a server paid by the hour its share of the stage. NULL: usage or a needed price is not known.';
comment on column item_cost.basis is 'hours, reported (by the server) or prices. NULL: cost not known.';
comment on column item_cost.prompt_chars is 'Characters of text that was sent. NULL: not counted.';
comment on column item_cost.text_chars is 'Characters of visible text that came. NULL: no answer.';
comment on column item_cost.prompt_tokens is 'Prompt tokens as stated, over all attempts. NULL: never stated.';
comment on column item_cost.output_tokens is 'Output tokens as stated, over all attempts. NULL: never stated.';

create view cost_summary as
select
    run_id, endpoint, kind, task,
    count(*) as items_n,
    sum(attempts_n)::bigint as attempts_n,
    count(value) as scored_n,
    count(*) filter (where value = 1) as right_n,
    case when count(cost_usd) = count(*) then sum(cost_usd) end as total_usd,
    case when count(distinct basis) <= 1 then any_value(basis) else 'mixed' end as basis,
    total_usd / count(*) as usd_per_item,
    total_usd / nullif(right_n, 0) as usd_per_right,
    total_usd * 1e6 / nullif(sum(prompt_chars) + sum(coalesce(text_chars, 0)), 0) as usd_per_mchar,
    total_usd * 1e6 / nullif(sum(prompt_tokens) + sum(output_tokens), 0) as usd_per_mtok,
    sum(prompt_chars) / nullif(sum(prompt_tokens), 0) as chars_per_prompt_token
from item_cost
group by all;
comment on view cost_summary is 'What a quality or tool task cost on each endpoint, all attempts counted.';
comment on column cost_summary.items_n is 'Items asked: samples times repeats.';
comment on column cost_summary.attempts_n is 'Attempts: more than items where there were retries or items of several requests.';
comment on column cost_summary.scored_n is 'Items with a score.';
comment on column cost_summary.right_n is 'Items with a score of exactly 1.';
comment on column cost_summary.total_usd is 'USD. NULL: the cost of an item is not known.';
comment on column cost_summary.basis is 'hours, reported, prices or mixed. NULL: no cost is known.';
comment on column cost_summary.usd_per_item is 'total_usd / items_n, USD. NULL: cost not known.';
comment on column cost_summary.usd_per_right is 'total_usd / right_n, USD. NULL: cost not known, or none was right.';
comment on column cost_summary.usd_per_mchar is 'USD for a million characters of text sent and received; tokenizers differ, characters do not. NULL: cost or characters not known.';
comment on column cost_summary.usd_per_mtok is 'USD for a million stated tokens, prompt and output together. NULL: cost or tokens not known.';
comment on column cost_summary.chars_per_prompt_token is 'Characters sent for each stated prompt token. NULL: not stated.';
