-- name: describe
INSERT INTO channel (tenant_id, build, slug, name, realm, role, access, topics, sensitive, position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (tenant_id, build, slug) DO UPDATE
   SET name = excluded.name, realm = excluded.realm, role = excluded.role, access = excluded.access, topics = excluded.topics,
       sensitive = excluded.sensitive, position = excluded.position WHERE channel.position <= excluded.position;

-- name: count
-- A channel whose opening is parked is shown by its slug until that is replayed.
INSERT INTO channel (tenant_id, build, slug, name, realm, role, access, topics, sensitive, position, touchpoints, posts, reach, gives, promotes)
SELECT $1, $2, x.slug, x.slug, 'virtual', 'outpost', 'open', '{}', false, 0, x.touchpoints, x.posts, x.reach, x.gives, x.promotes
  FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
       AS x (slug, touchpoints, posts, reach, gives, promotes)
    ON CONFLICT (tenant_id, build, slug) DO UPDATE
   SET touchpoints = channel.touchpoints + excluded.touchpoints, posts = channel.posts + excluded.posts,
       reach = channel.reach + excluded.reach, gives = channel.gives + excluded.gives, promotes = channel.promotes + excluded.promotes;

-- name: count_days
INSERT INTO channel_day (tenant_id, build, slug, day, acts, gives, promotes)
SELECT $1, $2, x.* FROM unnest($3::text[], $4::int[], $5::int[], $6::int[], $7::int[]) AS x (slug, day, acts, gives, promotes)
    ON CONFLICT (tenant_id, build, slug, day) DO UPDATE
   SET acts = channel_day.acts + excluded.acts, gives = channel_day.gives + excluded.gives, promotes = channel_day.promotes + excluded.promotes;

-- name: happened
-- When these touchpoints happened, by their streams.
SELECT stream, occurred_at FROM event WHERE tenant_id = $1 AND stream = ANY ($2) AND type = 'touchpoint.recorded';

-- name: realms
SELECT slug, realm FROM channel WHERE tenant_id = $1 AND build = live_build('network') AND position > 0;

-- name: channels
-- All relationships are gone through once, not once a channel.
WITH met AS MATERIALIZED (
  SELECT x.slug, count(*) AS contacts FROM relationship r CROSS JOIN unnest(r.channels) AS x (slug)
   WHERE r.tenant_id = $1 AND r.build = live_build('relationships') GROUP BY x.slug)
SELECT c.slug, name, realm, role, access, topics, sensitive, touchpoints, posts, reach, gives, promotes, coalesce(m.contacts, 0) AS contacts
  FROM channel c LEFT JOIN met m ON m.slug = c.slug
 WHERE c.tenant_id = $1 AND c.build = live_build('network') AND ($2::text IS NULL OR c.slug > $2) ORDER BY c.slug LIMIT $3;

-- name: halves
SELECT half, count(*) AS contacts FROM relationship WHERE tenant_id = $1 AND build = live_build('relationships') GROUP BY half;

-- name: strongest_of_halves
-- The strongest of each half.
SELECT x.half, r.contact_id, r.score, r.stage, r.met_at, r.last_touch_at
  FROM unnest(ARRAY['online_only', 'in_person_only', 'both', 'named_only']) AS x (half)
 CROSS JOIN LATERAL (
       SELECT * FROM relationship r
        WHERE r.tenant_id = $1 AND r.build = live_build('relationships') AND r.half = x.half
        ORDER BY r.score DESC, r.contact_id LIMIT $2) r
 ORDER BY x.half, r.score DESC, r.contact_id;

-- name: own_acts
-- By channel: on how many days after $3 somebody of ours did something, and what we did after $2; up to $4.
SELECT slug, count(*) FILTER (WHERE day > $3 AND acts > 0) AS days, sum(gives)::bigint AS gives, sum(promotes)::bigint AS promotes
  FROM channel_day
 WHERE tenant_id = $1 AND build = live_build('network') AND day > $2 AND day <= $4 GROUP BY slug;

-- name: described
SELECT slug, name, realm, role, access, topics, sensitive FROM channel
 WHERE tenant_id = $1 AND build = live_build('network') ORDER BY slug;

-- name: people
-- Everybody, with what the halves are made of.
SELECT r.contact_id, r.strength, r.facts, r.last_touch_at, r.score, r.stage, r.half, r.met_at, r.given, r.received, r.strained_at,
       c.relation, c.locality, c.within_reach, c.closed IS NOT NULL AS closed, c.leave_alone
  FROM relationship r
  JOIN contact c ON c.tenant_id = $1 AND c.build = live_build('contacts') AND c.contact_id = r.contact_id
 WHERE r.tenant_id = $1 AND r.build = live_build('relationships');

-- name: aliases
-- All merged contacts with who stands for them, whose word stands first, and what is told of their relation.
SELECT a.contact_id, a.standing_id, c.relation
  FROM contact_alias a JOIN contact c ON c.tenant_id = $1 AND c.build = a.build AND c.contact_id = a.contact_id
 WHERE a.tenant_id = $1 AND a.build = live_build('contacts') ORDER BY a.standing_id, a.rank;

-- name: buyers
-- Who ever bought something of us.
SELECT DISTINCT contact_id FROM timeline
 WHERE tenant_id = $1 AND build = live_build('timeline') AND kind = 'purchase' AND direction <> 'out' AND struck_at_position IS NULL;

-- name: platforms
-- Where these contacts are told to be.
SELECT DISTINCT contact_id, platform FROM contact_identity
 WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = ANY ($2) AND platform = ANY ($3);

-- name: booked
-- With whom an appointment lies ahead, and when the next event begins to which both are going.
SELECT p.contact_id, bool_or(a.kind <> 'attendance') AS booked, min(a.starts_at) FILTER (WHERE a.kind = 'attendance' AND a.starts_at > $2) AS occasion_at
  FROM appointment a
  JOIN appointment_person p ON p.tenant_id = a.tenant_id AND p.build = a.build AND p.appointment_id = a.appointment_id
 WHERE a.tenant_id = $1 AND a.build = live_build('appointments') AND a.state = 'planned' AND a.ends_at > $2 AND p.planned
 GROUP BY p.contact_id;

-- name: pairs
-- Who knows whom, as told, by introductions and by referrals.
SELECT contact_id, other_id FROM tie
 WHERE tenant_id = $1 AND build = live_build('referrals') AND NOT withdrawn AND contact_id < other_id
 UNION
SELECT referrer_id, prospect_id FROM referral WHERE tenant_id = $1 AND build = live_build('referrals') AND NOT withdrawn;

-- name: together
-- Who stood in one touchpoint of no more than a dozen, but for those in these channels.
SELECT array_agg(contact_id) AS contact_ids FROM timeline
 WHERE tenant_id = $1 AND build = live_build('timeline') AND people > 1 AND people <= 12 AND struck_at_position IS NULL
   AND channel <> ALL ($2)
 GROUP BY touchpoint_id;

-- name: occasions
-- The days on which we were in these channels, the latest first; $4 and $5 are the last row of the page before.
SELECT slug, day FROM channel_day
 WHERE tenant_id = $1 AND build = live_build('network') AND slug = ANY ($2) AND acts > 0 AND day <= $3
   AND ($4::int IS NULL OR day < $4 OR (day = $4 AND slug > $5))
 ORDER BY day DESC, slug LIMIT $6;

-- name: guests
-- Who had a touch in which channel on which of these days; the arrays run side by side.
SELECT DISTINCT t.channel, x.day, coalesce(a.standing_id, t.contact_id) AS contact_id
  FROM timeline t
  JOIN unnest($2::text[], $3::timestamptz[], $4::int[]) AS x (slug, since, day)
    ON x.slug = t.channel AND t.occurred_at >= x.since AND t.occurred_at < x.since + interval '1 day'
  LEFT JOIN contact_alias a ON a.tenant_id = $1 AND a.build = live_build('contacts') AND a.contact_id = t.contact_id
 WHERE t.tenant_id = $1 AND t.build = live_build('timeline') AND t.struck_at_position IS NULL AND t.channel = ANY ($2);

-- name: referred_by
-- When these contacts referred somebody to us.
SELECT referrer_id, made_at FROM referral
 WHERE tenant_id = $1 AND build = live_build('referrals') AND referrer_id = ANY ($2) AND direction = 'received' AND NOT withdrawn;

-- name: stages
SELECT contact_id, stage FROM relationship
 WHERE tenant_id = $1 AND build = live_build('relationships') AND contact_id = ANY ($2);
