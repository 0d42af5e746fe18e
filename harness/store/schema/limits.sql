-- What an endpoint's rate limits are, as it says and as it does.

create view rate_limits as
with told as (
    select
        a.run_id, a.endpoint, a.status, a.failure_kind, a.started_at,
        try_cast(regexp_extract(t.response_headers_json, '"x-ratelimit-limit-requests", ?"(\d+)"', 1) as bigint) as requests,
        try_cast(regexp_extract(t.response_headers_json, '"x-ratelimit-limit-tokens", ?"(\d+)"', 1) as bigint) as tokens,
        try_cast(regexp_extract(t.response_headers_json, '"x-ratelimit-remaining-requests", ?"(\d+)"', 1) as bigint) as remaining,
        a.retry_after_s
    from attempts a join texts t using (run_id, job_id, number)
),
first as (
    select run_id, endpoint, min(started_at) as refused_at
    from told where failure_kind = 'throttled' group by all
)
select
    run_id, endpoint,
    count(*) filter (where failure_kind = 'throttled') as throttled_n,
    max(requests) as requests_per_minute_stated,
    max(tokens) as tokens_per_minute_stated,
    min(remaining) as requests_remaining_min,
    median(retry_after_s) filter (where failure_kind = 'throttled') as retry_after_p50_s,
    count(*) filter (where started_at >= refused_at and status between 200 and 299) as accepted_after_n,
    epoch_us(max(started_at) - any_value(refused_at)) / 1e6 as after_s,
    accepted_after_n * 60 / nullif(after_s, 0) as requests_per_minute_seen
from told left join first using (run_id, endpoint)
group by all;
comment on view rate_limits is 'Rate limits of each endpoint of a run: what its headers state, and what it let through once it had refused.';
comment on column rate_limits.throttled_n is 'Attempts answered with 429.';
comment on column rate_limits.requests_per_minute_stated is 'Largest x-ratelimit-limit-requests, which most vendors mean per minute. NULL: not stated.';
comment on column rate_limits.tokens_per_minute_stated is 'Largest x-ratelimit-limit-tokens, which most vendors mean per minute. NULL: not stated.';
comment on column rate_limits.requests_remaining_min is 'Smallest x-ratelimit-remaining-requests. NULL: not stated.';
comment on column rate_limits.retry_after_p50_s is 'Median Retry-After of the refusals, seconds. NULL: nothing was refused, or it was not stated.';
comment on column rate_limits.accepted_after_n is 'Attempts that were accepted after the first refusal; 0 where nothing was refused.';
comment on column rate_limits.after_s is 'From the first refusal to the last attempt, seconds. NULL: nothing was refused.';
comment on column rate_limits.requests_per_minute_seen is 'accepted_after_n per minute of after_s: the limit as it acts, once a burst allowance is spent. NULL: nothing was refused.';
