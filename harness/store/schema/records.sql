-- What was recorded: one row for each attempt, and what was judged of it.

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
    turn integer not null default 0,
    give_up_s double,
    input_tokens_asked integer,
    output_tokens_asked integer,
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
    api varchar,
    stream boolean not null,
    workload_sha256 varchar not null,
    clock varchar not null,
    reused boolean not null,
    coalesced_reads integer not null,
    n_reads integer not null,
    lag_max_ns bigint,
    in_flight integer not null,
    cached boolean not null default false,
    finish_reason varchar,
    prompt_tokens bigint,
    completion_tokens bigint,
    cached_tokens bigint,
    reasoning_tokens bigint,
    response_model varchar,
    system_fingerprint varchar,
    backend varchar,
    server_headers varchar[],
    server_times map(varchar, double),
    tool_calls integer,
    prompt_chars integer,
    text_chars integer,
    vectors integer,
    dimensions integer,
    chunk_delta_us integer[],
    chunk_events usmallint[],
    deviations varchar[] not null,
    contract_faults varchar[],
    cost_usd double,
    cost_source varchar,
    text_lossy boolean not null
);
comment on table attempts is 'One row for each request sent, or failed to be; a retry is another row. Marks are ns of the monotonic clock of (shard, session).';
comment on column attempts.run_id is 'The run; never NULL.';
comment on column attempts.job_id is 'The planned request; its retries share it; never NULL.';
comment on column attempts.number is '0 for the first try of its job; never NULL.';
comment on column attempts.endpoint is 'provider/model; never NULL.';
comment on column attempts.kind is 'quality, tools, judge, probe or load; never NULL.';
comment on column attempts.stage is 'Stage of the plan; never NULL.';
comment on column attempts.task is 'Name of the task, load or probe surface; never NULL.';
comment on column attempts.sample is 'Sample of the task; never NULL.';
comment on column attempts.repeat is 'Repetition of the sample from 0; never NULL.';
comment on column attempts.phase is 'warmup, measure or cooldown; the first and the last count for cost and failures only; never NULL.';
comment on column attempts.turn is 'Place in its session from 0; 0 too where there is no session; never NULL.';
comment on column attempts.give_up_s is 'Seconds after sending at which its user was to stop waiting. NULL: never.';
comment on column attempts.input_tokens_asked is 'Prompt tokens it was made for. NULL: nothing was asked for.';
comment on column attempts.output_tokens_asked is 'Output tokens it was made for. NULL: nothing was asked for.';
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
comment on column attempts.done_ns is 'Arrival of [DONE], or of the event that ends a response, ns. NULL: none came, or not streamed.';
comment on column attempts.started_at is 'UTC of send0, or of admit where nothing was sent; from the anchor of the session; never NULL.';
comment on column attempts.status is 'HTTP status. NULL: no response came.';
comment on column attempts.failure_kind is 'Why there is no completion. NULL: it succeeded.';
comment on column attempts.failure_detail is 'One line for a person. NULL: it succeeded.';
comment on column attempts.retry_after_s is 'Seconds the server asked us to wait. NULL: it did not ask.';
comment on column attempts.api is 'Which interface was asked: chat, responses or embeddings. NULL: another path, or a record older than this column.';
comment on column attempts.stream is 'Whether a streamed answer was asked for; never NULL.';
comment on column attempts.workload_sha256 is 'Equal hashes: the same question; never NULL.';
comment on column attempts.clock is 'Source of the read times: kernel, user or mixed; never NULL.';
comment on column attempts.reused is 'Whether a kept connection carried it; never NULL.';
comment on column attempts.coalesced_reads is 'Reads that held more than one HTTP chunk and so have one time for several writes; never NULL.';
comment on column attempts.n_reads is 'Reads that held body bytes; never NULL.';
comment on column attempts.lag_max_ns is 'Largest delay between arrival and our reading, ns. NULL: no kernel stamp.';
comment on column attempts.in_flight is 'Requests under way on the endpoint when it was sent, itself included; never NULL.';
comment on column attempts.cached is 'Whether the answer is a copy that an earlier run had kept: nothing was sent, it has no times and cost nothing; never NULL.';
comment on column attempts.finish_reason is 'As stated by the server. NULL: not stated.';
comment on column attempts.prompt_tokens is 'Tokens, as stated by the server. NULL: not stated.';
comment on column attempts.completion_tokens is 'Tokens, as stated by the server. NULL: not stated.';
comment on column attempts.cached_tokens is 'Tokens, the cached part of prompt_tokens. NULL: not stated.';
comment on column attempts.reasoning_tokens is 'Tokens, the reasoning part of completion_tokens. NULL: not stated.';
comment on column attempts.response_model is 'The model the server says it was. NULL: not stated.';
comment on column attempts.system_fingerprint is 'As stated by the server. NULL: not stated.';
comment on column attempts.backend is 'Who a gateway says that it asked, where its provider''s quirks say to look. NULL: not declared, not stated, no response, or sealed before this was looked at.';
comment on column attempts.server_headers is 'Headers that tell software or version, each as name: value; empty: none came. NULL: no response, or sealed before this was looked at.';
comment on column attempts.server_times is 'Milliseconds that the server says it measured, by name, where its provider''s quirks say to look. NULL: not declared, not stated, or sealed before this was looked at.';
comment on column attempts.tool_calls is 'Tool calls in the answer. NULL: no answer.';
comment on column attempts.prompt_chars is 'Characters of text in its messages or inputs. NULL: not counted, as in probes and loads.';
comment on column attempts.text_chars is 'Characters of visible text. NULL: no answer.';
comment on column attempts.vectors is 'Embeddings in the answer, one for each input. NULL: none.';
comment on column attempts.dimensions is 'Numbers of each of them. NULL: none.';
comment on column attempts.chunk_delta_us is 'Gaps between reads that held output, microseconds, the first since send0; gaps between chunks, not ITL. NULL: nothing was sent or no answer; empty: not streamed.';
comment on column attempts.chunk_events is 'Output events in each of those reads, same length as chunk_delta_us. NULL: as there.';
comment on column attempts.deviations is 'Tolerated deviations from the documented shape, by name; empty: none; never NULL.';
comment on column attempts.contract_faults is 'What the answer breaks of its contract once it is understood, by name; empty: nothing. NULL: failed, not a chat completion, or sealed before this was looked at.';
comment on column attempts.cost_usd is 'USD as the server reports it, else by stated usage and the prices of that time. NULL: usage or a needed price is not known.';
comment on column attempts.cost_source is 'reported (by the server), prices, or cache (an earlier run paid). NULL: the cost is not known.';
comment on column attempts.text_lossy is 'Whether a character that UTF-8 cannot hold was replaced in this row; never NULL.';

create table texts (
    run_id varchar not null,
    job_id varchar not null,
    number integer not null,
    request_body varchar,
    response_body varchar,
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
comment on column texts.response_body is 'The body as it came, event stream included; empty: none. NULL: a good answer under load, whose body the journal alone keeps.';
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
    value double,
    answer varchar,
    explanation varchar not null,
    scorer varchar not null,
    version integer not null,
    fault varchar,
    details_json varchar,
    cluster varchar,
    text_lossy boolean not null
);
comment on table scores is 'One row for each answer, or session of answers, that a scorer saw; failures have none.';
comment on column scores.run_id is 'The run; never NULL.';
comment on column scores.job_id is 'The planned request, the first one of a session; never NULL.';
comment on column scores.endpoint is 'provider/model; never NULL.';
comment on column scores.task is 'Name of the task; never NULL.';
comment on column scores.sample is 'Sample of the task; never NULL.';
comment on column scores.repeat is 'Repetition of the sample from 0; never NULL.';
comment on column scores.value is '0.0 wrong to 1.0 right, no unit. NULL: the answer cannot be judged, and fault says why.';
comment on column scores.answer is 'What was read out of the completion. NULL: no answer could be found in it.';
comment on column scores.explanation is 'Why this value; never NULL.';
comment on column scores.scorer is 'Name of the scorer; never NULL.';
comment on column scores.version is 'Version of the scorer; never NULL.';
comment on column scores.fault is 'Name of what keeps the answer from being judged. NULL: it was judged.';
comment on column scores.details_json is 'Named parts of the judgement as a JSON object. NULL: it has none.';
comment on column scores.cluster is 'What its sample has in common with others, so that their scores are not independent. NULL: it stands alone.';
comment on column scores.text_lossy is 'Whether a character that UTF-8 cannot hold was replaced in this row; never NULL.';

create table judgements (
    run_id varchar not null,
    job_id varchar not null,
    judge varchar not null,
    task varchar not null,
    sample varchar not null,
    repeat integer not null,
    turn integer not null,
    endpoint varchar not null,
    baseline varchar,
    endpoint_first boolean,
    verdict varchar,
    value double,
    fault varchar,
    reason varchar not null,
    text_lossy boolean not null
);
comment on table judgements is 'One row for each request by which another endpoint judged an answer that was there, or two of them.';
comment on column judgements.run_id is 'The run; never NULL.';
comment on column judgements.job_id is 'The planned request to the judge; never NULL.';
comment on column judgements.judge is 'provider/model of the judge; never NULL.';
comment on column judgements.task is 'Name of the task; never NULL.';
comment on column judgements.sample is 'Sample of the task; never NULL.';
comment on column judgements.repeat is 'Repetition of the sample from 0; never NULL.';
comment on column judgements.turn is 'Which answer of its session was judged, from 0; never NULL.';
comment on column judgements.endpoint is 'provider/model whose answer was judged; never NULL.';
comment on column judgements.baseline is 'provider/model whose answer it was compared with. NULL: it was rated by itself.';
comment on column judgements.endpoint_first is 'Whether the endpoint''s answer was shown before the baseline''s. NULL: it was rated by itself.';
comment on column judgements.verdict is 'The rating as it was read, 1 to 10; of a comparison win, tie or loss of the endpoint. NULL: there is none, and fault says why.';
comment on column judgements.value is 'The same from 0 to 1: (rating - 1) / 9, or 1, 0.5, 0. NULL: as verdict.';
comment on column judgements.fault is 'judge_failed or judge_unreadable. NULL: it was read.';
comment on column judgements.reason is 'The judge''s own words, clipped, or why there is no verdict; never NULL.';
comment on column judgements.text_lossy is 'Whether a character that UTF-8 cannot hold was replaced in this row; never NULL.';

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
    agree integer,
    samples integer,
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
comment on column verdicts.agree is 'Samples that gave this verdict. NULL: the harness that judged knew no samples.';
comment on column verdicts.samples is 'Samples that were judged; fewer that agree mean a flaky endpoint. NULL: as for agree.';
comment on column verdicts.text_lossy is 'Whether a character that UTF-8 cannot hold was replaced in this row; never NULL.';
