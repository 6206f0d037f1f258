-- name: insert
INSERT INTO timeline (tenant_id, build, contact_id, touchpoint_id, position, occurred_at, kind, channel, direction, act, about, minutes,
                      depth, audience, people, automated, topics, text_mark)
SELECT $1, $2, x.contact_id, x.touchpoint_id, x.position, x.occurred_at, x.kind, x.channel, x.direction, x.act, x.about, x.minutes,
       x.depth, x.audience, x.people, x.automated, ARRAY(SELECT json_array_elements_text(x.topics::json)), x.text_mark
  FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
              $12::int[], $13::smallint[], $14::int[], $15::smallint[], $16::bool[], $17::text[], $18::text[])
       AS x (contact_id, touchpoint_id, position, occurred_at, kind, channel, direction, act, about, minutes, depth, audience, people,
             automated, topics, text_mark)
    ON CONFLICT DO NOTHING;

-- name: strike
UPDATE timeline t SET struck_at_position = x.position
  FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) AS x (contact_id, touchpoint_id, position)
 WHERE t.tenant_id = $1 AND t.build = $2 AND t.contact_id = x.contact_id AND t.touchpoint_id = x.touchpoint_id;

-- name: words_sent
-- What went out in these words around these times, which run side by side; and whether it counted at a position before.
SELECT t.text_mark, t.contact_id, t.touchpoint_id, t.occurred_at, t.bulk, t.struck_at_position IS NULL AS counts,
       t.position <= $6 AND (t.struck_at_position IS NULL OR t.struck_at_position > $6) AND NOT t.struck_before @> $6::bigint AS counted
  FROM unnest($3::text[], $4::timestamptz[], $5::timestamptz[]) AS x (text_mark, since, until)
  JOIN timeline t ON t.tenant_id = $1 AND t.build = (SELECT coalesce($2, live_build('timeline'))) AND t.text_mark = x.text_mark
                 AND t.occurred_at BETWEEN x.since AND x.until;

-- name: mark_bulk
UPDATE timeline t SET bulk = x.bulk
  FROM unnest($3::uuid[], $4::uuid[], $5::bool[]) AS x (contact_id, touchpoint_id, bulk)
 WHERE t.tenant_id = $1 AND t.build = $2 AND t.contact_id = x.contact_id AND t.touchpoint_id = x.touchpoint_id;

-- name: decide
INSERT INTO conversion (tenant_id, build, contact_id, referral_id, position, touchpoint_id, outcome, occurred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING;

-- name: conversions
-- Where referrals these contacts made were won or lost: as known at a position, by an instant, where these are given.
SELECT contact_id, referral_id, position, touchpoint_id, outcome, occurred_at FROM conversion
 WHERE tenant_id = $1 AND build = live_build('timeline') AND contact_id = ANY ($2)
   AND ($3::bigint IS NULL OR position <= $3) AND ($4::timestamptz IS NULL OR occurred_at <= $4)
 ORDER BY contact_id, referral_id, position;

-- name: restore
-- It counts again; `struck_before` keeps from which position to which it did not.
UPDATE timeline t SET struck_at_position = NULL, struck_before = t.struck_before + int8multirange(int8range(t.struck_at_position, x.position))
  FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) AS x (contact_id, touchpoint_id, position)
 WHERE t.tenant_id = $1 AND t.build = $2 AND t.contact_id = x.contact_id AND t.touchpoint_id = x.touchpoint_id
   AND t.struck_at_position IS NOT NULL;

-- name: touches
-- What these contacts' unstruck touches were as known at a position.
SELECT contact_id, touchpoint_id, occurred_at, kind, channel, direction, act, depth, minutes, audience, people, automated, bulk
  FROM timeline
 WHERE tenant_id = $1 AND build = live_build('timeline') AND contact_id = ANY ($2)
   AND position <= $3 AND (struck_at_position IS NULL OR struck_at_position > $3)
   AND NOT struck_before @> $3::bigint
 ORDER BY contact_id, occurred_at, touchpoint_id;

-- name: touches_until
-- Unstruck touches of contacts that are one that had happened by an instant.
SELECT contact_id, touchpoint_id, position, occurred_at, kind, channel, direction, act, depth, minutes, audience, people, automated, bulk
  FROM timeline
 WHERE tenant_id = $1 AND build = live_build('timeline') AND contact_id = ANY ($2) AND struck_at_position IS NULL
   AND ($3::timestamptz IS NULL OR occurred_at <= $3)
 ORDER BY occurred_at, touchpoint_id;

-- name: touches_since
-- Unstruck touches of these contacts and of all that are one with them, each after its own instant; the arrays run side by side.
SELECT x.contact_id, t.touchpoint_id, t.occurred_at, t.kind, t.channel, t.direction, t.act, t.depth, t.minutes, t.audience, t.people,
       t.automated, t.bulk
  FROM unnest($2::uuid[], $3::timestamptz[]) AS x (contact_id, since)
  JOIN timeline t ON t.tenant_id = $1 AND t.build = live_build('timeline') AND t.contact_id = ANY (everybody(x.contact_id))
                 AND t.occurred_at > x.since
 WHERE t.struck_at_position IS NULL
 ORDER BY t.occurred_at, t.touchpoint_id;

-- name: page
-- Of contacts that are one, each touchpoint once. The newest first; $3 and $4 are the last row of the page before. The sealed
-- note lies in the log.
SELECT t.touchpoint_id, t.position, t.occurred_at, t.bulk, t.struck_at_position, e.recorded_at, e.type, e.version, e.body, e.sealed, e.stream, e.event_id
  FROM (SELECT DISTINCT ON (one.occurred_at, one.touchpoint_id) one.*
          FROM unnest($2::uuid[]) AS who (contact_id)
         CROSS JOIN LATERAL (
               SELECT touchpoint_id, position, occurred_at, bulk, struck_at_position FROM timeline
                WHERE tenant_id = $1 AND build = live_build('timeline') AND contact_id = who.contact_id
                  AND ($3::timestamptz IS NULL OR (occurred_at, touchpoint_id) < ($3, $4::uuid))
                ORDER BY occurred_at DESC, touchpoint_id DESC LIMIT $5) AS one
         ORDER BY one.occurred_at DESC, one.touchpoint_id DESC LIMIT $5) AS t
  JOIN event e ON e.tenant_id = $1 AND e.position = t.position
 ORDER BY t.occurred_at DESC, t.touchpoint_id DESC;
