-- What was sampled while a load ran: the server's own metrics and this client's health.

create table server_samples (
    run_id varchar not null,
    endpoint varchar not null,
    at_ns bigint not null,
    "at" timestamp not null,
    waiting double,
    running double,
    kv_usage double,
    ttft_s_sum double,
    ttft_s_count double,
    itl_s_sum double,
    itl_s_count double,
    tpot_s_sum double,
    tpot_s_count double,
    e2e_s_sum double,
    e2e_s_count double,
    queue_s_sum double,
    queue_s_count double,
    prompt_tokens_total double,
    generation_tokens_total double,
    prefix_hits_total double,
    prefix_queries_total double,
    preemptions_total double
);
comment on table server_samples is 'What the server''s metrics page said, one row for each reading. Counters only rise; one that fell was restarted.';
comment on column server_samples.run_id is 'The run; never NULL.';
comment on column server_samples.endpoint is 'provider/model; never NULL.';
comment on column server_samples.at_ns is 'When it was read, ns of this client''s monotonic clock; never NULL.';
comment on column server_samples."at" is 'When it was read, UTC; never NULL.';
comment on column server_samples.waiting is 'Requests waiting at the server. NULL: the server does not say.';
comment on column server_samples.running is 'Requests being served. NULL: the server does not say.';
comment on column server_samples.kv_usage is 'Share of the KV cache in use, 0 to 1. NULL: the server does not say.';
comment on column server_samples.ttft_s_sum is 'Counter: seconds to first token, added up. NULL: the server does not say.';
comment on column server_samples.ttft_s_count is 'Counter: requests in ttft_s_sum. NULL: the server does not say.';
comment on column server_samples.itl_s_sum is 'Counter: seconds between tokens, added up. NULL: the server does not say.';
comment on column server_samples.itl_s_count is 'Counter: gaps in itl_s_sum. NULL: the server does not say.';
comment on column server_samples.tpot_s_sum is 'Counter: seconds per output token of each request, added up. NULL: the server does not say.';
comment on column server_samples.tpot_s_count is 'Counter: requests in tpot_s_sum. NULL: the server does not say.';
comment on column server_samples.e2e_s_sum is 'Counter: seconds of whole requests, added up. NULL: the server does not say.';
comment on column server_samples.e2e_s_count is 'Counter: requests in e2e_s_sum. NULL: the server does not say.';
comment on column server_samples.queue_s_sum is 'Counter: seconds in the queue, added up. NULL: the server does not say.';
comment on column server_samples.queue_s_count is 'Counter: requests in queue_s_sum. NULL: the server does not say.';
comment on column server_samples.prompt_tokens_total is 'Counter: prompt tokens. NULL: the server does not say.';
comment on column server_samples.generation_tokens_total is 'Counter: generated tokens. NULL: the server does not say.';
comment on column server_samples.prefix_hits_total is 'Counter: prompt tokens found in the prefix cache. NULL: the server does not say.';
comment on column server_samples.prefix_queries_total is 'Counter: prompt tokens looked up in the prefix cache. NULL: the server does not say.';
comment on column server_samples.preemptions_total is 'Counter: requests put back to make room. NULL: the server does not say.';

create table client_samples (
    run_id varchar not null,
    shard integer not null,
    at_ns bigint not null,
    window_ns bigint not null,
    lag_max_ns bigint not null,
    lag_sum_ns bigint not null,
    lag_n integer not null,
    cpu_ns bigint not null
);
comment on table client_samples is 'How busy this client was, one row for each short window; the windows follow one another.';
comment on column client_samples.run_id is 'The run; never NULL.';
comment on column client_samples.shard is 'Which writing process; never NULL.';
comment on column client_samples.at_ns is 'End of the window, ns of the monotonic clock of the marks; never NULL.';
comment on column client_samples.window_ns is 'Length of the window, ns; never NULL.';
comment on column client_samples.lag_max_ns is 'How late the event loop was at worst in the window, ns; never NULL.';
comment on column client_samples.lag_sum_ns is 'Lateness of the event loop, added up over the window, ns; never NULL.';
comment on column client_samples.lag_n is 'Times that lateness was taken in the window; never NULL.';
comment on column client_samples.cpu_ns is 'Processor time of the process since its start, ns; never NULL.';
