-- name: of_touchpoints
-- The appointments whose touchpoints these are or would be.
SELECT appointment_id FROM appointment WHERE tenant_id = $1 AND build = $2 AND touchpoint_id = ANY ($3);

-- name: facts
-- These streams' events up to a position, in order.
SELECT position, stream, type, version, body FROM event
 WHERE tenant_id = $1 AND stream = ANY ($2) AND position <= $3 ORDER BY position;

-- name: said_by
-- Of each event of these streams, in order, whether it has this correlation.
SELECT stream, array_agg(convert_from(meta, 'UTF8')::jsonb ->> 'correlation' IS NOT DISTINCT FROM $3 ORDER BY position) AS theirs
  FROM event WHERE tenant_id = $1 AND stream = ANY ($2) GROUP BY stream;

-- name: store
INSERT INTO appointment (tenant_id, build, appointment_id, state, starts_at, ends_at, channel, kind, touchpoint_id, source, source_id,
                         by, plan_position, position)
SELECT $1, $2, x.*
  FROM unnest($3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[], $9::uuid[], $10::text[],
              $11::text[], $12::text[], $13::bigint[], $14::bigint[]) AS x
    ON CONFLICT (tenant_id, build, appointment_id) DO UPDATE
   SET state = excluded.state, starts_at = excluded.starts_at, ends_at = excluded.ends_at, channel = excluded.channel,
       kind = excluded.kind, touchpoint_id = excluded.touchpoint_id, source = excluded.source, source_id = excluded.source_id,
       by = excluded.by, plan_position = excluded.plan_position, position = excluded.position;

-- name: forget_people
DELETE FROM appointment_person WHERE tenant_id = $1 AND build = $2 AND appointment_id = ANY ($3);

-- name: store_people
INSERT INTO appointment_person (tenant_id, build, appointment_id, contact_id, place, planned, came)
SELECT $1, $2, x.* FROM unnest($3::uuid[], $4::uuid[], $5::smallint[], $6::bool[], $7::bool[]) AS x;

-- name: page
-- By start. $3 is now, $4 from when on an end still waits for an answer; $5 the states, $6 and $7 the span, $8 and $9 the last row of
-- the page before. The sealed note lies in the log.
SELECT a.appointment_id, a.state, a.starts_at, a.ends_at, a.channel, a.kind, a.touchpoint_id, a.source, a.source_id, a.by,
       a.position AS version_position, e.position, e.stream, e.event_id, e.type, e.version, e.occurred_at, e.body, e.sealed
  FROM appointment a JOIN event e ON e.tenant_id = a.tenant_id AND e.position = a.plan_position
 WHERE a.tenant_id = $1 AND a.build = live_build('appointments') AND $2::uuid[] IS NULL
   AND CASE WHEN a.state <> 'planned' THEN a.state WHEN a.ends_at > $3::timestamptz THEN 'planned'
            WHEN a.ends_at > $4::timestamptz THEN 'to_confirm' ELSE 'unanswered' END = ANY ($5::text[])
   AND ($6::timestamptz IS NULL OR a.ends_at > $6)
   AND ($7::timestamptz IS NULL OR a.starts_at < $7)
   AND ($8::timestamptz IS NULL OR (a.starts_at, a.appointment_id) > ($8, $9::uuid))
 ORDER BY a.starts_at, a.appointment_id LIMIT $10;

-- name: page_open
-- As `page`, of what is to come or waits for an answer: no appointment lasts longer than 31 days, so an earlier start is neither.
SELECT a.appointment_id, a.state, a.starts_at, a.ends_at, a.channel, a.kind, a.touchpoint_id, a.source, a.source_id, a.by,
       a.position AS version_position, e.position, e.stream, e.event_id, e.type, e.version, e.occurred_at, e.body, e.sealed
  FROM appointment a JOIN event e ON e.tenant_id = a.tenant_id AND e.position = a.plan_position
 WHERE a.tenant_id = $1 AND a.build = live_build('appointments') AND $2::uuid[] IS NULL
   AND a.state = 'planned' AND a.starts_at > $4::timestamptz - interval '31 days'
   AND CASE WHEN a.ends_at > $3::timestamptz THEN 'planned' WHEN a.ends_at > $4 THEN 'to_confirm' ELSE 'unanswered' END = ANY ($5::text[])
   AND ($6::timestamptz IS NULL OR a.ends_at > $6)
   AND ($7::timestamptz IS NULL OR a.starts_at < $7)
   AND ($8::timestamptz IS NULL OR (a.starts_at, a.appointment_id) > ($8, $9::uuid))
 ORDER BY a.starts_at, a.appointment_id LIMIT $10;

-- name: page_of_contact
-- As `page`, of those planned or held with one of contacts that are one.
SELECT a.appointment_id, a.state, a.starts_at, a.ends_at, a.channel, a.kind, a.touchpoint_id, a.source, a.source_id, a.by,
       a.position AS version_position, e.position, e.stream, e.event_id, e.type, e.version, e.occurred_at, e.body, e.sealed
  FROM appointment a JOIN event e ON e.tenant_id = a.tenant_id AND e.position = a.plan_position
 WHERE a.tenant_id = $1 AND a.build = live_build('appointments')
   AND a.appointment_id IN (SELECT p.appointment_id FROM appointment_person p
                             WHERE p.tenant_id = $1 AND p.build = live_build('appointments') AND p.contact_id = ANY ($2::uuid[]))
   AND CASE WHEN a.state <> 'planned' THEN a.state WHEN a.ends_at > $3::timestamptz THEN 'planned'
            WHEN a.ends_at > $4::timestamptz THEN 'to_confirm' ELSE 'unanswered' END = ANY ($5::text[])
   AND ($6::timestamptz IS NULL OR a.ends_at > $6)
   AND ($7::timestamptz IS NULL OR a.starts_at < $7)
   AND ($8::timestamptz IS NULL OR (a.starts_at, a.appointment_id) > ($8, $9::uuid))
 ORDER BY a.starts_at, a.appointment_id LIMIT $10;

-- name: one
SELECT a.appointment_id, a.state, a.starts_at, a.ends_at, a.channel, a.kind, a.touchpoint_id, a.source, a.source_id, a.by,
       a.position AS version_position, e.position, e.stream, e.event_id, e.type, e.version, e.occurred_at, e.body, e.sealed
  FROM appointment a JOIN event e ON e.tenant_id = a.tenant_id AND e.position = a.plan_position
 WHERE a.tenant_id = $1 AND a.build = live_build('appointments') AND a.appointment_id = $2;

-- name: people
-- As who stands for them: somebody planned as two contacts that are one comes once.
SELECT appointment_id, standing(contact_id) AS contact_id, bool_or(came) AS came FROM appointment_person
 WHERE tenant_id = $1 AND build = live_build('appointments') AND appointment_id = ANY ($2)
 GROUP BY appointment_id, standing(contact_id) ORDER BY appointment_id, min(place);

-- name: next_with
-- The next appointment with one of contacts that are one that has not ended at $3.
SELECT a.appointment_id, a.starts_at, a.ends_at, a.channel, a.kind
  FROM appointment_person p
  JOIN appointment a ON a.tenant_id = p.tenant_id AND a.build = p.build AND a.appointment_id = p.appointment_id
 WHERE p.tenant_id = $1 AND p.build = live_build('appointments') AND p.contact_id = ANY ($2) AND p.planned
   AND a.state = 'planned' AND a.ends_at > $3
 ORDER BY a.starts_at, a.appointment_id LIMIT 1;

-- name: soon_met
-- Who will be met between two instants anyway, and when first.
SELECT standing(p.contact_id) AS contact_id, min(a.starts_at) AS starts_at
  FROM appointment a
  JOIN appointment_person p ON p.tenant_id = a.tenant_id AND p.build = a.build AND p.appointment_id = a.appointment_id
 WHERE a.tenant_id = $1 AND a.build = live_build('appointments') AND a.state = 'planned' AND p.planned
   AND a.starts_at > $2 AND a.starts_at < $3
 GROUP BY standing(p.contact_id);
