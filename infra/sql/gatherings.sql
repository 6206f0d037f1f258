-- name: gathering_of_token
SELECT tenant_id, gathering_id FROM gathering_of_token($1);

-- name: facts
-- These streams' events up to a position, in order.
SELECT position, stream, type, version, body, occurred_at FROM event
 WHERE tenant_id = $1 AND stream = ANY ($2) AND position <= $3 ORDER BY position;

-- name: of_touchpoints
-- The occurrences somebody was at by these touchpoints.
SELECT DISTINCT gathering_id, occurrence FROM gathering_attendance
 WHERE tenant_id = $1 AND build = $2 AND touchpoint_id = ANY ($3);

-- name: store
INSERT INTO gathering (tenant_id, build, gathering_id, schedule, link_id, token_digest, over_at, planned_position, position)
SELECT $1, $2, x.* FROM unnest($3::uuid[], $4::bytea[], $5::uuid[], $6::text[], $7::timestamptz[], $8::bigint[], $9::bigint[]) AS x
    ON CONFLICT (tenant_id, build, gathering_id) DO UPDATE
   SET schedule = excluded.schedule, link_id = excluded.link_id, token_digest = excluded.token_digest, over_at = excluded.over_at,
       planned_position = excluded.planned_position, position = excluded.position;

-- name: store_guests
INSERT INTO gathering_guest (tenant_id, build, gathering_id, contact_id, entered_at, position)
SELECT $1, $2, x.* FROM unnest($3::uuid[], $4::uuid[], $5::timestamptz[], $6::bigint[]) AS x
    ON CONFLICT (tenant_id, build, gathering_id, contact_id) DO NOTHING;

-- name: forget_attendance
DELETE FROM gathering_attendance a USING unnest($3::uuid[], $4::date[]) AS x (gathering_id, occurrence)
 WHERE a.tenant_id = $1 AND a.build = $2 AND a.gathering_id = x.gathering_id AND a.occurrence = x.occurrence;

-- name: store_attendance
INSERT INTO gathering_attendance (tenant_id, build, gathering_id, occurrence, contact_id, met, touchpoint_id, came_at, position)
SELECT $1, $2, x.* FROM unnest($3::uuid[], $4::date[], $5::uuid[], $6::bool[], $7::uuid[], $8::timestamptz[], $9::bigint[]) AS x;

-- name: page
-- The newest first. $2 is now where only those not over are wanted, $3 the last row of the page before.
SELECT g.gathering_id, g.schedule, g.link_id, g.over_at, g.planned_position, g.position,
       (SELECT count(*) FROM gathering_guest u
         WHERE u.tenant_id = g.tenant_id AND u.build = g.build AND u.gathering_id = g.gathering_id) AS guests
  FROM gathering g
 WHERE g.tenant_id = $1 AND g.build = live_build('gatherings')
   AND ($2::timestamptz IS NULL OR g.over_at IS NULL OR g.over_at > $2)
   AND ($3::bigint IS NULL OR g.planned_position < $3)
 ORDER BY g.planned_position DESC LIMIT $4;

-- name: one
SELECT g.gathering_id, g.schedule, g.link_id, g.over_at, g.planned_position, g.position,
       (SELECT count(*) FROM gathering_guest u
         WHERE u.tenant_id = g.tenant_id AND u.build = g.build AND u.gathering_id = g.gathering_id) AS guests
  FROM gathering g
 WHERE g.tenant_id = $1 AND g.build = live_build('gatherings') AND g.gathering_id = $2;

-- name: came
-- How many people were at each occurrence, and how many of them we met.
SELECT occurrence, count(DISTINCT standing(contact_id)) AS came, count(DISTINCT standing(contact_id)) FILTER (WHERE met) AS met
  FROM gathering_attendance
 WHERE tenant_id = $1 AND build = live_build('gatherings') AND gathering_id = $2 AND occurrence = ANY ($3)
 GROUP BY occurrence;

-- name: merged
-- Contacts that are one with those who were at an occurrence, and who stands for them.
SELECT contact_id, standing_id FROM contact_alias
 WHERE tenant_id = $1 AND build = live_build('contacts')
   AND standing_id IN (SELECT standing(a.contact_id) FROM gathering_attendance a
                        WHERE a.tenant_id = $1 AND a.build = live_build('gatherings') AND a.gathering_id = $2 AND a.occurrence = $3);

-- name: guests
-- In the order they entered; $3 the position of the last row of the page before.
SELECT u.contact_id, u.entered_at, e.position, e.stream, e.event_id, e.type, e.version, e.body, e.sealed
  FROM gathering_guest u
  JOIN event e ON e.tenant_id = u.tenant_id AND e.position = u.position
 WHERE u.tenant_id = $1 AND u.build = live_build('gatherings') AND u.gathering_id = $2 AND ($3::bigint IS NULL OR u.position > $3)
 ORDER BY u.position LIMIT $4;

-- name: attendance
-- Who was there, as who stands for them, the latest occurrence first: somebody checked in as two contacts that are one comes once.
-- $3 is one occurrence only, $4 and $5 the last row of the page before.
SELECT occurrence, contact_id, met, touchpoint_id FROM (
  SELECT DISTINCT ON (occurrence, standing(contact_id)) occurrence, standing(contact_id) AS contact_id, met, touchpoint_id
    FROM gathering_attendance
   WHERE tenant_id = $1 AND build = live_build('gatherings') AND gathering_id = $2 AND ($3::date IS NULL OR occurrence = $3)
   ORDER BY occurrence, standing(contact_id), met DESC, position) AS t
 WHERE $4::date IS NULL OR (occurrence, contact_id) < ($4, $5::uuid)
 ORDER BY occurrence DESC, contact_id DESC LIMIT $6;

-- name: yield_people
-- One row for each person who was ever there by $3 (now), all contacts that are one together, with what followed from the first
-- time we met them there. What only tells that somebody was in the same place is no contact, nor are likes and posts. $4 is how
-- long a follow-up may take; $5 and $6 bound what counts as in touch about ninety days later, $7 how long referrals are counted.
WITH there AS (
  SELECT everybody(standing(contact_id)) AS ids, count(DISTINCT occurrence) AS times, min(came_at) AS first_at,
         min(came_at) FILTER (WHERE met) AS met_at, array_agg(touchpoint_id) AS touchpoint_ids
    FROM gathering_attendance
   WHERE tenant_id = $1 AND build = live_build('gatherings') AND gathering_id = $2 AND came_at <= $3
   GROUP BY standing(contact_id))
SELECT t.times, t.met_at,
       EXISTS (SELECT FROM timeline l
                WHERE l.tenant_id = $1 AND l.build = live_build('timeline') AND l.contact_id = ANY (t.ids) AND l.struck_at_position IS NULL
                  AND NOT l.automated AND l.kind NOT IN ('post', 'like', 'follow', 'attendance', 'complaint') AND l.direction <> 'in'
                  AND l.occurred_at > t.met_at AND l.occurred_at <= least(t.met_at + $4, $3)
                  AND l.touchpoint_id <> ALL (t.touchpoint_ids)) AS followed_up,
       EXISTS (SELECT FROM timeline l
                WHERE l.tenant_id = $1 AND l.build = live_build('timeline') AND l.contact_id = ANY (t.ids) AND l.struck_at_position IS NULL
                  AND NOT l.automated AND l.kind NOT IN ('post', 'like', 'follow', 'attendance', 'complaint')
                  AND l.occurred_at >= t.met_at + $5 AND l.occurred_at <= least(t.met_at + $6, $3)) AS in_touch,
       (SELECT count(*) FROM referral r
         WHERE r.tenant_id = $1 AND r.build = live_build('referrals') AND r.referrer_id = ANY (t.ids) AND r.direction = 'received'
           AND NOT r.withdrawn AND r.made_at > t.met_at AND r.made_at <= least(t.met_at + $7, $3)) AS referrals,
       NOT EXISTS (SELECT FROM timeline l
                    WHERE l.tenant_id = $1 AND l.build = live_build('timeline') AND l.contact_id = ANY (t.ids) AND l.struck_at_position IS NULL
                      AND l.occurred_at < t.first_at AND l.kind <> 'post') AS new,
       coalesce((SELECT r.stage FROM relationship r
                  WHERE r.tenant_id = $1 AND r.build = live_build('relationships') AND r.contact_id = t.ids[1]), 0) AS stage
  FROM there t;

-- name: held
-- The days on which anybody was there, by $3.
SELECT DISTINCT occurrence FROM gathering_attendance
 WHERE tenant_id = $1 AND build = live_build('gatherings') AND gathering_id = $2 AND came_at <= $3;

-- name: count_entry
-- One more filling in of the page at $3; how many there were since the span of $4 began.
INSERT INTO gathering_entries AS n (tenant_id, gathering_id, since, entries) VALUES ($1, $2, $3, 1)
    ON CONFLICT (tenant_id, gathering_id) DO UPDATE
   SET since = CASE WHEN n.since + $4::interval <= excluded.since THEN excluded.since ELSE n.since END,
       entries = CASE WHEN n.since + $4::interval <= excluded.since THEN 1 ELSE n.entries + 1 END
RETURNING entries;
