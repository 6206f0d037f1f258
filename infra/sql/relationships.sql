-- name: states
-- These contacts' states, and those of everybody ever met in one of these channels.
SELECT contact_id, strength, facts, last_touch_at, strained_at, folded_to FROM relationship
 WHERE tenant_id = $1 AND build = $2 AND (contact_id = ANY ($3) OR (cardinality($4::text[]) > 0 AND channels && $4));

-- name: told
SELECT contact_id, how_often, closed FROM contact
 WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = ANY ($2) AND (how_often IS NOT NULL OR closed IS NOT NULL);

-- name: aged
-- Rows as of an earlier day, and those that do not show yet what rows show now.
SELECT contact_id, strength, facts, last_touch_at, strained_at, folded_to FROM relationship
 WHERE tenant_id = $1 AND build = $2 AND (scored_day < $3 OR shows < $4) ORDER BY contact_id LIMIT $5;

-- name: outdate
UPDATE relationship SET shows = 0 WHERE tenant_id = $1 AND build = $2;

-- name: store
INSERT INTO relationship (tenant_id, build, contact_id, strength, facts, channels, touchpoints, score, stage, half, met_at,
                          first_touch_at, last_touch_at, online_points, given, received, scored_day, rhythm, rhythm_status,
                          silence_ratio, trend, strained_at, folded_to, shows)
SELECT $1, $2, x.contact_id, x.strength, x.facts, string_to_array(x.channels, E'\n'), x.touchpoints, x.score, x.stage, x.half, x.met_at,
       x.first_touch_at, x.last_touch_at, x.online_points, x.given, x.received, x.scored_day, x.rhythm, x.rhythm_status,
       x.silence_ratio, x.trend, x.strained_at, x.folded_to, $3
  FROM unnest($4::uuid[], $5::bytea[], $6::bytea[], $7::text[], $8::int[], $9::float8[], $10::smallint[], $11::text[],
              $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::float8[], $16::float8[], $17::float8[], $18::int[],
              $19::bytea[], $20::text[], $21::float8[], $22::float8[], $23::timestamptz[], $24::bigint[])
       AS x (contact_id, strength, facts, channels, touchpoints, score, stage, half, met_at, first_touch_at, last_touch_at, online_points,
             given, received, scored_day, rhythm, rhythm_status, silence_ratio, trend, strained_at, folded_to)
    ON CONFLICT (tenant_id, build, contact_id) DO UPDATE
   SET strength = excluded.strength, facts = excluded.facts,
       channels = excluded.channels, touchpoints = excluded.touchpoints, score = excluded.score, stage = excluded.stage,
       half = excluded.half, met_at = excluded.met_at, first_touch_at = excluded.first_touch_at,
       last_touch_at = excluded.last_touch_at, online_points = excluded.online_points, given = excluded.given,
       received = excluded.received, scored_day = excluded.scored_day, rhythm = excluded.rhythm,
       rhythm_status = excluded.rhythm_status, silence_ratio = excluded.silence_ratio, trend = excluded.trend,
       strained_at = excluded.strained_at, folded_to = excluded.folded_to, shows = excluded.shows;

-- name: remove
INSERT INTO removed_contact (tenant_id, build, contact_id, removed_at_position, seen_at_position)
SELECT $1, $2, x.contact_id, x.position, 0 FROM unnest($3::uuid[], $4::bigint[]) AS x (contact_id, position)
    ON CONFLICT (tenant_id, build, contact_id) DO UPDATE
   SET removed_at_position = greatest(removed_contact.removed_at_position, excluded.removed_at_position);

-- name: see_removed
-- Those of these contacts who were ever removed, with what was said of them last; `removed` while that is older.
UPDATE removed_contact r SET seen_at_position = CASE WHEN x.position > r.removed_at_position
                                                     THEN greatest(r.seen_at_position, x.position) ELSE r.seen_at_position END
  FROM unnest($3::uuid[], $4::bigint[]) AS x (contact_id, position)
 WHERE r.tenant_id = $1 AND r.build = $2 AND r.contact_id = x.contact_id
RETURNING r.contact_id, r.removed_at_position > r.seen_at_position AS removed;

-- name: take_out
DELETE FROM relationship WHERE tenant_id = $1 AND build = $2 AND contact_id = ANY ($3);

-- name: all_removed
-- Those of these standing contacts of whom nobody is there: neither they nor any that they stand for.
SELECT w.contact_id FROM unnest($3::uuid[]) AS w (contact_id)
  JOIN removed_contact r ON r.tenant_id = $1 AND r.build = $2 AND r.contact_id = w.contact_id
                        AND r.removed_at_position > r.seen_at_position
 WHERE NOT EXISTS (
       SELECT FROM contact_alias a
         LEFT JOIN removed_contact m ON m.tenant_id = $1 AND m.build = $2 AND m.contact_id = a.contact_id
                                    AND m.removed_at_position > m.seen_at_position
        WHERE a.tenant_id = $1 AND a.build = live_build('contacts') AND a.standing_id = w.contact_id AND m.contact_id IS NULL);

-- name: looked_at
SELECT live_build('relationships');

-- name: all_states
SELECT contact_id, strength, facts, last_touch_at, strained_at FROM relationship
 WHERE tenant_id = $1 AND build = live_build('relationships');
