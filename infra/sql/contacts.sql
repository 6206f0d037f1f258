-- name: add
INSERT INTO contact (tenant_id, build, contact_id, name, hint, position)
SELECT $1, $2, x.contact_id, x.name, x.hint, x.position
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[]) AS x (contact_id, name, hint, position)
    ON CONFLICT DO NOTHING;

-- name: note_identity
INSERT INTO contact_identity (tenant_id, build, contact_id, platform, handle, position)
SELECT $1, $2, x.contact_id, x.platform, x.handle, x.position
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[]) AS x (contact_id, platform, handle, position)
    ON CONFLICT DO NOTHING;

-- name: name_
UPDATE contact SET name = $4 WHERE tenant_id = $1 AND build = $2 AND contact_id = $3;

-- name: place
UPDATE contact SET locality = $4, told = array_append(array_remove(told, 'locality'), 'locality') WHERE tenant_id = $1 AND build = $2 AND contact_id = $3;

-- name: relate
UPDATE contact SET relation = $4, told = array_append(array_remove(told, 'relation'), 'relation') WHERE tenant_id = $1 AND build = $2 AND contact_id = $3;

-- name: reach
UPDATE contact SET within_reach = $4 WHERE tenant_id = $1 AND build = $2 AND contact_id = $3;

-- name: leave_alone
UPDATE contact SET leave_alone = $4, told = array_append(array_remove(told, 'leave_alone'), 'leave_alone') WHERE tenant_id = $1 AND build = $2 AND contact_id = $3;

-- name: close
UPDATE contact SET closed = $4 WHERE tenant_id = $1 AND build = $2 AND contact_id = $3;

-- name: state
UPDATE contact SET known_since = $4, how_often = $5, how_close = $6, stated_by = $7, stated_at = $8
 WHERE tenant_id = $1 AND build = $2 AND contact_id = $3;

-- name: note_interest
INSERT INTO contact_interest (tenant_id, build, contact_id, topic, learned_at, in_confidence, noted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING;

-- part: picked
-- Filters are off where NULL. $10 and $11 are the last row of the page before; each order below ends in its own index.
-- $13 is the instant since when a complaint or dispute still strains.
SELECT c.contact_id, c.name, c.hint, c.locality, c.relation, c.closed, c.told, r.score, r.stage, r.half, r.channels, r.touchpoints, r.met_at,
       r.first_touch_at, r.last_touch_at, r.scored_day, r.rhythm, r.silence_ratio, r.strained_at,
       lower(coalesce(c.name, c.merged_name, '')) AS sort_name
  FROM relationship r JOIN contact c ON c.tenant_id = r.tenant_id AND c.build = live_build('contacts') AND c.contact_id = r.contact_id
 WHERE r.tenant_id = $1 AND c.tenant_id = $1 AND r.build = live_build('relationships')
   AND ($2::text IS NULL OR c.name ILIKE $2 OR EXISTS (
        SELECT FROM contact_identity i WHERE i.tenant_id = c.tenant_id AND i.build = c.build AND i.contact_id = c.contact_id AND i.handle ILIKE $2)
        OR c.contact_id IN (
        SELECT a.standing_id FROM contact_alias a JOIN contact m ON m.tenant_id = a.tenant_id AND m.build = a.build AND m.contact_id = a.contact_id
         WHERE a.tenant_id = $1 AND a.build = live_build('contacts') AND (m.name ILIKE $2 OR EXISTS (
               SELECT FROM contact_identity i WHERE i.tenant_id = m.tenant_id AND i.build = m.build AND i.contact_id = m.contact_id AND i.handle ILIKE $2))))
   AND ($3::smallint IS NULL OR r.stage = $3)
   AND ($4::text IS NULL OR r.half = $4)
   AND ($5::text IS NULL OR r.channels @> ARRAY[$5])
   AND ($6::timestamptz IS NULL OR r.last_touch_at IS NULL OR r.last_touch_at <= $6)
   AND ($7::float8 IS NULL OR r.score >= $7)
   AND ($8::text IS NULL OR r.rhythm_status = $8)
   AND ($12::bool IS NULL OR $12 = coalesce(r.strained_at > $13::timestamptz, false))

-- name: page_by_strength
{picked}
   AND r.score <= coalesce($10::float8, 'Infinity') AND ($10 IS NULL OR r.score < $10 OR r.contact_id > $11::uuid)
 ORDER BY r.score DESC, r.contact_id LIMIT $9;

-- name: page_by_name
{picked}
   AND (lower(coalesce(c.name, c.merged_name, '')), c.contact_id) > (coalesce($10::text, ''), coalesce($11, '00000000-0000-0000-0000-000000000000'::uuid))
 ORDER BY lower(coalesce(c.name, c.merged_name, '')), c.contact_id LIMIT $9;

-- name: page_by_last_touch
-- Those never touched come last.
{picked}
   AND (coalesce(r.last_touch_at, '-infinity'), r.contact_id)
       < (coalesce($10::timestamptz, 'infinity'), coalesce($11, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
 ORDER BY coalesce(r.last_touch_at, '-infinity') DESC, r.contact_id DESC LIMIT $9;

-- name: page_by_silence
-- The longest silence in its own rhythm first; those without a rhythm come last.
{picked}
   AND coalesce(r.silence_ratio, -1) <= coalesce($10::float8, 'Infinity')
   AND ($10 IS NULL OR coalesce(r.silence_ratio, -1) < $10 OR r.contact_id > $11::uuid)
 ORDER BY coalesce(r.silence_ratio, -1) DESC, r.contact_id LIMIT $9;

-- name: one
-- `stream_position` is of the contact's last fact that this answer shows, not of the last there is.
SELECT c.contact_id, c.name, c.hint, c.locality, c.relation, c.closed, c.known_since, c.how_often, c.how_close, c.stated_by, c.stated_at,
       c.within_reach, c.leave_alone, c.told, r.score, r.stage, r.half, r.channels, r.touchpoints, r.met_at, r.first_touch_at, r.last_touch_at, r.scored_day, r.rhythm,
       r.strained_at,
       (SELECT max(e.position) FROM event e
          JOIN checkpoint p ON p.tenant_id = e.tenant_id AND p.process = 'contacts' AND p.build = live_build('contacts')
                            AND p.position >= e.position
         WHERE e.tenant_id = c.tenant_id AND e.stream = 'contact-' || c.contact_id) AS stream_position
  FROM contact c
  LEFT JOIN relationship r ON r.tenant_id = c.tenant_id AND r.build = live_build('relationships') AND r.contact_id = c.contact_id
 WHERE c.tenant_id = $1 AND c.build = live_build('contacts') AND c.contact_id = $2;

-- name: merged
-- What was told of those merged into these contacts, by whose word stands.
SELECT a.standing_id, a.into_id, c.contact_id, c.name, c.hint, c.locality, c.relation, c.closed, c.known_since, c.how_often, c.how_close,
       c.stated_by, c.stated_at, c.within_reach, c.leave_alone, c.told
  FROM contact_alias a JOIN contact c ON c.tenant_id = a.tenant_id AND c.build = a.build AND c.contact_id = a.contact_id
 WHERE a.tenant_id = $1 AND a.build = live_build('contacts') AND a.standing_id = ANY ($2) ORDER BY a.standing_id, a.rank;

-- name: identities
-- Of these standing contacts, with those of everybody merged into them: their own first.
SELECT w.contact_id, i.platform, i.handle
  FROM (SELECT contact_id, contact_id AS own_id, 0 AS rank FROM unnest($2::uuid[]) AS x (contact_id)
         UNION ALL
        SELECT standing_id, contact_id, rank FROM contact_alias
         WHERE tenant_id = $1 AND build = live_build('contacts') AND standing_id = ANY ($2)) AS w
  JOIN contact_identity i ON i.tenant_id = $1 AND i.build = live_build('contacts') AND i.contact_id = w.own_id
 ORDER BY w.contact_id, w.rank, i.position, i.platform, i.handle;

-- name: handles
-- The first identity of each of these contacts themselves.
SELECT DISTINCT ON (contact_id) contact_id, handle FROM contact_identity
 WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = ANY ($2) ORDER BY contact_id, position, platform, handle;

-- name: interests
-- Of contacts that are one: told by several, since the first time.
SELECT topic, learned_at, in_confidence, min(noted_at) AS noted_at FROM contact_interest
 WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = ANY ($2)
 GROUP BY topic, learned_at, in_confidence ORDER BY topic, learned_at, in_confidence;

-- name: exists
SELECT EXISTS (SELECT FROM contact WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = $2);

-- name: words
-- What the owner had told by an instant of the relationship with contacts that are one, in their order.
SELECT CASE WHEN stated_at <= $3 THEN how_often END AS how_often, closed FROM contact
 WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = ANY ($2) ORDER BY array_position($2, contact_id);

-- name: names
-- Who stands for these contacts, and what they are called: by name, else by their first identity.
SELECT w.contact_id, c.contact_id AS standing_id, coalesce(c.name, c.merged_name, (
         SELECT i.handle FROM contact_identity i
          WHERE i.tenant_id = c.tenant_id AND i.build = c.build AND i.contact_id = ANY (w.everybody)
          ORDER BY array_position(w.everybody, i.contact_id), i.position, i.platform, i.handle LIMIT 1)) AS name
  FROM (SELECT x.contact_id, everybody(x.contact_id) AS everybody FROM unnest($2::uuid[]) AS x (contact_id)) AS w
  JOIN contact c ON c.tenant_id = $1 AND c.build = live_build('contacts') AND c.contact_id = w.everybody[1];
