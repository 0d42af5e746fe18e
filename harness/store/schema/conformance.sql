-- What is supported, and how good that is: never blended with quality or speed.

create view feature_matrix as
select
    run_id, endpoint, probe, surface, severity, verdict, reason, title, expected, actual, rev, evidence, agree, samples
from verdicts;
comment on view feature_matrix is 'What each endpoint supports, one row for each probe.';

create view verdict_weights as
select
    run_id, endpoint, probe, surface, severity, verdict,
    case severity when 'core' then 5 when 'common' then 3 else 1 end as weight,
    case verdict when 'supported' then 1.0 when 'partial' then 0.6 when 'rejected' then 0.25 else 0.0 end as worth,
    verdict not in ('untestable', 'skipped') as judged,
    verdict != 'skipped' as tried,
    -- Nobody has to offer these; that they are not there is shown, and costs nothing.
    verdict = 'rejected' and surface in (
        'emb', 'cpl', 'resp', 'reason', 'vision', 'audio', 'file', 'opt'
    ) as absent
from verdicts;
comment on view verdict_weights is 'What each verdict counts for in support.';
comment on column verdict_weights.weight is 'core 5, common 3, ext 1; never NULL.';
comment on column verdict_weights.worth is 'supported 1, partial 0.6, rejected 0.25, else 0; never NULL.';
comment on column verdict_weights.judged is 'Whether it is a verdict other than untestable or skipped; never NULL.';
comment on column verdict_weights.tried is 'Whether it was not skipped; never NULL.';
comment on column verdict_weights.absent is 'Whether it rejects a surface that nobody has to offer, which is left out of support; never NULL.';

create view conformance_surface as
select
    run_id, endpoint, surface,
    count(*) as probes_n,
    count(*) filter (where judged) as judged_n,
    100 * sum(weight * worth) filter (where judged and not absent)
        / nullif(sum(weight) filter (where judged and not absent), 0) as support,
    count(*) filter (where judged and not absent) as support_n,
    count(*) filter (where verdict = 'broken') as broken_n,
    count(*) filter (where verdict = 'ignored') as ignored_n
from verdict_weights group by all;
comment on view conformance_surface is 'Support of each surface of the API by itself, as conformance_score has it of all of them.';
comment on column conformance_surface.probes_n is 'Probes of the surface in the run.';
comment on column conformance_surface.judged_n is 'Probes with a verdict other than untestable or skipped.';
comment on column conformance_surface.support is 'Percent, as in conformance_score. NULL: nothing was judged, or the surface says that it is not there.';
comment on column conformance_surface.support_n is 'Probes that support rests on.';
comment on column conformance_surface.broken_n is 'Probes with the verdict broken.';
comment on column conformance_surface.ignored_n is 'Probes with the verdict ignored.';

create view conformance_score as
with counted as (
    select
        run_id, endpoint,
        count(*) as probes_n,
        count(*) filter (where judged) as judged_n,
        100 * sum(weight * worth) filter (where judged and not absent)
            / nullif(sum(weight) filter (where judged and not absent), 0) as support,
        count(*) filter (where verdict = 'rejected')
            / nullif(count(*) filter (where verdict in ('rejected', 'ignored')), 0) as honesty,
        count(*) filter (where verdict = 'broken') as broken_n,
        count(*) filter (where verdict = 'broken' and severity = 'core') as broken_core_n,
        count(*) filter (where verdict = 'broken' and severity = 'common') as broken_common_n,
        count(*) filter (where verdict = 'broken' and severity = 'ext') as broken_ext_n,
        count(*) filter (where verdict = 'ignored') as ignored_n,
        count(*) filter (where verdict = 'ignored' and severity = 'core') as ignored_core_n,
        count(*) filter (where verdict = 'broken' and surface = 'isolation') as leaks_n,
        coalesce(bool_or(probe = 'chat.basic' and verdict not in ('supported', 'partial')), false) as mute,
        count(*) filter (where judged) / nullif(count(*) filter (where tried), 0) as evidence,
        count(*) filter (where judged and severity = 'core')
            / nullif(count(*) filter (where tried and severity = 'core'), 0) as core_evidence
    from verdict_weights
    group by all
)
select
    counted.*,
    case
        when mute or core_evidence is null or core_evidence < 0.8
            or not list_has_any(string_split(runs.probe_profile, ','), ['core', 'full', 'all']) then null
        when leaks_n > 0 then 'F'
        when support >= 95 and broken_core_n = 0 and ignored_core_n = 0 then 'A'
        when support >= 85 and broken_core_n = 0 then 'B'
        when support >= 70 then 'C'
        when support >= 50 then 'D'
        else 'E'
    end as grade
from counted join runs using (run_id);
comment on view conformance_score is 'How well an endpoint keeps to the API: two numbers, a count and a grade, of one endpoint, model and day.';
comment on column conformance_score.probes_n is 'Probes of the run.';
comment on column conformance_score.judged_n is 'Probes with a verdict other than untestable or skipped.';
comment on column conformance_score.support is 'Percent: weighed mean of supported 1, partial 0.6, rejected 0.25, ignored and broken 0; core weighs 5, common 3, ext 1; what is untestable or skipped, and optional surfaces that are not there, are left out. NULL: nothing was judged.';
comment on column conformance_score.honesty is 'Share: of what it does not do, how often it says so: rejected / (rejected + ignored). NULL: there was neither.';
comment on column conformance_score.broken_n is 'Probes with the verdict broken.';
comment on column conformance_score.broken_core_n is 'Of these, with severity core.';
comment on column conformance_score.broken_common_n is 'Of these, with severity common.';
comment on column conformance_score.broken_ext_n is 'Of these, with severity ext.';
comment on column conformance_score.ignored_core_n is 'Of the ignored, those with severity core.';
comment on column conformance_score.ignored_n is 'Probes with the verdict ignored.';
comment on column conformance_score.leaks_n is 'Broken probes of isolation: one request saw another.';
comment on column conformance_score.mute is 'Whether it does not answer a plain chat, which leaves hardly anything to be judged.';
comment on column conformance_score.evidence is 'Share of the probes tried that came to a verdict. NULL: none was tried.';
comment on column conformance_score.core_evidence is 'The same, of the core probes.';
comment on column conformance_score.grade is 'A to F: A from 95, B from 85, C from 70, D from 50 percent support; at most B with a core feature ignored, at most C with one broken, F where requests leak into one another. NULL: withheld, for it answers no chat, fewer than 80 percent of the core probes came to a verdict, or the profile has not all of them.';
