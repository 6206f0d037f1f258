-- name: of_touchpoints
-- The appointments whose touchpoints these are or would be.
SELECT appointment_id FROM appointment WHERE tenant_id = $1 AND build = $2 AND touchpoint_id = ANY ($3);

-- name: facts
-- These streams' events up to a position, in order.
SELECT position, stream, type, version, body FROM event
 WHERE tenant_id = $1 AND stream = ANY ($2) AND position <= $3 ORDER BY position;

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
